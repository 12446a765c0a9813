"""Rows that contradict all others, found one at a time by leave-one-out.

The row whose error is largest, in standard deviations of what the model expects of a
row that it has not seen, is left out; then the rest is looked at again without it, for
an outlier drags its neighbors along. Never in one batch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from advisor.training.fit.design import design
from advisor.training.fit.likelihood import fit_covariance
from advisor.training.fit.posterior import posterior
from advisor.training.fit.row_use import LEFT_OUT, RowUse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.base.arrays import FloatArray
    from advisor.hardware.gpus import Gpu
    from advisor.training.fit.benchmarks import Benchmarks

LARGEST = 4.0
"""Standard deviations beyond which a row is left out: one in 16,000 if the errors were
normal."""


def leave_out_outliers(
    benchmarks: Benchmarks, gpus: Mapping[str, Gpu], row_use: RowUse
) -> RowUse:
    """Mark the outliers among the training rows."""
    rows = np.flatnonzero(row_use.training)
    of = design(benchmarks.select(rows), gpus)
    every = np.arange(len(of))
    full = posterior(of, every, fit_covariance(of, every))
    use, reason = row_use.use.copy(), row_use.reason.copy()
    found = worst_first(full.inverse, of.y - full.mean)
    for order, (place, size) in enumerate(found, start=1):
        use[rows[place]] = LEFT_OUT
        reason[rows[place]] = f"outlier {order}: leave-one-out error of {size:.1f} sd"
    return replace(row_use, use=use, reason=reason)


def worst_first(inverse: FloatArray, y: FloatArray) -> list[tuple[int, float]]:
    """Return outliers (place, error in standard deviations) in the order of removal.

    Parameters
    ----------
    inverse : (N, N) inverse of the covariance of the rows, noise included
    y : (N,) values less their mean
    """
    left = np.arange(len(y))
    found: list[tuple[int, float]] = []
    while len(left):
        sizes = np.abs(inverse @ y[left]) / np.sqrt(np.diag(inverse))
        worst = int(sizes.argmax())
        if sizes[worst] < LARGEST:
            break
        found.append((int(left[worst]), float(sizes[worst])))
        column = inverse[:, worst]
        keep = np.arange(len(left)) != worst
        downdated = inverse - np.outer(column, column) / column[worst]
        inverse, left = downdated[np.ix_(keep, keep)], left[keep]
    return found
