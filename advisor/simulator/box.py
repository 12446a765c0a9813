"""One machine of the simulated market: who holds its GPUs, and what it offers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from advisor.simulator.generate import Machine, list_offers, offered_sizes

OUTBID_STEP = 0.001
"""What the least bid lies above the bid that it must beat, $/h and GPU; our choice."""

_ROUNDING = 1 - 1e-9  # a bid for all GPUs is divided by their number


@dataclass(slots=True, eq=False)
class Holding:
    """GPUs of a machine that somebody holds.

    Attributes
    ----------
    gpu_ids : which
    bid_usd_per_gpu_hour : what it bids; None on demand, which nobody outbids
    instance_id : of an account here; None for another buyer
    """

    gpu_ids: tuple[int, ...]
    bid_usd_per_gpu_hour: float | None = None
    instance_id: int | None = None


@dataclass(slots=True, eq=False)
class Box:
    """A machine, its tenants and its offers.

    Offers are slices of the GPUs that an on-demand buyer can have: the free ones
    first, then those of bidders, who give way. Whenever these change the machine is
    listed again, under new ids.

    Attributes
    ----------
    machine : hardware, and the terms as they are now
    first : the terms at the start, about which prices move
    end_unix_s : when the owner takes it off the market; None where not said
    up : whether it works
    listed : whether it is offered
    network : share of the advertised bandwidth that it really has
    cpu_share : share of the advertised cores that it really gives to containers
    holders : GPU -> who holds it
    open_ids : the GPUs that are offered, in order
    offered : how many of them each offer has
    offer_ids : ids of the offers, as `offered`
    """

    machine: Machine
    first: Machine
    end_unix_s: float | None
    network: float
    cpu_share: float = 1.0
    up: bool = True
    listed: bool = True
    holders: dict[int, Holding] = field(default_factory=dict)
    open_ids: tuple[int, ...] = ()
    offered: tuple[int, ...] = ()
    offer_ids: range = range(0)
    _records: list[dict[str, Any]] | None = None

    def hold(self, holding: Holding) -> list[Holding]:
        """Give GPUs to a holding; return the bidders that had to give way."""
        evicted = {
            id(holder): holder
            for gpu_id in holding.gpu_ids
            if (holder := self.holders.get(gpu_id)) is not None
        }
        for holder in evicted.values():
            self.release(holder)
        for gpu_id in holding.gpu_ids:
            self.holders[gpu_id] = holding
        return list(evicted.values())

    def release(self, holding: Holding) -> None:
        """Free the GPUs that a holding has."""
        for gpu_id in holding.gpu_ids:
            if self.holders.get(gpu_id) is holding:
                del self.holders[gpu_id]

    def holds(self, holding: Holding) -> bool:
        """Return whether a holding still has its GPUs."""
        return self.holders.get(holding.gpu_ids[0]) is holding

    def obtainable(self, bid_usd_per_gpu_hour: float | None) -> tuple[int, ...]:
        """Return the GPUs to be had for a bid (None: on demand), free ones first."""
        if bid_usd_per_gpu_hour is None:
            return self._ranked(math.inf)
        if self.is_below_floor(bid_usd_per_gpu_hour):
            return ()
        return self._ranked(bid_usd_per_gpu_hour)

    def _ranked(self, below: float) -> tuple[int, ...]:
        """Return the GPUs that nobody holds for as much, the cheapest first."""
        prices = {gpu_id: self._bid_on(gpu_id) for gpu_id in self.machine.gpu_ids}
        ids = [gpu_id for gpu_id, price in prices.items() if price < below]
        return tuple(sorted(ids, key=lambda gpu_id: prices[gpu_id]))

    def _bid_on(self, gpu_id: int) -> float:
        """Return the bid that holds a GPU, $/h: 0 for a free one, infinite on demand."""
        holder = self.holders.get(gpu_id)
        if holder is None:
            return 0.0
        bid = holder.bid_usd_per_gpu_hour
        return math.inf if bid is None else bid

    def least_bid(self, gpu_ids: Sequence[int]) -> float:
        """Return the least bid that gets these GPUs, $/h and GPU."""
        highest = max(self._bid_on(gpu_id) for gpu_id in gpu_ids)
        floor = self.machine.bid_usd_per_gpu_hour
        return max(floor, highest + OUTBID_STEP) if 0 < highest < math.inf else floor

    def is_below_floor(self, bid_usd_per_gpu_hour: float) -> bool:
        """Say whether a bid is less than the owner wants, rounding aside."""
        return bid_usd_per_gpu_hour < self.machine.bid_usd_per_gpu_hour * _ROUNDING

    def sizes(self) -> tuple[int, ...]:
        """Return the GPU counts that are offered now."""
        if not (self.up and self.listed):
            return ()
        return offered_sizes(self.machine.least_gpus, len(self.open_ids))

    def relist(self, next_id: int) -> int:
        """List the machine as it is now; return the next offer id that is not taken.

        Offers of the same GPUs as before keep their ids.
        """
        before = self.open_ids
        self.open_ids = self.obtainable(None)
        self._records = None
        if self.open_ids == before and self.sizes() == self.offered:
            return next_id
        self.offered = self.sizes()
        self.offer_ids = range(next_id, next_id + len(self.offered))
        return self.offer_ids.stop

    def gpus_of(self, offer_id: int) -> tuple[int, ...]:
        """Return the GPUs of one of the offers."""
        return self.open_ids[: self.offered[self.offer_ids.index(offer_id)]]

    def record(self, offer_id: int, gpu_ids: tuple[int, ...]) -> dict[str, Any]:
        """Return an offer of these GPUs, with the terms as they are now."""
        return self._listed(gpu_ids, offer_id)[-1]

    def reprice(self, usd_per_gpu_hour: float, bid_usd_per_gpu_hour: float) -> None:
        """Change the price and the least bid; what is rented keeps its own."""
        self.machine = replace(
            self.machine,
            price_usd_per_gpu_hour=usd_per_gpu_hour,
            bid_usd_per_gpu_hour=bid_usd_per_gpu_hour,
        )
        self._records = None

    def records(self) -> list[dict[str, Any]]:
        """Return the offers as the market's JSON has them, the duration left out."""
        if self._records is None:
            ids = self.open_ids if self.sizes() else ()
            self._records = self._listed(ids, self.offer_ids.start)
        return self._records

    def _listed(self, gpu_ids: tuple[int, ...], first_id: int) -> list[dict[str, Any]]:
        timeless = replace(self.machine, duration_s=None)
        records = list_offers(timeless, gpu_ids, 0.0, first_id)
        for record in records:
            record["end_date"] = self.end_unix_s
            chosen = gpu_ids[: record["num_gpus"]]
            record["min_bid"] = len(chosen) * self.least_bid(chosen)
        return records
