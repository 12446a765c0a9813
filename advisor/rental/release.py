"""Rentals are ended, and it is verified that they are gone.

What is ended is what the market shows under a label of ours, and nothing else. The ledger
says what was meant; it is written before and after, but where it cannot be, the machine
is ended all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from advisor.base.background import repeated
from advisor.base.errors import (
    AdvisorError,
    MarketError,
    RentalStateUnknownError,
    StoreError,
)
from advisor.base.interrupts import shielded
from advisor.market.lifecycle import Instance
from advisor.rental.context import RentalContext
from advisor.rental.labels import read_label
from advisor.store.ledger import Entry, State

_LOOKS = 10
_PAUSE_S = 3.0
_WATCH_S = 1.0


@dataclass(frozen=True, slots=True)
class Releasable:
    """A rental of the account that can be ended.

    Attributes
    ----------
    label, job, instance_id : of the rental; the id is None where nobody knows it
    entry : in this computer's ledger; None where that has none, or cannot be read
    """

    label: str
    job: str
    instance_id: int | None
    entry: Entry | None


def releasable(context: RentalContext) -> Sequence[Releasable]:
    """Return what can be ended: by the ledger, and by the labels that the market shows.

    Raises
    ------
    MarketError
        if neither the market lists the account's rentals nor the ledger can be read
    """
    listed: Mapping[str, Sequence[Instance]] = {}
    trouble: MarketError | None = None
    try:
        listed = context.listed()
    except MarketError as error:
        context.notify(f"{error}; the ledger alone tells what is rented")
        trouble = error
    entries: Sequence[Entry] = ()
    try:
        entries = context.ledger.entries(context.account)
    except StoreError as error:
        if trouble is not None:
            raise trouble from error
        context.notify(f"{error}; the market's labels alone tell what is rented")
    found = [
        Releasable(one.label, one.job, _number_of(one, listed), one)
        for one in entries
        if one.is_open
    ]
    ours = {one.label for one in found}
    for label, instances in listed.items():
        parts = read_label(label)
        if parts is not None and label not in ours:
            found += [
                Releasable(label, parts.job, one.instance_id, None) for one in instances
            ]
    return found


def _number_of(entry: Entry, listed: Mapping[str, Sequence[Instance]]) -> int | None:
    """Return the id of a rental: the ledger's, else that of its label."""
    if entry.instance_id is not None:
        return entry.instance_id
    return next((one.instance_id for one in listed.get(entry.label, ())), None)


def end(context: RentalContext, rental: Releasable, reason: str) -> None:
    """End a rental, see `release`."""
    if rental.entry is not None:
        release(context, replace(rental.entry, instance_id=rental.instance_id), reason)
        return
    with shielded(f"releasing instance {rental.instance_id}"):
        try:
            end_rental(context, rental.label, rental.instance_id)
        except MarketError as error:
            raise _may_bill(f"instance {rental.instance_id}", error) from error
    context.notify(f"instance {rental.instance_id}: released")


def release(context: RentalContext, entry: Entry, reason: str) -> None:
    """End a rental, and return once it is gone; the ledger need not be writable.

    Raises
    ------
    RentalStateUnknownError
        if nobody can say that it is gone: the ledger has it as being released, and
        `reconcile` goes on
    """
    known = entry.instance_id
    name = entry.label if known is None else f"instance {known}"
    with shielded(f"releasing {name}"):
        note_state(context, entry, "releasing", reason, known)
        try:
            end_rental(context, entry.label, known)
        except MarketError as error:
            raise _may_bill(name, error) from error
        note_state(context, entry, "released", reason)
    context.notify(f"{name}: released")


def _may_bill(name: str, error: MarketError) -> RentalStateUnknownError:
    message = f"{name} may still be there and bill: {error}; run 'advisor reconcile'"
    return RentalStateUnknownError(message)


@contextmanager
def released(
    context: RentalContext, entry: Entry, unless: type[BaseException] | tuple[()] = ()
) -> Iterator[None]:
    """Release a rental when a block ends, however it ends but by the error `unless`."""
    try:
        yield
    except unless:
        raise
    except BaseException as error:
        release(context, entry, " ".join(str(error).split()) or type(error).__name__)
        raise
    release(context, entry, "its work is done")


def release_found_again(context: RentalContext, name: str) -> None:
    """Release machines of a job that has ended elsewhere which the market shows again.

    It had lost them. What the user has is kept, also where it was lost for a while. What
    cannot be looked at is told, and no error.

    Parameters
    ----------
    name : of the job, or of the sweep, which is over
    """
    try:
        left = [
            entry
            for entry in context.ledger.entries(context.account)
            if entry.job == name
            and _was_at_work(context, entry)
            and context.is_here(entry.place)
        ]
        listed = context.listed() if left else {}
        for entry in left:
            with context.work_on(entry.label) as alone:
                if alone and entry.label in listed:
                    release(context, entry, "its job has ended on another machine")
    except AdvisorError as error:
        context.notify(f"{error}; run 'advisor reconcile'")


def _was_at_work(context: RentalContext, entry: Entry) -> bool:
    """Say whether a job has a rental, or had it before the market lost it."""
    is_gone = entry.state == "gone"
    state = context.ledger.before_gone(entry.label) if is_gone else entry.state
    return state == "working"


def ended_in_time(context: RentalContext, entry: Entry) -> AbstractContextManager[None]:
    """End a rental when its lifetime is over, though the block may still run."""
    return repeated("lifetime", lambda: end_when_over(context, entry), _WATCH_S)


def end_when_over(context: RentalContext, entry: Entry) -> bool:
    """End a rental if its lifetime is over; return whether to look again."""
    if not context.is_over(entry.ends_at):  # by the clock: a laptop may have slept
        return True
    try:
        release(context, entry, "its lifetime is over")
    except AdvisorError as error:  # the watchdog and `reconcile` try on
        context.notify(str(error))
    return False


def note_state(
    context: RentalContext,
    entry: Entry,
    state: State,
    reason: str,
    instance_id: int | None = None,
) -> None:
    """Write down what becomes of a rental; tell it where that cannot be written."""
    try:
        context.ledger.advance(
            entry.label, state, context.now(), reason, instance_id=instance_id
        )
    except AdvisorError as error:
        context.notify(
            f"{entry.label}: {state} ({reason}), which is not written: {error}"
        )


def end_rental(context: RentalContext, label: str, known: int | None = None) -> None:
    """End every instance with a label of ours, and see that none is left.

    An id that stands for somebody else's machine by now is left alone.

    Parameters
    ----------
    known : an id that the market has told for it, also where no list shows it yet

    Raises
    ------
    MarketError
        if the market cannot be asked, or still shows one after a while
    """
    left: set[int] = set()
    for look in range(_LOOKS):
        left = _left(context, label, known)
        if not left and look:
            return
        # Also one that does not show: what was rented a moment ago may not yet.
        unseen = {known} if known is not None and not look else set()
        for number in sorted(left | unseen):
            context.market.release(number)
        context.sleep(_PAUSE_S, f"waiting until the market shows {label} no more")
    numbers = ", ".join(map(str, sorted(left)))
    message = f"the market still shows instance {numbers} after it was ended"
    raise MarketError(message)


def _left(context: RentalContext, label: str, known: int | None) -> set[int]:
    """Return the instances that the market shows under a label.

    A list that fails keeps nobody from ending the one that is known: a second one of the
    same request is found by whoever looks at the list next.
    """
    left = {known} if known is not None and _is_there(context, label, known) else set()
    try:
        left |= {one.instance_id for one in context.listed().get(label, ())}
    except MarketError as error:
        if known is None:
            raise
        context.notify(str(error))
    return left


def end_instance(context: RentalContext, label: str, instance_id: int) -> None:
    """End one instance of a label that has several, and see that it is gone.

    Raises
    ------
    MarketError
        as `end_rental`
    """
    for look in range(_LOOKS):
        if not _is_there(context, label, instance_id) and look:
            return
        context.market.release(instance_id)
        context.sleep(_PAUSE_S, f"waiting until the market shows {label} no more")
    message = f"the market still shows instance {instance_id} after it was ended"
    raise MarketError(message)


def _is_there(context: RentalContext, label: str, instance_id: int) -> bool:
    """Say whether the market shows an instance.

    Raises
    ------
    MarketError
        if it has another label: it is somebody else's, or was given away
    """
    found = context.market.instance(instance_id)
    if found is not None and found.label != label:
        message = f"instance {instance_id} has the label {found.label!r}, not {label}"
        raise MarketError(message)
    return found is not None
