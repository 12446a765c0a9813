"""What the market shows of the account, beside the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from advisor.market.lifecycle import BROKEN_AT_BOOT, RUNNING, STARTING, Instance
from advisor.rental.context import RentalContext
from advisor.rental.labels import read_label
from advisor.store.ledger import Entry

_WITH_GPU = frozenset({RUNNING, "frozen"})
_DISK_ALONE = STARTING | BROKEN_AT_BOOT | {"stopped"}
"""Statuses in which the GPU bills, and in which it does not; the disk does in every one
(docs.vast.ai, November 2026)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The instances of an account at one moment.

    Attributes
    ----------
    account : address and account, as the ledger has them
    instances : all that the market lists
    """

    account: str
    instances: Sequence[Instance]

    def of(self, entry: Entry) -> Instance | None:
        """Return the instance of a rental, None if there is none or it is elsewhere.

        It is found by its label; by its id only where the user gave it another name.
        """
        if entry.market != self.account:
            return None
        for instance in self.instances:
            if instance.label == entry.label:
                return instance
        for instance in self.instances:
            renamed = read_label(instance.label) is None
            if renamed and instance.instance_id == entry.instance_id:
                return instance
        return None

    def besides(
        self, entries: Iterable[Entry]
    ) -> tuple[Sequence[Instance], Sequence[Instance]]:
        """Return the instances that a ledger knows nothing of.

        Returns
        -------
        those that advisor rented, from another computer, and those that it did not
        """
        known = {one.instance_id for one in map(self.of, entries) if one is not None}
        left = [one for one in self.instances if one.instance_id not in known]
        ours = [one for one in left if read_label(one.label) is not None]
        return ours, [one for one in left if read_label(one.label) is None]


def look_at(context: RentalContext) -> Seen:
    """Return what the market shows of the account.

    Raises
    ------
    advisor.base.errors.MarketError
        if the market does not list the account's instances as a whole
    """
    return Seen(context.account, tuple(context.market.instances()))


def billed_usd_per_hour(instance: Instance) -> float | None:
    """Return what an instance bills now, $/h; None where nobody can say.

    While it is stopped, outbid or being set up that is its disk alone.
    """
    if instance.status in _WITH_GPU:
        return instance.usd_per_hour
    return instance.storage_usd_per_hour if instance.status in _DISK_ALONE else None
