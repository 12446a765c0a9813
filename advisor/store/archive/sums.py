"""What listing intervals show, summed up month by month.

An interval begins where the one before ends, so what a month leaves open is known from
its intervals alone: lifetimes whose last interval ends after the next month began, and
periods that reach into it. These are kept; the rest is counted.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from itertools import pairwise

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.base.columns import concat
from advisor.store.listing_intervals import ListingIntervals
from advisor.store.market_statistics import (
    BID_RATIOS,
    BidCounts,
    BidSurvival,
    Bucket,
    Lifetimes,
    PriceBucket,
    bucket_grid,
    count_bids,
    estimated_lifetimes,
    observed_lifetimes,
    price_bucket,
    spread,
    survival_of,
)

NEVER = sys.maxsize
"""Beginning of the month after the last."""


class LifetimeSums:
    """Lifetimes and bids of lots of GPUs.

    A lot's intervals come month by month; its listings are in no other lot.
    """

    def __init__(self) -> None:
        self._open: dict[int, ListingIntervals] = {}
        # Twice the seconds of lifetimes, and one if the end was seen; how many are alike.
        self._lasted = np.zeros(0, dtype=np.int64)
        self._alike = np.zeros(0, dtype=np.int64)
        self._bids = BidCounts(*np.zeros((3, len(BID_RATIOS))))

    def add(self, lot: int, intervals: ListingIntervals, following: int) -> None:
        """Count the lifetimes that are over.

        Parameters
        ----------
        intervals : of a lot that begin in a month, in any order
        following : beginning of the next month that the archive has, seconds since 1970
        """
        if lot in self._open:
            intervals = concat([self._open.pop(lot), intervals])
        if not len(intervals):
            return
        intervals = _in_order(intervals)
        first, last = intervals.lifetimes()
        # The next interval of a lifetime would begin where its last one ends.
        goes_on = ~intervals.gone[last] & (intervals.last_at[last] >= following)
        goes_on[:-1] &= intervals.listing[first[1:]] != intervals.listing[last[:-1]]
        if goes_on.any():
            rows = np.repeat(goes_on, last - first + 1)
            self._open[lot], intervals = intervals.take(rows), intervals.take(~rows)
        self._bids = _sum(self._bids, count_bids(intervals))
        seconds, ended = observed_lifetimes(intervals)
        self._count(2 * seconds + ended)

    def _count(self, lasted: IntArray) -> None:
        alike, number = np.unique(lasted, return_counts=True)
        keys = np.concatenate([self._lasted, alike])
        self._lasted, which = np.unique(keys, return_inverse=True)
        together = np.zeros(len(self._lasted), dtype=np.int64)
        np.add.at(together, which, np.concatenate([self._alike, number]))
        self._alike = together

    def result(self) -> tuple[Lifetimes, BidSurvival]:
        """Return what all lots show together."""
        seconds, ended = self._lasted // 2, self._lasted % 2 == 1
        lifetimes = estimated_lifetimes(seconds, ended, self._alike)
        return lifetimes, survival_of(self._bids)


class PriceSums:
    """Prices of periods; see `advisor.store.market_statistics.price_buckets`.

    Parameters
    ----------
    by : period
    """

    def __init__(self, by: Bucket) -> None:
        self._by: Bucket = by
        self._parts: dict[int, list[_Part]] = defaultdict(list)
        self._done = list[PriceBucket]()

    def add(self, intervals: ListingIntervals) -> None:
        """Add intervals, none of which begins in a period that is finished."""
        if not len(intervals):
            return
        row, bucket, seconds = spread(intervals, self._by)
        numbers = bucket - bucket.min()
        if numbers.max() < 2**16:
            numbers = numbers.astype(np.uint16)  # sorted by their digits: much faster
        order = np.argsort(numbers, kind="stable")
        row, bucket, seconds = row[order], bucket[order], seconds[order]
        gpus, listing = intervals.num_gpus[row], intervals.listing[row]
        price, bid = intervals.dph_base[row] / gpus, intervals.min_bid[row] / gpus
        edges = [0, *(np.flatnonzero(np.diff(bucket)) + 1).tolist(), len(bucket)]
        for begin, end in pairwise(edges):
            of = slice(begin, end)
            part = (_once(listing[of]), price[of], bid[of], seconds[of])
            self._parts[int(bucket[begin])].append(part)

    def finish(self, following: int) -> None:
        """Sum up the periods that end before a time, seconds since 1970."""
        width, origin = bucket_grid(self._by)
        for bucket in sorted(self._parts):
            if (bucket + 1) * width + origin > following:
                break
            listing, price, bid, seconds = map(
                np.concatenate, zip(*self._parts.pop(bucket), strict=True)
            )
            self._done.append(
                price_bucket(self._by, bucket, listing, (price, bid), seconds)
            )

    def result(self) -> list[PriceBucket]:
        """Return all periods that are finished, in their order."""
        return self._done


_Part = tuple[IntArray, FloatArray, FloatArray, IntArray]
"""Of a period and a lot: listings, $/h per GPU on demand and as least bid, seconds."""


def _in_order(intervals: ListingIntervals) -> ListingIntervals:
    """Sort intervals by listing and time; quick where parts of them are in order."""
    order = np.argsort(intervals.listing, kind="stable")
    placed = intervals.take(order)
    back = placed.first_at[1:] < placed.first_at[:-1]
    # One that the beginning of what is asked for made empty is before the next.
    back |= (placed.first_at[1:] == placed.first_at[:-1]) & (
        placed.last_at[1:] < placed.last_at[:-1]
    )
    if (back & (placed.listing[1:] == placed.listing[:-1])).any():
        keys = (intervals.last_at, intervals.first_at, intervals.listing)
        placed = intervals.take(np.lexsort(keys))
    return placed


def _once(listing: IntArray) -> IntArray:
    """Drop repetitions that stand together."""
    new = np.ones(len(listing), dtype=bool)
    np.not_equal(listing[1:], listing[:-1], out=new[1:])
    return listing[new]


def _sum(one: BidCounts, other: BidCounts) -> BidCounts:
    return BidCounts(*map(np.add, one, other))
