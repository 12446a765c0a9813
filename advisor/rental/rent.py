"""The best offer is rented; where that fails, the next one.

Whatever happens, one request is one rental: it is written down before it is sent, sent
once, and the market's list says what came of it before another offer is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from advisor.base.errors import (
    AdvisorError,
    CreditError,
    KeyRefusedError,
    MachineLeftError,
    NothingFitsError,
    NotSentError,
    OfferGoneError,
    PlacementError,
    RateLimitedError,
    RentalStateUnknownError,
    StoreError,
    UsageError,
)
from advisor.base.interrupts import check, window
from advisor.base.log import happened
from advisor.market.lifecycle import Order
from advisor.market.values import held_id
from advisor.ranking.offer import RankedOffer
from advisor.ranking.refused import nothing_left
from advisor.rental.context import RentalContext
from advisor.rental.ends import end_time
from advisor.rental.hold import Hold
from advisor.rental.intention import intention, write_down
from advisor.rental.ordering import order
from advisor.rental.reconcile import reconcile, unsettled
from advisor.rental.refused import NotRented
from advisor.rental.release import note_state, release
from advisor.rental.request import Attempt, Outcome, Rental, RentRequest
from advisor.rental.taken import BLAMED, give_up, on_others, taken
from advisor.store.ledger import CLOSED, Entry

_RISE = 1.02  # a price that rose by more is compared with the next offer's
_BUSY_PAUSE_S = 10.0
_STALE_S = 60.0  # what was read of an offer longer ago is read again

Confirm = Callable[[RankedOffer, float], bool]
"""Asked before an offer is paid for, with the end of the rental (s since 1970)."""


@contextmanager
def renting(
    context: RentalContext,
    request: RentRequest,
    confirm: Confirm | None = None,
    attempts: list[Attempt] | None = None,
) -> Iterator[Rental]:
    """Rent a machine and work on it as its only launcher.

    Inside, the ledger has it as ``"held"``: if this process dies, `reconcile` ends it. It
    is released when the block is left by an error. Who leaves it to the user advances it
    to ``"handed"`` last; who is done with it calls `release`.

    Parameters
    ----------
    confirm : asked before each payment; None: nobody is asked
    attempts : takes what came of each offer, also where an error ends it

    Raises
    ------
    advisor.base.errors.RentalStateUnknownError
        if something may have been rented and nobody can say
    advisor.base.errors.OverBudgetError
        if the caps do not allow what fits
    advisor.base.errors.NothingFitsError
        if nothing fits, or no attempt led to a machine that runs
    advisor.base.errors.AdvisorError
        if the market refuses, or the ledger or the clock does not work
    """
    _check_ground(context)
    candidates = ranked(context, request)
    attempts = [] if attempts is None else attempts
    with ExitStack() as stack:
        while candidates and len(attempts) < request.attempts:
            candidate, *candidates = candidates
            if not request.misfits.allow(candidate):
                continue
            if request.may_try is not None and not request.may_try(candidate):
                continue
            check()
            with ExitStack() as holds:
                found = _try(
                    context,
                    request,
                    candidate,
                    candidates,
                    confirm,
                    holds,
                    may_move=len(attempts) + 1 < request.attempts,
                )
                if isinstance(found, Rental):
                    stack.push(holds.pop_all())
                    rented = f"instance {found.entry.instance_id}"
                    note(
                        context,
                        attempts,
                        candidate,
                        "rented",
                        rented,
                        measured=found.measured,
                    )
                    stack.enter_context(_given_up_by_error(context, found.entry))
                    yield replace(found, attempts=tuple(attempts))
                    return
            note(
                context,
                attempts,
                candidate,
                found.cause,
                found.reason,
                measured=found.measured,
            )
            if found.cause in BLAMED:  # its other GPUs are in the same machine
                candidates = on_others(candidate, candidates)
            if found.cause == "rate_limited":  # the market did not look at it
                candidates = [candidate, *candidates]
                context.sleep(_BUSY_PAUSE_S, "waiting as the market asks")
    raise _exhausted(attempts)


def _check_ground(context: RentalContext) -> None:
    """Put in order what there is; refuse to rent where that cannot be done.

    Raises
    ------
    RentalStateUnknownError
        if the outcome of an earlier request is open
    AdvisorError
        if the ledger cannot be read, or the clocks differ
    """
    found = reconcile(context)
    if found.ledger_error is not None:
        raise found.ledger_error
    _raise(unsettled(found.findings))
    context.agreed_now()


@contextmanager
def _given_up_by_error(context: RentalContext, entry: Entry) -> Iterator[None]:
    """Release a rental whose block ends by an error, unless that left it on purpose."""
    try:
        yield
    except MachineLeftError:
        raise
    except BaseException as error:
        if not _is_settled(context, entry.label):
            release(context, entry, " ".join(str(error).split()) or type(error).__name__)
        raise


def _is_settled(context: RentalContext, label: str) -> bool:
    """Say whether the ledger tells that a rental has ended."""
    try:
        return context.ledger.entry(label).state in CLOSED
    except StoreError:
        return False


def ranked(context: RentalContext, request: RentRequest) -> list[RankedOffer]:
    """Return what the market offers now and fits, the best first.

    What was seen not to run is left out, and told.

    Raises
    ------
    advisor.base.errors.AdvisorError
        if nothing fits, or the market cannot be asked
    """
    with window():
        answer = context.search(request.query)
    ranking = request.rank(answer)
    if not ranking:
        raise nothing_left(ranking)
    happened("rental", "%d offers came, %d fit", len(answer.records), len(ranking))
    allowed = [one for one in ranking if request.misfits.allow(one)]
    if len(allowed) < len(ranking):
        context.notify(
            f"{len(ranking) - len(allowed)} of {len(ranking)} offers are left out: a "
            "machine like theirs was seen not to run this"
        )
    if not allowed:
        message = "every offer that fits is like a machine that was seen not to run this"
        raise NothingFitsError(message)
    return allowed


def seen_again(
    context: RentalContext,
    request: RentRequest,
    candidate: RankedOffer,
    rivals: Sequence[RankedOffer],
) -> RankedOffer | NotRented:
    """Return an offer as it is now, or why it is not to be rented any more."""
    asked = replace(request.query, offer_id=candidate.offer_id)
    with window():
        answer = context.search(asked)
    if not answer.records:
        return NotRented("gone", "the market lists it no more")
    ranking = request.rank(answer)
    if not ranking:
        return NotRented("changed", ", ".join(ranking.excluded) or "it fits no more")
    now = ranking[0]
    if now.offer_id != candidate.offer_id:
        return NotRented("changed", "the market answered with another offer")
    usd = now.cost_usd_per_epoch
    rose = usd > candidate.cost_usd_per_epoch * _RISE
    if rose and rivals and usd > rivals[0].cost_usd_per_epoch:
        reason = f"an epoch now costs ${usd:.4f}, another offer less"
        return NotRented("dearer", reason)
    return now


def note(
    context: RentalContext,
    attempts: list[Attempt],
    candidate: RankedOffer,
    outcome: Outcome,
    reason: str,
    *,
    measured: Mapping[str, Any] | None,
) -> None:
    """Note what came of an offer, and tell it."""
    machine_id = held_id(candidate.machine_id)
    attempts.append(Attempt(candidate.offer_id, machine_id, outcome, reason, measured))
    line = f"offer {candidate.offer_id} ({candidate.name}): {outcome.replace('_', ' ')}"
    context.notify(f"{line}: {reason}" if reason else line)


def _try(  # noqa: PLR0917
    context: RentalContext,
    request: RentRequest,
    candidate: RankedOffer,
    rivals: Sequence[RankedOffer],
    confirm: Confirm | None,
    holds: ExitStack,
    *,
    may_move: bool,
) -> Rental | NotRented:
    """Rent one offer and wait until it runs.

    Parameters
    ----------
    may_move : whether another offer may be tried after it
    """
    happened("rental", "offer %d is looked at again", candidate.offer_id)
    now = seen_again(context, request, candidate, rivals)
    if not isinstance(now, RankedOffer):
        return now
    at = context.agreed_now()
    end = end_time(context, request, now, at)
    _have_confirmed(confirm, now, end)
    while context.agreed_now() - at > _STALE_S:  # who was asked has thought it over
        confirmed_usd = now.price_usd_per_h
        now = seen_again(context, request, now, rivals)
        if not isinstance(now, RankedOffer):
            return now
        at = context.agreed_now()
        end = end_time(context, request, now, at)
        if now.price_usd_per_h > confirmed_usd * _RISE:
            _have_confirmed(confirm, now, end)
    intended = intention(context, request, now, at, end)
    wanted = _order_of(request, now, intended)  # what is wrong with it shows before
    hold = Hold(context, intended.label)
    holds.enter_context(context.work_on(intended.label))
    entry = hold.begun_with(intended)
    if refused := write_down(context, request, entry):
        return refused
    holds.enter_context(hold.renewed())
    claimed = _send(context, wanted, entry)
    if isinstance(claimed, NotRented):
        return claimed
    others = rivals if may_move else ()
    return taken(context, request, now, others, claimed, hold)


def _have_confirmed(confirm: Confirm | None, offer: RankedOffer, end: float) -> None:
    """Have an offer confirmed, if anybody is to be asked."""
    if confirm is not None and not confirm(offer, end):
        message = "nothing was rented: it was not confirmed"
        raise AdvisorError(message)


def _order_of(request: RentRequest, candidate: RankedOffer, entry: Entry) -> Order:
    return Order(
        offer_id=candidate.offer_id,
        image=candidate.image or "",
        disk_gb=request.disk_gb,
        label=entry.label,
        onstart=request.onstart(entry.intended_at, entry.ends_at),
        bid_usd_per_hour=candidate.bid_usd_per_h if request.interruptible else None,
    )


def _send(context: RentalContext, wanted: Order, entry: Entry) -> Entry | NotRented:
    """Send the one request that rents; write down what came of it.

    What is rented and cannot be written down, or cannot run, is ended.
    """
    try:
        outcome = order(context, wanted)
    except RentalStateUnknownError as error:
        note_state(context, entry, "unknown", str(error))
        raise
    except UsageError as error:  # it was not sent
        note_state(context, entry, "refused", str(error))
        raise
    if outcome.instance_id is None:
        reason = str(outcome.error or "the market's list does not show it")
        note_state(context, entry, "refused", reason)
        return _refused(outcome.error, reason)
    rented = replace(entry, state="held", instance_id=outcome.instance_id)
    if isinstance(outcome.error, PlacementError):
        give_up(context, rented, str(outcome.error))
        return NotRented("placement_failed", str(outcome.error))
    try:
        return context.ledger.advance(
            entry.label, "held", context.now(), instance_id=outcome.instance_id
        )
    except AdvisorError as error:
        release(context, rented, str(error))
        raise


def _refused(error: AdvisorError | None, reason: str) -> NotRented:
    """Return what a refusal means for the offer; raise what holds for every offer."""
    if error is None or isinstance(error, RentalStateUnknownError):
        return NotRented("lost", f"not rented: {reason}")
    if isinstance(error, OfferGoneError):
        return NotRented("gone", reason)
    if isinstance(error, RateLimitedError):
        return NotRented("rate_limited", reason)
    if isinstance(error, KeyRefusedError | CreditError | NotSentError):
        raise error
    return NotRented("refused", reason)


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


def _exhausted(attempts: Sequence[Attempt]) -> AdvisorError:
    """Return the error of attempts none of which led to a machine."""
    outcomes = "; ".join(
        f"{one.offer_id} {one.outcome.replace('_', ' ')}" for one in attempts
    )
    if attempts and all(one.outcome == "rate_limited" for one in attempts):
        return RateLimitedError(f"{attempts[-1].reason}; nothing is rented")
    message = f"no offer could be had: {outcomes or 'none is left'}; nothing is rented"
    return NothingFitsError(message)
