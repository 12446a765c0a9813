"""A market over time where none is recorded, of what the cost model assumes of one.

Each listing comes and goes, and bids of others raise its least bid for a while, so that a
bid of r times the least one loses its GPUs as often as `BidHazard.assumed` says:

- others bid at the rate `preemptions_per_h` x GPUs^`preemption_gpus_exponent`; a bid
  raises the least one to 1 + X times its usual height, X being exponential of the mean
  1 / `preemption_decay`, and ends after an exponential time of the mean `pause_h`;
- the listing goes at the rate `preemption_floor_per_h` x the same power, and is back
  after another exponential time of the mean `pause_h`;
- both rates have a factor for each listing, drawn from the prior of the hazard
  (assumption: machines differ by as much as nobody knows of them all).

The price on demand changes `CHANGES_PER_DAY` times a day.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from advisor.backtest.market import Listings, PlayedMarket
from advisor.base.arrays import FloatArray, IntArray
from advisor.base.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from advisor.cost.assumptions import Assumptions
from advisor.cost.hazard import BidHazard
from advisor.store.listing_intervals import ListingIntervals

CHANGES_PER_DAY = 4.0
"""Of the price on demand of a listing (assumption: some in a day)."""

PRICE_LOG_SD = 0.05
"""Spread of the logarithm of a price around its usual height (assumption)."""

_LEAST_DECAY = 1e-3
"""Where bids of others do not thin out with their height, this many e-folds per least
bid: a thousand times the least one is a bid that nobody makes."""


def simulated_market(
    listings: Listings, assumed: Assumptions, span_h: float, seed: int
) -> PlayedMarket:
    """Return a market of some listings over time, the same for the same seed.

    Parameters
    ----------
    listings : at their usual prices
    assumed : of bids and pauses
    span_h : how long it is simulated, h
    seed : of all that is drawn
    """
    end_s = int(span_h * SECONDS_PER_HOUR)
    parts = [
        _Listing(listings, at, assumed, end_s, np.random.default_rng([seed, at])).rows()
        for at in range(len(listings))
    ]
    table = np.concatenate([np.empty((0, 8)), *parts])
    whole = table[:, [0, 2, 3]].astype(np.int64)
    intervals = ListingIntervals(
        listing=whole[:, 0],
        num_gpus=table[:, 1],
        first_at=whole[:, 1],
        last_at=whole[:, 2],
        born=table[:, 4].astype(bool),
        gone=table[:, 5].astype(bool),
        dph_base=table[:, 6],
        min_bid=table[:, 7],
    )
    return PlayedMarket.of(listings, intervals, ((0, end_s),))


class _Listing:
    """Draws one listing over time."""

    def __init__(
        self,
        listings: Listings,
        at: int,
        assumed: Assumptions,
        end_s: int,
        random: np.random.Generator,
    ) -> None:
        self._at, self._assumed, self._end_s, self._random = at, assumed, end_s, random
        offers = listings.offers
        self._gpus = float(offers.num_gpus[at])
        self._usd = float(listings.terms.gpu_usd_per_h[at])
        self._bid = float(offers.min_bid[at])
        prior = BidHazard.assumed(assumed).prior
        factor = random.choice(prior.factors, p=prior.weights)
        self._busy = factor * self._gpus**assumed.preemption_gpus_exponent

    def rows(self) -> FloatArray:
        """Return its intervals as rows of `ListingIntervals`."""
        changes, prices = self._prices()
        begins, ends, heights = self._others()
        parts = []
        for first, last in self._presences():
            inner = np.concatenate([changes, begins, ends])
            inner = np.unique(inner[(inner > first) & (inner < last)])
            edges = np.concatenate([[first], inner, [last]])
            since, until = edges[:-1], edges[1:]
            usd = prices[np.searchsorted(changes, since, side="right") - 1]
            raised = (begins <= since[:, None]) & (ends > since[:, None])
            bid = self._bid * np.max(np.where(raised, heights, 1.0), axis=1, initial=1.0)
            part = np.zeros((len(since), 8))
            part[:, 0], part[:, 1] = self._at, self._gpus
            part[:, 2], part[:, 3] = since, until
            part[0, 4], part[-1, 5] = first > 0, last < self._end_s
            part[:, 6], part[:, 7] = usd, bid
            parts.append(part)
        return np.concatenate([np.empty((0, 8)), *parts])

    def _presences(self) -> Iterator[tuple[int, int]]:
        """Yield when it comes and goes, s."""
        gone_per_h = self._assumed.preemption_floor_per_h * self._busy
        at = 0
        while at < self._end_s:
            stays = self._seconds(1.0 / gone_per_h) if gone_per_h > 0.0 else self._end_s
            yield at, min(at + stays, self._end_s)
            at += stays + self._seconds(self._assumed.pause_h)

    def _others(self) -> tuple[IntArray, IntArray, FloatArray]:
        """Return when the bids of others begin and end, s, and how high they are."""
        hours = self._end_s / SECONDS_PER_HOUR
        count = self._random.poisson(self._assumed.preemptions_per_h * self._busy * hours)
        begins = self._random.integers(0, self._end_s, count)
        pause_s = self._assumed.pause_h * SECONDS_PER_HOUR
        ends = begins + 1 + self._random.exponential(pause_s, count).astype(np.int64)
        decay = max(self._assumed.preemption_decay, _LEAST_DECAY)
        return begins, ends, 1.0 + self._random.exponential(1.0 / decay, count)

    def _prices(self) -> tuple[IntArray, FloatArray]:
        """Return when the price on demand changes, s, from 0 on, and to what, $/h."""
        count = self._random.poisson(CHANGES_PER_DAY * self._end_s / SECONDS_PER_DAY)
        later = np.sort(self._random.integers(1, self._end_s, count))
        factors = np.exp(self._random.normal(0.0, PRICE_LOG_SD, count + 1))
        return np.concatenate([[0], later]), self._usd * factors

    def _seconds(self, mean_h: float) -> int:
        """Draw an exponential time, s, and at least one."""
        return 1 + int(self._random.exponential(mean_h * SECONDS_PER_HOUR))
