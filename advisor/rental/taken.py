"""A contract becomes a machine that is taken, or one that is given back.

It runs, it runs the image, and, where that is asked for, it does what was to be expected
of it; whatever ends the way there, the machine is released.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.base.errors import StoreError
from advisor.base.units import SECONDS_PER_HOUR
from advisor.ranking.offer import RankedOffer
from advisor.rental.context import RentalContext
from advisor.rental.ends import beyond_caps
from advisor.rental.hold import Hold
from advisor.rental.refused import NotRented, NotStartedError
from advisor.rental.release import release
from advisor.rental.request import Rental, RentRequest, Trial
from advisor.rental.start import wait_until_running
from advisor.rental.strays import end_strays
from advisor.software.misfit import MISFITS
from advisor.store.database import open_store
from advisor.store.hosts import HostRule, block_if_not_allowed
from advisor.store.ledger import Entry

_START_SPARE_S = 600.0
_START_FACTOR = 3.0

_SEEN_S = 10.0
"""Seconds for which a machine that was seen to run is taken to: measuring takes minutes,
in which a bid may be outbid."""

_ANSWERS_AGAIN_S = 180.0
"""Seconds that a machine has to answer again once it was measured (assumption)."""

BLAMED = {
    "broken": "rented and failed",
    "too_slow": "rented and failed",
    "vanished": "rented and failed",
    "slow": "rented and measured",
}
"""Causes for which a machine is left out of later rankings, and what was done with it."""


def taken(  # noqa: PLR0917
    context: RentalContext,
    request: RentRequest,
    candidate: RankedOffer,
    others: Sequence[RankedOffer],
    claimed: Entry,
    hold: Hold,
) -> Rental | NotRented:
    """Wait until a rental runs; end it if it will not do, or if anything goes wrong.

    Parameters
    ----------
    others : offers that may be tried after this one, the best first
    claimed : in the ledger, its instance known
    """
    timeout_s = request.start_timeout_s
    if timeout_s is None:
        pull_h = float(candidate.ranking.bill.terms.pull_h[candidate.at])
        timeout_s = _START_FACTOR * pull_h * SECONDS_PER_HOUR + _START_SPARE_S
    try:
        try:
            instance = wait_until_running(
                context, claimed, timeout_s, hold, request.answers
            )
            runs_since = context.now()
            end_strays(context)
            if (over := beyond_caps(context, request, claimed)) is not None:
                raise over
            if request.probe is not None and (
                symptom := request.probe(instance, claimed.num_gpus)
            ):
                raise NotStartedError(NotRented.by(symptom))
            fitting = [
                one for one in on_others(candidate, others) if request.misfits.allow(one)
            ]
            trial = Trial(instance, candidate, fitting, runs_since)
            measured = _verified(request, trial)
            if context.now() - runs_since > _SEEN_S:  # it may be gone by now
                instance = wait_until_running(
                    context, claimed, _ANSWERS_AGAIN_S, hold, request.answers
                )
            hold.renew()
        except NotStartedError:
            hold.renew()  # whoever has slept through its lease rents nothing more
            raise
    except NotStartedError as error:
        why = error.why
        give_up(context, claimed, why.reason)
        if why.cause in BLAMED:
            _blame(context, candidate, f"{BLAMED[why.cause]}: {why.reason}")
        if why.cause in MISFITS:
            request.misfits.add(why.cause, candidate)
        return why
    except BaseException as error:
        release(context, claimed, f"given up: {error or type(error).__name__}")
        raise
    return Rental(claimed, instance, candidate, (), hold, measured)


def _verified(request: RentRequest, trial: Trial) -> Mapping[str, Any] | None:
    """Return what was measured of a machine, None where it was not to be.

    Raises
    ------
    NotStartedError
        if it is to be given back
    """
    if request.verify is None:
        return None
    found = request.verify(trial)
    if isinstance(found, NotRented):
        raise NotStartedError(found)
    return found


def on_others(candidate: RankedOffer, offers: Sequence[RankedOffer]) -> list[RankedOffer]:
    """Return the offers that are of other machines than one offer is."""
    machine_id = candidate.machine_id
    return [one for one in offers if machine_id is None or one.machine_id != machine_id]


def give_up(context: RentalContext, entry: Entry, reason: str) -> None:
    """Release a rental that nobody has used."""
    release(context, entry, reason)
    try:
        context.ledger.note_unused(entry.label)
    except StoreError as error:  # it counts more towards a cap than it cost
        context.notify(str(error))


def _blame(context: RentalContext, candidate: RankedOffer, reason: str) -> None:
    """Leave a machine out of later rankings, unless the user allows it."""
    if candidate.machine_id is None:
        return
    rule = HostRule(
        context.market.name,
        "machine",
        candidate.machine_id,
        True,
        reason,
        context.clock.now(),
    )
    with open_store(context.folder) as store:
        block_if_not_allowed(store, rule)
