"""The intercept of a comparison group from its other rows, or from one of them."""

from __future__ import annotations

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray

_SEED = 20261125


def intercept_from_others(
    error: FloatArray,
    covariance: FloatArray,
    comparison_group: IntArray,
    is_training: BoolArray,
) -> tuple[FloatArray, FloatArray]:
    """Return (n,) errors and variances, the intercept from the other rows of the group.

    Parameters
    ----------
    error : (n,) y less its mean, of a workload that was held out whole
    covariance : (n, n) of these errors
    comparison_group : (n,) codes
    is_training : (n,) whether a row gives an intercept
    """
    result, variance = np.full(len(error), np.nan), np.full(len(error), np.inf)
    for row in range(len(error)):
        others = _others(row, comparison_group, is_training)
        if len(others):
            among = covariance[np.ix_(others, others)].mean()
            across = covariance[row, others].mean()
            result[row] = error[others].mean() - error[row]
            variance[row] = covariance[row, row] + among - 2.0 * across
    return result, variance


def partners(comparison_group: IntArray, is_training: BoolArray) -> IntArray:
    """Return (N,) another row of each row's group, at random; -1 where there is none.

    It stands for the one run that gives the intercept of a workload. Every call draws
    alike.
    """
    draw = np.random.default_rng(_SEED)
    found = np.full(len(comparison_group), -1)
    for row in range(len(comparison_group)):
        others = _others(row, comparison_group, is_training)
        if len(others):
            found[row] = draw.choice(others)
    return found


def intercept_from_one(
    error: FloatArray, covariance: FloatArray, run: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return (n,) errors and variances given one other row of the comparison group.

    Parameters
    ----------
    error, covariance : as in `intercept_from_others`
    run : (n,) the row that is given for each; below zero: none
    """
    result, variance = np.full(len(error), np.nan), np.full(len(error), np.inf)
    for row in np.flatnonzero(run >= 0):
        one = run[row]
        gain = covariance[row, one] / covariance[one, one]
        result[row] = gain * error[one] - error[row]
        variance[row] = covariance[row, row] - gain * covariance[row, one]
    return result, variance


def _others(row: int, comparison_group: IntArray, is_training: BoolArray) -> IntArray:
    same = (comparison_group == comparison_group[row]) & is_training
    same[row] = False
    return np.flatnonzero(same)
