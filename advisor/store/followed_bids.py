"""Bids that stand, lose and begin anew, as the least bids of listings rise and fall."""

from __future__ import annotations

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.base.units import SECONDS_PER_HOUR
from advisor.cost.assumptions import Assumptions

PATIENCE_S = int(Assumptions().patience_h * SECONDS_PER_HOUR)
"""How long a bid that is outbid waits before it begins anew."""


class FollowedBids:
    """Bids on L listings at M ratios, from one interval of each to the next.

    Parameters
    ----------
    least : least bid when they begin, shape (L,)
    over : bid over least bid, shape (M,)
    weights : what an hour of each listing counts for, shape (L,)

    Attributes
    ----------
    stand : whether each runs, shape (L, M)
    outbid : times that each ratio lost, shape (M,)
    exposure_s : seconds that it stood, weighted, shape (M,)
    """

    def __init__(self, least: FloatArray, over: FloatArray, weights: FloatArray) -> None:
        self.stand = np.ones((len(least), len(over)), dtype=bool)
        self.outbid, self.exposure_s = np.zeros(len(over)), np.zeros(len(over))
        self._over, self._weights = over, weights
        self._begun_at = np.repeat(least[:, None], len(over), axis=1)
        self._waited_s = np.zeros((len(least), len(over)), dtype=np.int64)

    def follow(self, least: FloatArray, seconds: IntArray) -> None:
        """Follow those of the first K listings through an interval, shape (K,) each."""
        here = slice(len(least))
        now, lasts_s = least[:, None], seconds[:, None]
        begun_at = np.minimum(self._begun_at[here], now)
        runs = now <= begun_at * self._over
        self.outbid += (self.stand[here] & ~runs).sum(axis=0)
        waited_s = np.where(runs, 0, self._waited_s[here])
        waits_s = np.where(runs, 0, np.minimum(lasts_s, PATIENCE_S - waited_s))
        waited_s += waits_s
        moves = waited_s >= PATIENCE_S
        self._begun_at[here] = np.where(moves, now, begun_at)
        self._waited_s[here] = np.where(moves, 0, waited_s)
        self.stand[here] = runs | moves
        self.exposure_s += self._weights[here] @ np.where(
            self.stand[here], lasts_s - waits_s, 0
        )
