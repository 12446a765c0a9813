"""One request that rents, and what the market's list says came of it.

The answer is a hint, the list is the truth: a success may name another instance or hide a
second one, a refusal may be that of a repeated request whose first one rented, and a
request may take effect long after its connection broke.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.base.errors import (
    AdvisorError,
    KeyRefusedError,
    MarketError,
    NotSentError,
    PlacementError,
    RentalStateUnknownError,
)
from advisor.base.interrupts import shielded
from advisor.market.lifecycle import Instance, Order
from advisor.rental.context import RentalContext
from advisor.rental.release import end_instance

SETTLES_WITHIN_S = 300.0
"""Seconds after which a request whose answer was lost is taken not to have any effect; an
assumption. A gateway that waits longer than that is not known; what still appears is
ended."""

_LOOK_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request that rents.

    Attributes
    ----------
    instance_id : the one instance that the market has under the label; None: none
    error : what the market said against it; None: nothing
    """

    instance_id: int | None
    error: AdvisorError | None


def order(context: RentalContext, wanted: Order) -> Outcome:
    """Send the one request that rents; return what the market's list says came of it.

    Of two contracts of the label one is ended.

    Raises
    ------
    RentalStateUnknownError
        if the market cannot say, or who waits for it is interrupted
    UsageError
        if the order cannot be sent: nothing was
    """
    started_at = context.clock.monotonic()
    error: AdvisorError | None = None
    named: int | None = None
    with shielded(f"renting offer {wanted.offer_id}"):
        try:
            named = context.market.rent(wanted)
        except NotSentError as refusal:
            return Outcome(None, refusal)
        except PlacementError as refusal:
            named, error = refusal.instance_id, refusal
        except (MarketError, RentalStateUnknownError) as refusal:
            error = refusal
        found = _look(context, wanted.label, named, error)
    if not found and _may_yet_appear(named, error):
        if error is not None:
            context.notify(f"{error}; looking for it by its label")
        found = _wait(context, wanted.label, named, started_at)
    return Outcome(_one_of(context, wanted.label, found, named), error)


def _may_yet_appear(named: int | None, error: AdvisorError | None) -> bool:
    """Say whether a contract that does not show may do so: not after a plain refusal.

    One that does all the same is found by whoever looks at the list next (`strays`).
    """
    return named is not None or isinstance(error, RentalStateUnknownError)


def _look(
    context: RentalContext, label: str, named: int | None, error: AdvisorError | None
) -> Sequence[int]:
    """Return the instances of a label, at the first look.

    Raises
    ------
    RentalStateUnknownError
        if the request was refused and the market cannot be looked at
    """
    try:
        return _seen(context, label, named)
    except MarketError as trouble:
        if _may_yet_appear(named, error):
            return ()
        if isinstance(error, KeyRefusedError) and isinstance(trouble, KeyRefusedError):
            return ()  # whoever is not let in rents nothing
        raise _unknown(label, f"{error}; {trouble}") from trouble


def _wait(
    context: RentalContext, label: str, named: int | None, started_at: float
) -> Sequence[int]:
    """Return the instances of a label once some show, or no more will.

    Raises
    ------
    RentalStateUnknownError
        if the last look is none, the market shows none of what it says it made, or this
        is interrupted
    """
    trouble: MarketError | None = None
    while True:
        left_s = started_at + SETTLES_WITHIN_S - context.clock.monotonic()
        try:
            pause_s = max(min(_LOOK_EVERY_S, left_s), 0.0)
            context.sleep(pause_s, "looking whether the market has rented it")
            found = _seen(context, label, named)
        except KeyboardInterrupt:  # it may appear after this
            raise _unknown(label, "interrupted while looking for it") from None
        except MarketError as error:
            trouble = error
        else:
            trouble = None
            if found:
                return found
        if left_s <= 0.0:
            break
    if trouble is not None:
        raise _unknown(label, str(trouble)) from trouble
    if named is not None:
        why = f"the market names instance {named}, and shows none with that label"
        raise _unknown(label, why)
    return ()


def _seen(context: RentalContext, label: str, named: int | None) -> Sequence[int]:
    """Return the instances that the market shows under a label.

    Parameters
    ----------
    named : an instance that an answer has named; the list may lag behind it, or fail

    Raises
    ------
    MarketError
        if the market can be asked neither for its list nor for that one
    """
    trouble: MarketError | None = None
    found: Sequence[Instance] = ()
    try:
        found = context.listed().get(label, ())
    except MarketError as error:
        trouble = error
    if not found and named is not None:
        shown = context.market.instance(named)
        if shown is not None and shown.label == label:
            return (named,)
    if trouble is not None:
        raise trouble
    return [one.instance_id for one in found]


def _one_of(
    context: RentalContext, label: str, found: Sequence[int], named: int | None
) -> int | None:
    """Return the one instance to keep of those with one label, and end the others.

    One that cannot be ended now is no reason to lose sight of the one that is kept.
    """
    if not found:
        return None
    chosen = named if named in found else min(found)
    for extra in found:
        if extra != chosen:
            context.notify(f"instance {extra}: a second one of one request; it is ended")
            try:
                with shielded(f"ending instance {extra}"):
                    end_instance(context, label, extra)
            except MarketError as error:  # who looks next tries again, see `strays`
                context.notify(str(error))
    return chosen


def _unknown(label: str, reason: str) -> RentalStateUnknownError:
    return RentalStateUnknownError(
        f"nobody knows whether {label} was rented: {reason}; run 'advisor reconcile' "
        "before you rent again"
    )
