"""The ledger is compared with the market, and what a crash left is put in order.

The market is the truth, the ledger the intention. Where the ledger cannot be read, the
market's labels alone tell whose a machine is and when it must be gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from advisor.base.errors import (
    AdvisorError,
    MarketError,
    RentalStateUnknownError,
    StoreError,
)
from advisor.base.interrupts import check, shielded
from advisor.market.lifecycle import Instance
from advisor.market.values import read_text
from advisor.rental.context import RentalContext
from advisor.rental.hold import hangs
from advisor.rental.labels import read_label
from advisor.rental.ordering import SETTLES_WITHIN_S
from advisor.rental.release import end_instance, release
from advisor.store.ledger import Entry, State

ABSENCE_S = 60.0
"""Seconds between two whole listings that must both lack a rental that was ended, or
whose outcome nobody knows, before it counts as not there."""

GONE_S = 600.0
"""Seconds for which the market must not show a machine that somebody uses before that
counts as gone: a market may forget for minutes; an assumption."""

Action = Literal[
    "kept",
    "busy",
    "waiting",
    "missing",
    "renamed",
    "closed",
    "released",
    "failed",
    "elsewhere",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one rental.

    Attributes
    ----------
    label : of the rental
    action : *kept*: it runs as it should; *busy*: its launcher works on it; *waiting*:
        its outcome is unknown until a later listing; *missing*: a known one that the
        market does not show, until a later look; *renamed*: the market shows it under a
        label that is not ours; *closed*: it is not there; *released*: it was ended now;
        *failed*: it could not be ended; *elsewhere*: a launcher with another ledger has
        it
    instance_id : the market's id, None where there is none
    reason : for people
    """

    label: str
    action: Action
    instance_id: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What came of a comparison.

    Attributes
    ----------
    findings : one for each rental
    ledger_error : why the market alone was looked at, None if the ledger was, too
    """

    findings: Sequence[Finding]
    ledger_error: StoreError | None = None


def reconcile(context: RentalContext) -> Reconciled:
    """Compare the ledger with the market; end what nobody has any use for.

    Ended are: rentals whose launcher died before it handed them over, rentals past
    their end, whoever made them, rentals that were being released, and what appears on
    the market after it was given up. What the user has is kept. One that cannot be
    settled keeps no other.

    Raises
    ------
    advisor.base.errors.MarketError
        if the market does not list the account's rentals as a whole
    """
    if wrong := context.clocks_differ():
        context.notify(f"{wrong}; ends are judged by the market's time")
    listed = context.listed()
    ledger_error: StoreError | None = None
    entries: Sequence[Entry] = ()
    try:
        entries = context.ledger.entries(context.account)
        for torn in context.ledger.torn(context.account):
            context.notify(f"the ledger's row of {torn.label} makes no sense: {torn.why}")
    except StoreError as error:
        context.notify(f"{error}; the market's labels alone tell what is to be ended")
        ledger_error = error
    findings: list[Finding] = []
    for entry in entries:
        if entry.is_open or entry.label in listed:
            check()
            findings += _settle(context, entry, listed.get(entry.label, ()))
    ours = {entry.label for entry in entries}
    for label, instances in listed.items():
        if label not in ours:
            findings += [_by_label(context, instance) for instance in instances]
    return Reconciled(findings, ledger_error)


def unsettled(findings: Sequence[Finding]) -> RentalStateUnknownError | None:
    """Return the error of findings that leave a rental's outcome open, if any does."""
    open_ones = [one for one in findings if one.action in ("waiting", "failed")]
    if not open_ones:
        return None
    reasons = "; ".join(f"{one.label}: {one.reason}" for one in open_ones)
    return RentalStateUnknownError(f"{reasons}; run 'advisor reconcile' again")


def _settle(
    context: RentalContext, entry: Entry, instances: Sequence[Instance]
) -> Sequence[Finding]:
    """Settle one rental of the ledger; what goes wrong with it is its own finding."""
    try:
        return list(_settled(context, entry, instances))
    except AdvisorError as error:
        return [Finding(entry.label, "failed", entry.instance_id, str(error))]


def _settled(
    context: RentalContext, entry: Entry, instances: Sequence[Instance]
) -> Iterator[Finding]:
    label = entry.label
    if instances and context.is_over(entry.ends_at):
        # Whoever works on it: it is too late.
        yield _release(context, entry, instances, "its lifetime is over")
        return
    known = instances[0].instance_id if instances else entry.instance_id
    if not context.is_here(entry.place) and entry.state in (
        "intended",
        "unknown",
        "held",
    ):
        reason = "a launcher on another computer, or with another data folder, has it"
        is_unknown = entry.instance_id is None and not context.is_over(entry.ends_at)
        if instances or is_unknown:
            yield Finding(label, "elsewhere", known, reason)
            return
    with _work_on(context, label) as alone:
        if not alone and not hangs(context, label):
            yield Finding(label, "busy", known, "its launcher works on it")
            return
        entry = context.ledger.entry(label)  # as it is now that nobody else has it
        if not instances and entry.instance_id is not None:
            shown = context.market.instance(entry.instance_id)
            if shown is not None and shown.label != label:
                yield _renamed(context, entry, shown)
                return
            instances = () if shown is None else (shown,)
        if instances:
            yield from _settle_found(context, entry, instances)
        elif entry.is_open:
            yield _settle_absent(context, entry)


@contextmanager
def _work_on(context: RentalContext, label: str) -> Iterator[bool]:
    """Work on a rental as `work_on` does; where no lock can be had, its lease must do."""
    with ExitStack() as stack:
        try:
            alone = stack.enter_context(context.work_on(label))
        except StoreError as error:
            context.notify(str(error))
            alone = False
        yield alone


def _settle_found(
    context: RentalContext, entry: Entry, instances: Sequence[Instance]
) -> Iterator[Finding]:
    """Settle a rental that the market shows."""
    if context.is_over(entry.ends_at):
        yield _release(context, entry, instances, "its lifetime is over")
        return
    ids = [instance.instance_id for instance in instances]
    known = _known_of(entry, ids)
    for extra in ids:
        if extra != known:  # one request, two contracts
            with shielded(f"ending instance {extra}"):
                end_instance(context, entry.label, extra)
            yield Finding(entry.label, "released", extra, "a second one of one request")
    if entry.absent_at is not None:
        entry = context.ledger.found(entry.label)
    if entry.state == "gone":
        before = context.ledger.before_gone(entry.label)
        reason = "the market shows it again"
        entry = context.ledger.advance(entry.label, before, context.now(), reason)
    if entry.state in ("handed", "working"):
        who = "you" if entry.state == "handed" else f"job {entry.job}"
        yield Finding(entry.label, "kept", known, f"it runs for {who}")
        return
    reason = {
        "releasing": entry.reason,
        "released": "it appeared after it was gone",
        "refused": "it appeared after it was given up",
    }.get(entry.state, "its launcher died before it handed it over")
    yield _release(context, entry, instances, reason)


def _release(
    context: RentalContext, entry: Entry, instances: Sequence[Instance], reason: str
) -> Finding:
    """End a rental that the market shows."""
    known = _known_of(entry, [instance.instance_id for instance in instances])
    release(context, replace(entry, instance_id=known), reason)
    return Finding(entry.label, "released", known, reason)


def _known_of(entry: Entry, ids: Sequence[int]) -> int:
    """Return the one of several ids that is a rental's."""
    known = entry.instance_id
    return known if known is not None and known in ids else min(ids)


def _renamed(context: RentalContext, entry: Entry, shown: Instance) -> Finding:
    """Leave alone what has another label by now: it bills, and is not ours to end.

    Where it should be gone, that is no end of the matter.
    """
    if entry.absent_at is not None:
        context.ledger.found(entry.label)
    is_due = entry.state == "releasing" or context.is_over(entry.ends_at)
    reason = (
        f"the market shows it as {shown.label!r}: end it in the market's console, or "
        "give it its label back"
    )
    action: Action = "failed" if is_due else "renamed"
    return Finding(entry.label, action, shown.instance_id, reason)


def _settle_absent(context: RentalContext, entry: Entry) -> Finding:
    """Settle an open rental that the market does not show: that must last."""
    now, known = context.now(), entry.instance_id
    reason = "the market does not show it"
    if wrong := context.clocks_differ():  # since when, nobody can say
        return Finding(entry.label, "missing", known, f"{reason}; {wrong}")
    if entry.absent_at is not None and entry.absent_at > now:
        entry = context.ledger.found(entry.label)
    entry = context.ledger.miss(entry.label, now)
    used = entry.state in ("held", "handed", "working")
    left_s = (GONE_S if used else ABSENCE_S) - (now - (entry.absent_at or now))
    if not used and entry.state != "releasing":
        left_s = max(left_s, entry.intended_at + SETTLES_WITHIN_S - now)
    if left_s > 0.0:
        action: Action = "waiting" if known is None else "missing"
        return Finding(
            entry.label, action, known, f"{reason}; sure in {max(left_s, 1.0):.0f} s"
        )
    reason = "the market shows it no more"
    closed: State = "gone" if used else "refused"
    if entry.state == "releasing":
        closed = "released"
    context.ledger.advance(entry.label, closed, now, reason)
    return Finding(entry.label, "closed", known, reason)


def _by_label(context: RentalContext, instance: Instance) -> Finding:
    """Judge a rental that this ledger does not tell of by its label alone."""
    label = read_label(instance.label)
    name, number = instance.label, instance.instance_id
    if label is None:
        name = read_text(name)  # whatever it is, it goes to a terminal
        return Finding(name, "elsewhere", number, "its label tells no end")
    try:
        if not context.is_over(label.ends_unix_s):
            return Finding(name, "elsewhere", number, "a launcher elsewhere has it")
        with shielded(f"ending instance {number}"):
            end_instance(context, name, number)
    except MarketError as error:
        return Finding(name, "failed", number, str(error))
    return Finding(name, "released", number, "its lifetime is over")
