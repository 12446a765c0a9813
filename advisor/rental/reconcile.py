"""The ledger is compared with the market, and what a crash left is put in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from advisor.errors import MarketError, RentalStateUnknownError
from advisor.market.lifecycle import Instance
from advisor.rental.desk import Desk
from advisor.rental.labels import PREFIX, read_label
from advisor.rental.release import end_instance, finish_release
from advisor.store.ledger import Entry

ABSENCE_S = 60.0
"""Seconds between two whole listings that must both lack a rental whose outcome nobody
knows, before it counts as never made."""

Action = Literal[
    "kept", "busy", "waiting", "missing", "closed", "released", "failed", "elsewhere"
]


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one rental.

    Attributes
    ----------
    label : of the rental
    action : *kept*: it runs as it should; *busy*: its launcher works on it; *waiting*:
        its outcome is unknown until a later listing; *missing*: a known one that the
        market does not show, until a later look; *closed*: it is not there;
        *released*: it was ended now; *failed*: it could not be ended; *elsewhere*: a
        launcher with another ledger has it
    instance_id : the market's id, None where there is none
    reason : for people
    """

    label: str
    action: Action
    instance_id: int | None
    reason: str


def reconcile(desk: Desk) -> list[Finding]:
    """Compare the ledger with the market; end what nobody has any use for.

    Ended are: rentals whose launcher died before it handed them over, rentals past
    their end, whoever made them, rentals that were being released, and what appears on
    the market after it was given up. What the user has is kept.

    Raises
    ------
    advisor.errors.MarketError
        if the market does not list the account's rentals as a whole
    """
    listed: dict[str, list[Instance]] = {}
    for instance in desk.market.instances(PREFIX):
        listed.setdefault(instance.label, []).append(instance)
    findings: list[Finding] = []
    entries = desk.ledger.entries(desk.account)
    for entry in entries:
        if entry.is_open or entry.label in listed:
            findings += _settle(desk, entry.label, listed.get(entry.label, []))
    ours = {entry.label for entry in entries}
    for label, instances in listed.items():
        if label not in ours:
            findings += [_elsewhere(desk, instance) for instance in instances]
    return findings


def settle_unknown(desk: Desk, entry: Entry) -> Entry:
    """Find out, by two listings, what became of a request whose outcome nobody knows.

    The caller is the launcher of it and has its lock.

    Returns
    -------
    the entry, ``"held"`` if there is an instance, else ``"refused"``

    Raises
    ------
    RentalStateUnknownError
        if the market cannot be listed: nothing else may be rented for this
    """
    try:
        for pause in (0.0, ABSENCE_S):
            desk.sleep(pause)
            found = [i for i in desk.market.instances(PREFIX) if i.label == entry.label]
            if found:
                return _adopt(desk, entry.label, found)
    except MarketError as error:
        message = (
            f"nobody knows whether {entry.label} was rented: {error}; run "
            "'advisor reconcile' before you rent again"
        )
        raise RentalStateUnknownError(message) from error
    return desk.ledger.advance(
        entry.label, "refused", desk.now(), "two listings do not show it"
    )


def unsettled(findings: Sequence[Finding]) -> RentalStateUnknownError | None:
    """Return the error of findings that leave a rental's outcome open, if any does."""
    open_ones = [one for one in findings if one.action in ("waiting", "failed")]
    if not open_ones:
        return None
    told = "; ".join(f"{one.label}: {one.reason}" for one in open_ones)
    message = f"{told}; run 'advisor reconcile' in {ABSENCE_S:.0f} s"
    return RentalStateUnknownError(message)


def _settle(desk: Desk, label: str, instances: list[Instance]) -> Iterator[Finding]:
    """Settle one rental of the ledger."""
    with desk.work_on(label) as alone:
        if not alone:
            known = instances[0].instance_id if instances else None
            yield Finding(label, "busy", known, "its launcher works on it")
            return
        entry = desk.ledger.entry(label)  # as it is now that nobody else has it
        try:
            if not instances and entry.instance_id is not None:
                instances = _looked_at(desk, entry, entry.instance_id)
            if instances:
                yield from _settle_found(desk, entry, instances)
            elif entry.is_open:
                yield _settle_absent(desk, entry)
        except (MarketError, RentalStateUnknownError) as error:
            yield Finding(label, "failed", entry.instance_id, str(error))


def _settle_found(
    desk: Desk, entry: Entry, instances: list[Instance]
) -> Iterator[Finding]:
    """Settle a rental that the market shows."""
    ids = [instance.instance_id for instance in instances]
    known = entry.instance_id if entry.instance_id in ids else min(ids)
    for extra in ids:
        if extra != known:  # one request, two contracts
            end_instance(desk, entry.label, extra)
            yield Finding(entry.label, "released", extra, "a second one of one request")
    if entry.absent_at is not None:
        entry = desk.ledger.found(entry.label)
    if entry.state == "handed" and desk.now() < entry.ends_at:
        yield Finding(entry.label, "kept", known, "it runs for you")
        return
    reason = {
        "handed": "its lifetime is over",
        "releasing": entry.reason,
        "released": "it appeared after it was gone",
        "refused": "it appeared after it was given up",
    }.get(entry.state, "its launcher died before it handed it over")
    desk.ledger.advance(entry.label, "releasing", desk.now(), reason, instance_id=known)
    finish_release(desk, entry.label, known, reason)
    yield Finding(entry.label, "released", known, reason)


def _looked_at(desk: Desk, entry: Entry, instance_id: int) -> list[Instance]:
    """Return the instance of a rental if the market shows it, though in no list."""
    found = desk.market.instance(instance_id)
    return [] if found is None or found.label not in ("", entry.label) else [found]


def _settle_absent(desk: Desk, entry: Entry) -> Finding:
    """Settle an open rental that the market does not show: that takes two looks."""
    now = desk.now()
    entry = desk.ledger.miss(entry.label, now)
    since = now - (entry.absent_at or now)
    known = entry.instance_id
    if since < ABSENCE_S:
        reason = f"the market does not show it; sure in {ABSENCE_S - since:.0f} s"
        action: Action = "waiting" if known is None else "missing"
        return Finding(entry.label, action, known, reason)
    reason = "the market shows it no more"
    if known is None:
        desk.ledger.advance(entry.label, "refused", now, reason)
    else:
        desk.ledger.advance(entry.label, "releasing", now, reason)
        desk.ledger.advance(entry.label, "released", now, reason)
    return Finding(entry.label, "closed", known, reason)


def _adopt(desk: Desk, label: str, found: list[Instance]) -> Entry:
    """Take the instance of a request that the launcher had lost sight of."""
    first, *extra = sorted(found, key=lambda instance: instance.instance_id)
    for instance in extra:
        end_instance(desk, label, instance.instance_id)
    return desk.ledger.advance(
        label,
        "held",
        desk.now(),
        "found by its label",
        instance_id=first.instance_id,
    )


def _elsewhere(desk: Desk, instance: Instance) -> Finding:
    """Judge a rental that this ledger knows nothing of by its label alone."""
    label = read_label(instance.label)
    name, number = instance.label, instance.instance_id
    if label is None:
        return Finding(name, "elsewhere", number, "its label tells no end")
    if desk.now() < label.ends_unix_s:
        return Finding(name, "elsewhere", number, "a launcher elsewhere has it")
    try:
        end_instance(desk, name, number)
    except MarketError as error:
        return Finding(name, "failed", number, str(error))
    return Finding(name, "released", number, "its lifetime is over")
