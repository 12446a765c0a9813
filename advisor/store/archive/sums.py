"""What listing intervals show, summed up month by month.

An interval begins where the one before ends, so what a month leaves open is known from
its intervals alone: lifetimes whose last interval ends after the next month began, and
periods that reach into it. These are kept; the rest is counted. Sums that were stored
(`advisor.store.archive.stored_sums`) are added to what was counted here.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple, TypedDict

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
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


class Spans(NamedTuple):
    """When each of some listings was first and last seen, seconds since 1970."""

    listing: IntArray
    first_at: IntArray
    last_at: IntArray


def spans_of(intervals: ListingIntervals) -> Spans:
    """Return when listings were seen, from intervals in order (see `in_order`)."""
    heads = _heads(intervals.listing)
    last_at = np.maximum.reduceat(intervals.last_at, heads)
    return Spans(intervals.listing[heads], intervals.first_at[heads], last_at)


def in_order(intervals: ListingIntervals) -> ListingIntervals:
    """Sort intervals by listing and time; quick where those of a listing are in order."""
    if not len(intervals):
        return intervals
    heads = _heads(intervals.listing)
    order = np.lexsort((intervals.first_at[heads], intervals.listing[heads]))
    length = np.diff(heads, append=len(intervals))[order]
    shift = heads[order] - (np.cumsum(length) - length)
    placed = intervals.take(np.repeat(shift, length) + np.arange(len(intervals)))
    back = placed.first_at[1:] < placed.first_at[:-1]
    # One that the beginning of what is asked for made empty is before the next.
    back |= (placed.first_at[1:] == placed.first_at[:-1]) & (
        placed.last_at[1:] < placed.last_at[:-1]
    )
    if (back & (placed.listing[1:] == placed.listing[:-1])).any():
        keys = (intervals.last_at, intervals.first_at, intervals.listing)
        placed = intervals.take(np.lexsort(keys))
    return placed


def _heads(listing: IntArray) -> IntArray:
    """Return where another listing begins than the one before."""
    return np.flatnonzero(np.append(True, listing[1:] != listing[:-1])[: len(listing)])


class Paid(TypedDict):
    """How long prices were seen.

    Attributes
    ----------
    bucket : period, shape (R,); see `advisor.store.market_statistics.bucket_grid`
    usd, bid : $/h per GPU on demand and as least bid, NaN where unknown, shape (R,)
    seconds : that these were seen in the period, shape (R,)
    """

    bucket: IntArray
    usd: FloatArray
    bid: FloatArray
    seconds: IntArray


class Shown(TypedDict):
    """How many listings periods show; may have a period more than once.

    Attributes
    ----------
    bucket : period, shape (R,)
    listings : that were seen in it, shape (R,)
    """

    bucket: IntArray
    listings: IntArray


def periods(intervals: ListingIntervals, by: Bucket) -> tuple[Paid, Shown]:
    """Return the prices and listings of periods, from intervals in order."""
    row, bucket, seconds = spread(intervals, by)
    gpus, listing = intervals.num_gpus[row], intervals.listing[row]
    paid = Paid(
        bucket=bucket,
        usd=intervals.dph_base[row] / gpus,
        bid=intervals.min_bid[row] / gpus,
        seconds=seconds,
    )
    new = np.append(True, (listing[1:] != listing[:-1]) | (bucket[1:] != bucket[:-1]))[
        : len(listing)
    ]
    seen, listings = np.unique(bucket[new], return_counts=True)
    return paid, Shown(bucket=seen, listings=listings)


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
        intervals = in_order(intervals)
        first, last = intervals.lifetimes()
        # The next interval of a lifetime would begin where its last one ends.
        goes_on = ~intervals.gone[last] & (intervals.last_at[last] >= following)
        goes_on[:-1] &= intervals.listing[first[1:]] != intervals.listing[last[:-1]]
        if goes_on.any():
            rows = np.repeat(goes_on, last - first + 1)
            self._open[lot], intervals = intervals.take(rows), intervals.take(~rows)
        seconds, ended = observed_lifetimes(intervals)
        alike, number = np.unique(2 * seconds + ended, return_counts=True)
        self._count(alike, number)
        self._bids = _sum(self._bids, count_bids(intervals))

    def add_counted(
        self, seconds: IntArray, ended: BoolArray, number: IntArray, bids: BidCounts
    ) -> None:
        """Add lifetimes that are over and were counted before.

        Parameters
        ----------
        seconds, ended, number : see `market_statistics.estimated_lifetimes`
        """
        self._count(2 * seconds + ended, number)
        self._bids = _sum(self._bids, bids)

    def _count(self, lasted: IntArray, number: IntArray) -> None:
        keys = np.concatenate([self._lasted, lasted])
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

    What is added for a month is of listings that nothing else of it is of.

    Parameters
    ----------
    by : period
    """

    def __init__(self, by: Bucket) -> None:
        self._by: Bucket = by
        self._parts: dict[int, list[_Part]] = defaultdict(list)
        self._listings: dict[int, int] = defaultdict(int)
        # Listings of months before that the next may show in the same period again.
        self._before = Spans(*np.zeros((3, 0), dtype=np.int64))
        self._month = list[Spans]()
        self._done = list[PriceBucket]()

    def add(self, intervals: ListingIntervals) -> None:
        """Add intervals in order, none of which begins in a period that is finished."""
        if not len(intervals):
            return
        paid, shown = periods(intervals, self._by)
        self.add_prices(**paid)
        self.add_listings(**shown, spans=spans_of(intervals))

    def add_prices(
        self, bucket: IntArray, usd: FloatArray, bid: FloatArray, seconds: IntArray
    ) -> None:
        """Add how long prices were seen in periods; see `periods`."""
        if not len(bucket):
            return
        numbers = bucket - bucket.min()
        if numbers.max() < 2**16:
            numbers = numbers.astype(np.uint16)  # sorted by their digits: much faster
        order = np.argsort(numbers, kind="stable")
        bucket, seconds = bucket[order], seconds[order]
        usd, bid = usd[order], bid[order]
        for begin, end in pairwise([*_heads(bucket).tolist(), len(bucket)]):
            of = slice(begin, end)
            self._parts[int(bucket[begin])].append((usd[of], bid[of], seconds[of]))

    def add_listings(self, bucket: IntArray, listings: IntArray, spans: Spans) -> None:
        """Add how many listings periods show, and when each was seen in the month."""
        for number, count in zip(bucket.tolist(), listings.tolist(), strict=True):
            self._listings[number] += count
        _, now, before = np.intersect1d(
            spans.listing,
            self._before.listing,
            assume_unique=True,
            return_indices=True,
        )
        width, origin = bucket_grid(self._by)
        first = (spans.first_at[now] - origin) // width
        last = (self._before.last_at[before] - origin) // width
        for number in first[first <= last].tolist():
            self._listings[number] -= 1  # a month before has counted it there
        self._month.append(spans)

    def finish(self, following: int) -> None:
        """End a month; sum up the periods that end before the next.

        Parameters
        ----------
        following : its beginning, seconds since 1970
        """
        width, origin = bucket_grid(self._by)
        for bucket in sorted(self._parts):
            if (bucket + 1) * width + origin > following:
                break
            on_demand, bid, seconds = map(
                np.concatenate, zip(*self._parts.pop(bucket), strict=True)
            )
            listings = self._listings.pop(bucket)
            self._done.append(
                price_bucket(self._by, bucket, listings, (on_demand, bid), seconds)
            )
        self._before = self._going_on(following)
        self._month = []

    def _going_on(self, following: int) -> Spans:
        """Return the listings that were seen in the period in which a month begins."""
        width, origin = bucket_grid(self._by)
        begin = (following - origin) // width * width + origin
        parts = [
            Spans(*(column[spans.last_at >= begin] for column in spans))
            for spans in (self._before, *self._month)
        ]
        listing, first_at, last_at = map(np.concatenate, zip(*parts, strict=True))
        order = np.lexsort((last_at, listing))
        latest = np.append(listing[order][1:] != listing[order][:-1], True)[: len(order)]
        return Spans(*(one[order][latest] for one in (listing, first_at, last_at)))

    def result(self) -> list[PriceBucket]:
        """Return all periods that are finished, in their order."""
        return self._done


_Part = tuple[FloatArray, FloatArray, IntArray]
"""Of a period: $/h per GPU on demand and as least bid, seconds."""


def _sum(one: BidCounts, other: BidCounts) -> BidCounts:
    return BidCounts(*map(np.add, one, other))
