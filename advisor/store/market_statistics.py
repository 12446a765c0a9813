"""What recorded snapshots show: prices, how long offers last, bids that lose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple, get_args

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.base.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from advisor.store.followed_bids import FollowedBids
from advisor.store.listing_intervals import ListingIntervals

Bucket = Literal["hour", "day", "week"]
BUCKETS: tuple[Bucket, ...] = get_args(Bucket)
_SECONDS = {
    "hour": int(SECONDS_PER_HOUR),
    "day": int(SECONDS_PER_DAY),
    "week": int(7 * SECONDS_PER_DAY),
}
_MONDAY = 4 * int(
    SECONDS_PER_DAY
)  # 1970 began on a Thursday: weeks are counted from the Monday after

QUANTILES = (0.1, 0.5, 0.9)
LIFETIME_HOURS = (1.0, 6.0, 24.0, 168.0)
BID_RATIOS = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0)
"""Bids over the least bid of the moment whose fate is looked up."""

_ROUNDING = 1.0 + 1e-9
"""A bid of just the least one stands, however either was rounded."""


@dataclass(frozen=True, slots=True)
class PriceBucket:
    """Prices of one stretch of time.

    Attributes
    ----------
    start : its beginning (UTC)
    listings : that were seen in it
    usd_per_gpu_hour : quantiles 10, 50 and 90 % of $/h per GPU, without storage,
        weighted by the time that each price was seen; NaN where none was told
    bid_usd_per_gpu_hour : the same of the least bid
    """

    start: datetime
    listings: int
    usd_per_gpu_hour: tuple[float, ...]
    bid_usd_per_gpu_hour: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long listings stay in the market (Kaplan and Meier 1958).

    Only lifetimes whose beginning was seen count; one that the record does not see end is
    censored.

    Attributes
    ----------
    number, ends : lifetimes that were seen to begin, and to end
    median_h : hours that half of them outlive, NaN where fewer ended
    survival : share that outlives each of `LIFETIME_HOURS`, NaN beyond the record
    """

    number: int
    ends: int
    median_h: float
    survival: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BidSurvival:
    """What became of bids of `ratios` times the least bid, had they been made.

    A bid begins with each lifetime, and anew whenever the least bid is lower than it was
    when the bid began, since whoever bids then bids less. One that is outbid waits until
    the least bid is back; after `patience_h` it begins anew at the price of the moment,
    as a job moves on. So a least bid that rises and falls all day loses many bids.

    Attributes
    ----------
    ratios : bid over least bid, shape (M,)
    outbid : times that the least bid rose above a bid that stood, shape (M,)
    gone : times that the listing went (rented on demand, or withdrawn) while the bid
        stood, shape (M,)
    exposure_hours : hours that bids stood, those of a listing times its GPUs to the power
        that was asked for, shape (M,)
    """

    ratios: FloatArray
    outbid: FloatArray
    gone: FloatArray
    exposure_hours: FloatArray


@dataclass(frozen=True, slots=True)
class MarketHistory:
    """What a record shows of some GPUs in some time.

    Attributes
    ----------
    prices : of each period in which any was seen, in their order
    lifetimes : of the listings
    bids : that would have stood
    """

    prices: Sequence[PriceBucket]
    lifetimes: Lifetimes
    bids: BidSurvival


class BidCounts(NamedTuple):
    """What became of bids, as sums: those of two sets of listings add up.

    Attributes
    ----------
    outbid, gone, exposure_s : as in `BidSurvival`, but seconds, shape (M,)
    """

    outbid: FloatArray
    gone: FloatArray
    exposure_s: FloatArray


def market_history(intervals: ListingIntervals, by: Bucket) -> MarketHistory:
    """Return what intervals show, with prices by hour, day or week."""
    return MarketHistory(
        price_buckets(intervals, by), lifetimes(intervals), bid_survival(intervals)
    )


def bucket_grid(by: Bucket) -> tuple[int, int]:
    """Return the seconds of a period, and when one begins, in seconds since 1970."""
    return _SECONDS[by], _MONDAY if by == "week" else 0


class Spread(NamedTuple):
    """Intervals cut into periods, one row per interval and period that it touches.

    Attributes
    ----------
    row : interval, shape (R,)
    bucket : number of the period, shape (R,); see `bucket_grid`
    seconds : of the interval in the period, one at least, shape (R,)
    """

    row: IntArray
    bucket: IntArray
    seconds: IntArray


def spread(intervals: ListingIntervals, by: Bucket) -> Spread:
    """Cut intervals into the hours, days or weeks (UTC) that they touch."""
    width, origin = bucket_grid(by)
    first = (intervals.first_at - origin) // width
    last = (intervals.last_at - origin) // width
    count = last - first + 1
    row = np.repeat(np.arange(len(intervals)), count)
    before = np.repeat(np.cumsum(count) - count, count)
    bucket = first[row] + np.arange(len(row)) - before
    start = bucket * width + origin
    seconds = np.minimum(intervals.last_at[row], start + width)
    # A price that was seen at one instant alone counts as one second.
    seconds = np.maximum(seconds - np.maximum(intervals.first_at[row], start), 1)
    return Spread(row, bucket, seconds)


def price_bucket(
    by: Bucket,
    bucket: int,
    listings: int,
    prices: Sequence[FloatArray],
    seconds: IntArray,
) -> PriceBucket:
    """Return the prices of one period.

    Parameters
    ----------
    bucket : number of the period; see `bucket_grid`
    listings : that were seen in it
    prices : $/h per GPU on demand and as least bid, NaN where unknown, each shape (R,)
    seconds : that each price was seen, shape (R,)
    """
    width, origin = bucket_grid(by)
    on_demand, bid = (_quantiles(one, seconds) for one in prices)
    start = datetime.fromtimestamp(bucket * width + origin, UTC)
    return PriceBucket(start, listings, on_demand, bid)


def price_buckets(intervals: ListingIntervals, by: Bucket) -> list[PriceBucket]:
    """Return the prices of each hour, day or week (UTC) in which any was seen."""
    row, bucket, seconds = spread(intervals, by)
    prices = [
        column[row] / intervals.num_gpus[row]
        for column in (intervals.dph_base, intervals.min_bid)
    ]
    order = np.argsort(bucket, kind="stable")
    edges = np.flatnonzero(np.diff(bucket[order])) + 1
    return [
        price_bucket(
            by,
            int(bucket[rows[0]]),
            _distinct(intervals.listing[row[rows]]),
            [price[rows] for price in prices],
            seconds[rows],
        )
        for rows in np.split(order, edges)
        if len(rows)
    ]


def _distinct(listing: IntArray) -> int:
    """Return how many listings there are; much quicker than `numpy.unique` of many."""
    listing = np.sort(listing)
    return int((listing[1:] != listing[:-1]).sum()) + len(listing[:1])


def _quantiles(values: FloatArray, weights: IntArray) -> tuple[float, ...]:
    """Return the weighted quantiles of what is known, NaN if nothing is."""
    known = np.isfinite(values)
    if not known.any():
        return (float("nan"),) * len(QUANTILES)
    order = np.argsort(values[known])
    share = np.cumsum(weights[known][order])
    at = np.searchsorted(share, np.array(QUANTILES) * share[-1])
    return tuple(values[known][order][at].tolist())


def lifetimes(intervals: ListingIntervals) -> Lifetimes:
    """Estimate how long listings live."""
    seconds, ended = observed_lifetimes(intervals)
    return estimated_lifetimes(seconds, ended, np.ones_like(seconds))


def observed_lifetimes(intervals: ListingIntervals) -> tuple[IntArray, BoolArray]:
    """Return the seconds of each lifetime seen to begin, and whether it ended."""
    first, last = intervals.lifetimes()
    seen = intervals.born[first]
    first, last = first[seen], last[seen]
    return intervals.last_at[last] - intervals.first_at[first], intervals.gone[last]


def estimated_lifetimes(
    seconds: IntArray, ended: BoolArray, number: IntArray
) -> Lifetimes:
    """Estimate how long listings live from lifetimes that were seen to begin.

    Parameters
    ----------
    seconds : of R lifetimes, shape (R,)
    ended : whether the record saw their end, shape (R,)
    number : how many are alike, shape (R,)
    """
    hours = seconds / SECONDS_PER_HOUR
    times, survival = _kaplan_meier(hours, ended, number)
    below = np.flatnonzero(survival <= 0.5)
    return Lifetimes(
        number=int(number.sum()),
        ends=int(number[ended].sum()),
        median_h=float(times[below[0]]) if len(below) else float("nan"),
        survival=tuple(
            _at(times, survival, hour, float(hours.max(initial=0.0)))
            for hour in LIFETIME_HOURS
        ),
    )


def _kaplan_meier(
    hours: FloatArray, ended: BoolArray, number: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return the hours of the ends, rising, and the share that outlives each."""
    times, which = np.unique(hours[ended], return_inverse=True)
    ends = np.bincount(which, weights=number[ended], minlength=len(times))
    order = np.argsort(hours, kind="stable")
    shorter = np.concatenate([[0], np.cumsum(number[order])])
    at_risk = shorter[-1] - shorter[np.searchsorted(hours[order], times, side="left")]
    survival: FloatArray = np.cumprod(1.0 - ends / at_risk, dtype=np.float64)
    return times, survival


def _at(times: FloatArray, survival: FloatArray, hour: float, longest: float) -> float:
    if hour > longest:
        return float("nan")
    place = int(np.searchsorted(times, hour, side="right"))
    return float(survival[place - 1]) if place else 1.0


def bid_survival(
    intervals: ListingIntervals,
    ratios: Sequence[float] = BID_RATIOS,
    gpus_exponent: float = 0.0,
) -> BidSurvival:
    """Follow bids through the record, see `BidSurvival`.

    Parameters
    ----------
    gpus_exponent : losses grow as the GPUs of a listing to this power, so that its hours
        count for as many of one GPU; 0: hours of listings
    """
    return survival_of(count_bids(intervals, ratios, gpus_exponent), ratios)


def survival_of(counts: BidCounts, ratios: Sequence[float] = BID_RATIOS) -> BidSurvival:
    """Return what became of bids from the sums over all listings."""
    over = np.asarray(ratios, dtype=np.float64)
    hours = counts.exposure_s / SECONDS_PER_HOUR
    return BidSurvival(over, counts.outbid, counts.gone, hours)


def count_bids(
    intervals: ListingIntervals,
    ratios: Sequence[float] = BID_RATIOS,
    gpus_exponent: float = 0.0,
) -> BidCounts:
    """Follow bids through the lifetimes of listings, see `bid_survival`."""
    first, last = intervals.lifetimes()
    over = np.asarray(ratios, dtype=np.float64) * _ROUNDING
    if not len(first):
        return BidCounts(*np.zeros((3, len(over))))
    least = intervals.min_bid
    highest = np.maximum.reduceat(least, first)  # NaN where one was not told
    told = np.isfinite(highest)
    rises = highest > np.minimum.reduceat(least, first) * over.min()
    moved = _follow(
        intervals, first[told & rises], last[told & rises], over, gpus_exponent
    )
    # Most lifetimes never lose a bid, so that nothing is to be followed.
    first, last = first[told & ~rises], last[told & ~rises]
    weights = intervals.num_gpus[first] ** gpus_exponent
    exposure_s = weights @ (intervals.last_at[last] - intervals.first_at[first])
    return BidCounts(
        moved.outbid,
        moved.gone + intervals.gone[last].sum(),
        moved.exposure_s + exposure_s,
    )


def _follow(
    intervals: ListingIntervals,
    first: IntArray,
    last: IntArray,
    over: FloatArray,
    gpus_exponent: float,
) -> BidCounts:
    """Follow bids through lifetimes, from one interval to the next."""
    # The longest first, so that those with one more interval are always in front.
    order = np.argsort(first - last, kind="stable")
    first, last = first[order], last[order]
    length, least = last - first + 1, intervals.min_bid
    bids = FollowedBids(least[first], over, intervals.num_gpus[first] ** gpus_exponent)
    for step in range(int(length.max(initial=0))):
        at = first[: np.searchsorted(-length, -step)] + step
        bids.follow(least[at], intervals.last_at[at] - intervals.first_at[at])
    gone = (bids.stand & intervals.gone[last][:, None]).sum(axis=0).astype(np.float64)
    return BidCounts(bids.outbid, gone, bids.exposure_s)
