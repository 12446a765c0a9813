"""The lease of a machine is renewed: once, or for as long as a process lives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from advisor.base.errors import AdvisorError, MarketError, RemoteError, UsageError
from advisor.market.lifecycle import RUNNING, Instance
from advisor.rental.context import RentalContext
from advisor.rental.processes import Process
from advisor.rental.remote.beats import Lease, beat
from advisor.rental.remote.ssh import Ssh
from advisor.store.ledger import Entry

_HAD = frozenset({"handed", "working"})
_ENDING = frozenset({"releasing", "released"})
_LOOK_S = 5.0

Connect = Callable[[Instance], Ssh]
"""Returns the way to an instance."""


def chosen(context: RentalContext, instance_id: int | None, job: str | None) -> Entry:
    """Return the rental whose lease is to be renewed.

    Parameters
    ----------
    instance_id, job : which one; None: any, where there is one alone

    Raises
    ------
    UsageError
        if there is no such rental, or there are several
    """
    entries = context.ledger.entries(context.account)
    named = [
        one
        for one in entries
        if (instance_id is None or one.instance_id == instance_id)
        and (job is None or one.job == job)
    ]
    found = [one for one in named if one.state in _HAD]
    if not found:
        raise UsageError(_none(named, instance_id, job))
    if len(found) > 1:
        numbers = ", ".join(str(one.instance_id) for one in found)
        message = f"there are several: name one of the instances {numbers}"
        raise UsageError(message)
    return found[0]


def _none(named: Sequence[Entry], instance_id: int | None, job: str | None) -> str:
    """Return why nothing of that has a lease."""
    what = "nothing"
    if instance_id is not None:
        what = f"no instance {instance_id}"
    elif job is not None:
        what = f"no machine of job {job}"
    last = (
        f"; {named[-1].label} is {named[-1].state}" if named and what != "nothing" else ""
    )
    return f"{what} is rented{last}: 'advisor rentals --all' shows the ledger"


def renew(context: RentalContext, entry: Entry, connect: Connect) -> Lease:
    """Let the machine of a rental hear from us; return its lease.

    Raises
    ------
    MarketError
        if the market cannot be asked, or does not show it as ours and running
    RemoteError
        if it cannot be reached
    """
    number = entry.instance_id
    instance = None if number is None else context.market.instance(number)
    if instance is None:
        message = f"the market does not show instance {number}: run 'advisor reconcile'"
        raise MarketError(message)
    if instance.label != entry.label:
        message = f"instance {number} has the label {instance.label!r}, not {entry.label}"
        raise MarketError(message)
    if instance.status != RUNNING:
        message = f"instance {number} is {instance.status or 'being set up'}"
        raise MarketError(message)
    return beat(connect(instance))


def renew_while(
    context: RentalContext, entry: Entry, connect: Connect, process: Process
) -> None:
    """Renew a lease while a process lives: each minute, four times in it at least.

    What does not work is told once in a row, and tried again: the machine waits for
    several signs of life. Ends at once where the machine has no lease.

    Raises
    ------
    AdvisorError
        if the rental has ended before the process
    """
    name = f"instance {entry.instance_id}"
    lease, failing = Lease(None), ""
    while process.is_alive:
        try:
            lease = renew(context, entry, connect)
        except (MarketError, RemoteError) as error:
            if not failing:
                context.notify(f"{name} is not renewed: {error}; trying on")
            failing = str(error)
        else:
            if failing:
                context.notify(f"{name} is renewed again")
            failing = ""
        if not lease.is_needed:
            context.notify(needs_none(entry))
            return
        next_at = context.clock.monotonic() + lease.every_s
        while process.is_alive and (left := next_at - context.clock.monotonic()) > 0.0:
            context.sleep(min(left, _LOOK_S))
        _check_open(context, entry)
    context.notify(f"process {process.number} has ended: {name} is renewed no more")


def needs_none(entry: Entry) -> str:
    """Return the words for a machine without a lease."""
    return (
        f"instance {entry.instance_id} has no lease: it stays until its end, renewed or "
        "not"
    )


def _check_open(context: RentalContext, entry: Entry) -> None:
    """Raise if there is nothing left to renew.

    Raises
    ------
    AdvisorError
        if the rental is being ended, or its time is over
    """
    name = f"instance {entry.instance_id}"
    state = ""
    with suppress(AdvisorError):  # a ledger that cannot be read now may be later
        state = context.ledger.entry(entry.label).state
    if state in _ENDING:
        message = f"{name} is {state}: there is nothing to renew"
        raise AdvisorError(message)
    if context.now() > entry.ends_at:
        message = f"the lifetime of {name} is over"
        raise AdvisorError(message)
