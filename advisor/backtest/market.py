"""A market whose prices over time are known, and what a job meets on its listings."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.base.columns import Columns
from advisor.cost.terms import Terms
from advisor.market.offers import Offers
from advisor.ranking.ranking import Ranking
from advisor.store.listing_intervals import ListingIntervals
from advisor.throughput.spread import Z90

_SPAN = 1 << 33
"""Seconds; no moment since 1970 is as late."""

_EQUAL = 1.0 + 1e-9
"""A bid of just the least one runs, however either was rounded."""


@dataclass(frozen=True, slots=True)
class Listings(Columns):
    """What one job meets on each of K listings, whatever they cost at the time.

    Attributes
    ----------
    offers : what the market says of them; their prices are of no moment of the play
    terms : prices of disk and traffic, sizes, hours
    training_h, training_h_low, training_h_high : of the whole job with nothing going
        wrong, and its 90 % interval, h, shape (K,)
    failures_per_h : of the machine, in the middle of the prior, shape (K,)
    """

    offers: Offers
    terms: Terms
    training_h: FloatArray
    training_h_low: FloatArray
    training_h_high: FloatArray
    failures_per_h: FloatArray

    @classmethod
    def of(cls, ranking: Ranking) -> Self:
        """Return all offers of a ranking on demand, in the order of its arrays."""
        bill, epochs = ranking.bill, ranking.job.epochs
        return cls(
            ranking.offers,
            bill.terms,
            bill.epoch_hours * epochs,
            bill.epoch_hours_low * epochs,
            bill.epoch_hours_high * epochs,
            bill.failures_per_h,
        )

    def __len__(self) -> int:
        return len(self.training_h)

    def hours_at(self, error: float) -> FloatArray:
        """Return the training hours at an error of the prediction, shape (K,).

        Parameters
        ----------
        error : in standard deviations of the logarithm, above 0 where it takes longer;
            the same on all listings, since what the prediction does not know is mostly
            of the job (assumption)
        """
        end = self.training_h_high if error > 0.0 else self.training_h_low
        hours: FloatArray = self.training_h * (end / self.training_h) ** (
            abs(error) / Z90
        )
        return hours

    def at_prices(self, usd_per_h: FloatArray, min_bid: FloatArray) -> Self:
        """Return them at the prices of a moment, shape (K,) each, $/h."""
        return replace(
            self,
            offers=replace(self.offers, dph_base=usd_per_h, min_bid=min_bid),
            terms=replace(self.terms, gpu_usd_per_h=usd_per_h),
        )


@dataclass(frozen=True, slots=True)
class PlayedMarket:
    """K listings, and what each cost as long as it was there.

    Attributes
    ----------
    listings : what the job meets on them
    intervals : their prices, `listing` being a position among them
    stretches : beginning and end of the times in which all of the market is known,
        seconds since 1970
    keys : of the intervals, rising: by listing, and then by time, shape (S,)
    """

    listings: Listings
    intervals: ListingIntervals
    stretches: tuple[tuple[int, int], ...]
    keys: IntArray

    @classmethod
    def of(
        cls,
        listings: Listings,
        intervals: ListingIntervals,
        stretches: tuple[tuple[int, int], ...],
    ) -> Self:
        """Prepare a market, whose intervals are in the order of listing and time."""
        keys = intervals.listing * _SPAN + intervals.first_at
        return cls(listings, intervals, stretches, keys)

    def there(self, at_s: int) -> tuple[IntArray, Listings]:
        """Return which listings are for rent at a moment, and what they are then.

        Returns
        -------
        positions : among all listings, shape (N,)
        listings : these, at the prices of the moment; a price is NaN where unknown
        """
        every = np.arange(len(self.listings))
        rows = np.searchsorted(self.keys, every * _SPAN + at_s, side="right") - 1
        known = self.intervals
        there = (
            (rows >= 0) & (known.listing[rows] == every) & (known.last_at[rows] > at_s)
        )
        rows = rows[there]
        found = self.listings.take(there)
        return every[there], found.at_prices(known.dph_base[rows], known.min_bid[rows])

    def lost_at(self, listing: int, bid: float, at_s: int) -> float:
        """Return when a bid that begins at a moment loses its GPUs.

        That is when the least bid rises above it, or the listing goes: at once where it
        does not run at that moment, and at the latest when the record ends.
        """
        first, last, runs = self._of(listing, bid)
        begin = int(np.searchsorted(first, at_s, side="right")) - 1
        if begin < 0 or not runs[begin] or last[begin] <= at_s:
            return at_s
        goes_on = runs[begin + 1 :] & (first[begin + 1 :] == last[begin:-1])
        stays = int(np.argmin(np.append(goes_on, False)))
        return float(last[begin + stays])

    def back_at(self, listing: int, bid: float, at_s: int) -> float:
        """Return when a bid that lost runs again; infinite where it never does."""
        first, last, runs = self._of(listing, bid)
        again = np.flatnonzero(runs & (last > at_s))
        return max(float(first[again[0]]), at_s) if len(again) else math.inf

    def _of(self, listing: int, bid: float) -> tuple[IntArray, IntArray, BoolArray]:
        """Return the beginnings and ends of a listing's intervals, and where bids run."""
        begin, end = np.searchsorted(self.intervals.listing, [listing, listing + 1])
        known = self.intervals
        runs: BoolArray = known.min_bid[begin:end] <= bid * _EQUAL
        return known.first_at[begin:end], known.last_at[begin:end], runs
