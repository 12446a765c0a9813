"""Offers as searches show them, cached from one search to the next.

Between two searches of one kind and disk almost nothing changes of an offer but the
seconds that it still stands: its other figures, and the JSON that they are sent as, are
made once.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from advisor.market.offers import HOURS_PER_MONTH
from advisor.market.types import Record
from advisor.simulator.box import Box

_DOWNLOAD_GB = 1.25
"""GB of download in `dph_total_adj` (published offers; `advisor.simulator.generate`)."""

_MOST_CACHED = 60_000
"""Offers cached, of all ways to ask together: about 10 KB each."""

_DURATION = "duration"
_MARK = "\x00"
_MARK_IN_JSON = json.dumps(_MARK)

Asked = tuple[str, float]
"""What a search asks for: the kind of rental, and GB of disk."""


class Shown(dict[str, Any]):
    """One offer as searches of one kind and disk show it.

    All of it stays as it was first, but for the duration, which is that of the last
    search.
    """

    __slots__ = ("_around",)

    def __init__(self, record: Record) -> None:
        super().__init__(record)
        self._around: tuple[str, str] | None = None

    def json(self) -> str:
        """Return the offer as JSON."""
        if self._around is None:
            text = json.dumps({**self, _DURATION: _MARK}, separators=(",", ":"))
            before, _, after = text.partition(_MARK_IN_JSON)
            self._around = before, after
        before, after = self._around
        return f"{before}{json.dumps(self[_DURATION])}{after}"


class OfferCache:
    """The offers of machines, priced for the ways in which they were searched."""

    def __init__(self) -> None:
        self._cached: OrderedDict[
            Asked, dict[int, tuple[Sequence[Record], list[Shown]]]
        ] = OrderedDict()

    def of(self, box: Box, asked: Asked, now: float) -> list[Shown]:
        """Return the offers of a machine, priced as asked, as they are now."""
        cached = self._cached.setdefault(asked, {})
        records = box.records()
        known = cached.get(box.machine.machine_id)
        # A machine that changes is listed anew: its records are other ones.
        if known is None or known[0] is not records:
            shown = [_shown(record, *asked, now) for record in records]
            cached[box.machine.machine_id] = records, shown
            return shown
        for one in known[1]:
            one[_DURATION] = _duration(one, now)
        return known[1]

    def used(self, asked: Asked) -> None:
        """Drop what was asked for longest ago, where there is too much."""
        self._cached.move_to_end(asked)
        while len(self._cached) > 1 and self._size() > _MOST_CACHED:
            self._cached.popitem(last=False)

    def _size(self) -> int:
        """Return how many machines are cached, each for every way to ask."""
        return sum(map(len, self._cached.values()))


def priced_offer(
    record: dict[str, Any], kind: str, disk_gb: float, now: float
) -> dict[str, Any]:
    """Return an offer with the price of a disk in it; a bid's is the least bid."""
    base = record["min_bid"] if kind == "bid" else record["dph_base"]
    disk = record["storage_cost"] * disk_gb / HOURS_PER_MONTH
    total = base + disk
    return {
        **record,
        "is_bid": kind == "bid",
        "dph_base": base,
        "dph_total": total,
        "discounted_dph_total": total,
        "dph_total_adj": total + _DOWNLOAD_GB * record["inet_down_cost"],
        "storage_total_cost": disk,
        "dlperf_per_dphtotal": record["dlperf"] / total,
        "flops_per_dphtotal": record["total_flops"] / total,
        _DURATION: _duration(record, now),
    }


def with_bills(record: Record) -> dict[str, Any]:
    """Return an offer whose two tables break the price down that it has."""
    disk, total = record["storage_total_cost"], record["dph_total"]
    running = {
        "diskHour": disk,
        "gpuCostPerHour": record["dph_base"],
        "totalHour": total,
        "discountedTotalPerHour": total,
    }
    stopped = {"gpuCostPerHour": 0, "totalHour": disk, "discountedTotalPerHour": disk}
    return {
        **record,
        "search": {**record["search"], **running},
        "instance": {**record["instance"], **running, **stopped},
    }


def _shown(record: dict[str, Any], kind: str, disk_gb: float, now: float) -> Shown:
    return Shown(with_bills(priced_offer(record, kind, disk_gb, now)))


def _duration(record: Record, now: float) -> float | None:
    end: float | None = record["end_date"]
    return None if end is None else end - now
