"""What there is to rent at a moment, and which of it costs the rest of a job least.

The costs that machines are chosen by are those of `advisor.cost`, as everywhere else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from advisor.backtest.market import Listings, PlayedMarket
from advisor.base.arrays import FloatArray, IntArray
from advisor.cost.bids import best_bids, hazard_of
from advisor.cost.expected import (
    checkpoint_interval_h,
    checkpoint_segments,
    expected,
)
from advisor.cost.hazard import failure_prior
from advisor.cost.job import Job
from advisor.cost.leases import TrainingHours
from advisor.cost.terms import Terms

_MOST_TRIED = 64
"""Listings whose best bid is looked for: those of the least cost at `_USUAL_RATIO`. All
of a large market would take seconds at each moment."""

_USUAL_RATIO = 1.5
"""Bid over least bid, in the middle of those that are tried (assumption)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A machine to rent, and how.

    Attributes
    ----------
    listing : its position in the market
    usd_per_h : what is paid for its GPUs while it runs, $/h
    bid : the bid for them, $/h; NaN on demand
    segment_h : work between two checkpoints, h
    """

    listing: int
    usd_per_h: float
    bid: float
    segment_h: float

    @property
    def is_on_demand(self) -> bool:
        """Whether no bid can take its GPUs."""
        return math.isnan(self.bid)


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a job at a moment, as far as whoever rents knows.

    Attributes
    ----------
    at_s : the moment, whole seconds since 1970
    share : of the training, 0 to 1
    within_h : hours until the deadline, infinite without one
    error : of the predicted training time, in standard deviations of its logarithm; 0 as
        long as nothing of the job has run
    """

    at_s: int
    share: float
    within_h: float
    error: float


@dataclass(frozen=True, slots=True)
class Chooser:
    """Chooses among what a market shows.

    Attributes
    ----------
    market : where it rents
    job : what is trained, with the hazard of bids that is known by then
    """

    market: PlayedMarket
    job: Job

    def on_demand(self, left: Left, reserve_h: FloatArray | None = None) -> Choice | None:
        """Return the machine on demand of the least cost that ends the job in time.

        The fastest where none does, None where nothing is for rent.

        Parameters
        ----------
        reserve_h : hours to be kept before the deadline, of each listing, shape (K,);
            None: none
        """
        positions, found = self.market.there(left.at_s)
        (able,) = np.nonzero(np.isfinite(found.terms.gpu_usd_per_h))
        positions, found = positions[able], found.take(able)
        reserved = 0.0 if reserve_h is None else reserve_h[positions]
        return _least(positions, self._costed(found, left), left, reserved)

    def at_ratio(self, left: Left, ratio: float) -> Choice | None:
        """Return the machine of the least cost at a bid of so many times its least."""
        positions, found = self._biddable(left)
        bids = ratio * found.offers.min_bid
        return _least(positions, self._costed(found, left, bids), left)

    def advised(self, left: Left) -> Choice | None:
        """Return the machine of the least cost at the bid that is best on it.

        As everywhere, a bid is below the price on demand.
        """
        positions, found = self._biddable(left)
        below = found.offers.min_bid < found.terms.gpu_usd_per_h
        positions, found = positions[below], found.take(below)
        tried = self._tried(found, left)
        positions, found = positions[tried], found.take(tried)
        if not len(found):
            return None
        hours = TrainingHours.certain(found.hours_at(left.error) * left.share)
        # The record of the market says when a listing went: no end is planned for.
        terms = replace(_rest(found.terms, left), stands_h=np.full(len(found), math.inf))
        bids = best_bids(found.offers, terms, hours, found.failures_per_h, self.job)
        return _least(positions, self._costed(found, left, bids), left)

    def _biddable(self, left: Left) -> tuple[IntArray, Listings]:
        """Return the listings whose least bid is known, at the prices of the moment."""
        positions, found = self.market.there(left.at_s)
        (able,) = np.nonzero(found.offers.min_bid > 0.0)
        return positions[able], found.take(able)

    def _tried(self, found: Listings, left: Left) -> IntArray:
        """Return those among which the one of the best bid is looked for."""
        if len(found) <= _MOST_TRIED:
            return np.arange(len(found))
        costed = self._costed(found, left, _USUAL_RATIO * found.offers.min_bid)
        late = costed.wall_h > left.within_h
        return np.sort(np.lexsort((costed.usd, late))[:_MOST_TRIED])

    def _costed(
        self, found: Listings, left: Left, bids: FloatArray | None = None
    ) -> _Costed:
        """Return what the rest of the job is expected to cost on each listing.

        Parameters
        ----------
        bids : for the GPUs, $/h; None: rented on demand
        """
        assumed, terms = self.job.assumptions, _rest(found.terms, left)
        stops = failures = found.failures_per_h * failure_prior(assumed).mean
        losses: FloatArray | float = 0.0
        if bids is not None:
            hazard, terms = hazard_of(self.job), replace(terms, gpu_usd_per_h=bids)
            ratio = bids / found.offers.min_bid
            rate = hazard.per_hour(ratio, found.offers.num_gpus)
            losses = rate * hazard.prior.mean
            stops = failures + losses
        whole_h = found.hours_at(left.error)
        interval_h = checkpoint_interval_h(terms, stops)
        rest_h = whole_h * left.share
        breakdown = expected(
            terms,
            rest_h,
            checkpoint_segments(rest_h, interval_h),
            assumed,
            failures_per_h=failures,
            preemptions_per_h=losses,
        )
        segment_h = whole_h / checkpoint_segments(whole_h, interval_h)
        return _Costed(
            terms.gpu_usd_per_h, bids, breakdown.usd, breakdown.wall_h, segment_h
        )


class _Costed(NamedTuple):
    """The rest of a job on N listings: prices, and what is expected, shape (N,) each."""

    usd_per_h: FloatArray
    bids: FloatArray | None
    usd: FloatArray
    wall_h: FloatArray
    segment_h: FloatArray


def _rest(terms: Terms, left: Left) -> Terms:
    """Return the terms of the rest of a job: what has begun is moved."""
    return terms if left.share >= 1.0 else replace(terms, begin_h=terms.move_h)


def _least(
    positions: IntArray,
    costed: _Costed,
    left: Left,
    reserve_h: FloatArray | float = 0.0,
) -> Choice | None:
    """Return the choice of the least cost in time, else that of the least time."""
    if not len(positions):
        return None
    in_time = costed.wall_h + reserve_h <= left.within_h
    if in_time.any():
        at = int(np.argmin(np.where(in_time, costed.usd, np.inf)))
    else:
        at = int(np.argmin(costed.wall_h))
    return Choice(
        listing=int(positions[at]),
        usd_per_h=float(costed.usd_per_h[at]),
        bid=math.nan if costed.bids is None else float(costed.bids[at]),
        segment_h=float(costed.segment_h[at]),
    )
