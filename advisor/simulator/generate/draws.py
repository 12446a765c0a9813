"""Random draws that repeat for one seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TypeVar

import numpy as np

from advisor.simulator.generate.calibration import Quantiles

T = TypeVar("T")

_NORMAL = NormalDist()


class Draws:
    """Draws from one seeded stream.

    Everything is made of uniform doubles of PCG64, whose stream is fixed bit by bit;
    NumPy reserves the right to change that of its other distributions (NEP 19). What
    passes through logarithms and powers repeats but for its last bits: whoever shows it
    rounds it.

    Parameters
    ----------
    seed : any non-negative integer
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def uniform(self) -> float:
        """Return a number in (0, 1)."""
        return min(max(float(self._generator.random()), 1e-12), 1 - 1e-12)

    def normal(self) -> float:
        """Return a standard normal number."""
        return _NORMAL.inv_cdf(self.uniform())

    def chance(self, probability: float) -> bool:
        """Return True with the probability given."""
        return self.uniform() < probability

    def integer(self, low: int, high: int) -> int:
        """Return an integer from `low` up to and without `high`."""
        return low + int(self.uniform() * (high - low))

    def pick(self, shares: Mapping[T, float]) -> T:
        """Return a key of `shares`, each with its share of their sum."""
        values = list(shares)
        return values[self.position(list(shares.values()))]

    def position(self, weights: Sequence[float]) -> int:
        """Return a position in `weights` with its share of their sum."""
        left = self.uniform() * math.fsum(weights)
        for position, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return position
        return len(weights) - 1

    def quantile(self, quantiles: Quantiles, normal: float | None = None) -> float:
        """Return a number distributed as `quantiles`.

        Parameters
        ----------
        quantiles : of the distribution
        normal : a standard normal number that sets the level, so that two
            draws can be correlated; None for an independent one
        """
        level = self.uniform() if normal is None else _NORMAL.cdf(normal)
        return quantiles.at(level)

    def near(self, normal: float, correlation: float) -> float:
        """Return a standard normal number correlated with another."""
        rest = math.sqrt(1 - correlation**2)
        return correlation * normal + rest * self.normal()
