"""Contracts that nobody meant to make, found by their labels, are ended.

A request that rents is sent once, and yet it may be carried out twice (HTTP lets a
gateway repeat a PUT), or long after its connection broke. Whoever looks at the market's
list, for whatever reason, ends what such a request has left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from advisor.base.background import repeated
from advisor.base.errors import AdvisorError
from advisor.base.interrupts import shielded
from advisor.market.lifecycle import Instance
from advisor.rental.context import RentalContext
from advisor.rental.ordering import SETTLES_WITHIN_S
from advisor.rental.release import end_instance
from advisor.store.ledger import Entry

LOOK_EVERY_S = 30.0
"""Seconds between two looks of who waits for a machine, or works on it; an assumption."""

GIVEN_UP = frozenset({"refused", "released"})
"""States in which nothing of a label should be on the market."""


def end_strays(context: RentalContext) -> None:
    """End what the market lists under labels of the ledger and should not be there.

    That is what was given up, and a second contract of one request. What cannot be looked
    at, or ended, is told: the next look is soon, and `reconcile` tries again.
    """
    try:
        listed = context.listed()
        for label, number, why in strays(context.ledger.entries(context.account), listed):
            context.notify(f"instance {number}: {why}; it is ended")
            with shielded(f"ending instance {number}"):
                end_instance(context, label, number)
    except AdvisorError as error:
        context.notify(str(error))


def strays_watched(context: RentalContext) -> AbstractContextManager[None]:
    """End strays while a block runs that does not look itself, as long as some may come.

    That is as long as a request may take to have an effect.
    """
    started_at = context.clock.monotonic()

    def look() -> bool:
        end_strays(context)
        return context.clock.monotonic() - started_at < SETTLES_WITHIN_S

    return repeated("strays", look, LOOK_EVERY_S)


def strays(
    entries: Sequence[Entry], listed: Mapping[str, Sequence[Instance]]
) -> Iterator[tuple[str, int, str]]:
    """Yield label, instance and reason of what should not be there.

    A label whose launcher has not yet said which instance is its own is left to that.
    """
    for entry in entries:
        for instance in listed.get(entry.label, ()):
            if entry.state in GIVEN_UP:
                yield entry.label, instance.instance_id, "it was given up"
            elif entry.instance_id not in (None, instance.instance_id):
                yield entry.label, instance.instance_id, "a second one of one request"
