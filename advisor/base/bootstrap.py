"""How sure a figure of the evaluation is: intervals by bootstrap over clusters.

The errors of one GPU, or of one workload, go together: a card that the model takes for
faster than it is errs in every row. So whole clusters are drawn, with replacement
(Davison and Hinkley 1997, section 3.8), and the interval runs between the 5 % and 95 %
quantiles of the drawn figures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from advisor.base.arrays import FloatArray

Statistic = Callable[[FloatArray, FloatArray], FloatArray]
"""(K,) values and (D, K) how often each draw holds each -> (D,) figure of each draw."""


def clustered_interval(
    values: FloatArray,
    clusters: npt.NDArray[Any],
    statistic: Statistic,
    seed: int,
    draws: int = 1000,
) -> tuple[float, float]:
    """Return the ends of a 90 % interval of a figure; NaN without two clusters.

    Parameters
    ----------
    values : (N,) what the figure is taken of, such as absolute percentage errors, or
        1 where an interval covers and 0 where not; NaN are left out
    clusters : (N,) name or code of the cluster of each, such as its GPU
    statistic : `weighted_mean` or `weighted_median`
    seed : of the draws
    draws : number of them
    """
    known = np.isfinite(values)
    code = np.unique(clusters[known], return_inverse=True)[1]
    number = int(code.max(initial=-1)) + 1
    if number < 2:
        return np.nan, np.nan
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(number, np.full(number, 1.0 / number), size=draws)
    drawn = statistic(values[known], counts[:, code].astype(np.float64))
    low, high = np.quantile(drawn, (0.05, 0.95))
    return float(low), float(high)


def weighted_mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the (D,) means of the draws."""
    means: FloatArray = weights @ values / weights.sum(axis=1)
    return means


def weighted_median(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the (D,) medians of the draws, between two values where halves meet."""
    order = np.argsort(values)
    reached = weights[:, order].cumsum(axis=1)
    half = 0.5 * reached[:, -1:]
    low = (reached >= half).argmax(axis=1)
    high = (reached > half).argmax(axis=1)
    medians: FloatArray = 0.5 * (values[order[low]] + values[order[high]])
    return medians
