"""A set-up that was held out whole: what one run of it, or three, say of the rest.

A whole source (or series) stands for a user whom the model has never seen. One (three) of
its rows, drawn at random, are the user's runs; its other rows are predicted with them, as
`advisor.throughput.set_up` does for a user: those of the same workload, and those of
workloads that the user did not run. Beside it **plain scaling**: every prediction times
measured / predicted (the mean, in ln, of the runs of the workload; of all runs where none
is). A figure of a row is the mean over the draws in which it was predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.throughput.set_up import Errors, learn
from advisor.training.evaluate.metrics import covered
from advisor.training.fit.train import FREE_INTERCEPT

OTHER_WORKLOADS = "other_workloads"
"""Part of the figures: rows of workloads that no run was of."""

DRAWS = 100
"""Draws of runs from each source or series; fewer where it has fewer rows."""

SEED = 20261128


@dataclass(frozen=True, slots=True)
class Draws:
    """M predictions of rows, each after one draw of runs.

    Attributes
    ----------
    row : (M,) which row was predicted
    same : (M,) whether a run was of its workload
    error : (M,) ln(predicted / measured)
    log_sd : (M,) standard deviation that was predicted for it
    plain : (M,) the error of plain scaling
    """

    row: IntArray
    same: BoolArray
    error: FloatArray
    log_sd: FloatArray
    plain: FloatArray

    def take(self, which: BoolArray) -> Draws:
        """Return those that are marked."""
        return Draws(*(getattr(self, name)[which] for name in self.__slots__))

    def mean_error(self, rows: int) -> FloatArray:
        """Return (rows,) the mean error of each row over its draws; NaN without one.

        Of predictions of which a run was of the same workload, as the figures of a split
        are.
        """
        row, error = self.row[self.same], self.error[self.same]
        count = np.bincount(row, minlength=rows)
        total = np.bincount(row, error, minlength=rows)
        mean: FloatArray = np.full(rows, np.nan)
        np.divide(total, count, out=mean, where=count > 0)
        return mean

    @classmethod
    def joined(cls, several: Sequence[Draws]) -> Draws:
        """Return all predictions of several."""
        return cls(
            *(
                np.concatenate([getattr(one, name) for one in several])
                for name in cls.__slots__
            )
        )


NO_DRAWS = Draws(
    np.empty(0, np.int64), np.empty(0, np.bool_), *(np.empty(0) for _ in range(3))
)


def draw(
    rows: IntArray, errors: Errors, off: FloatArray, runs: int, factor: float
) -> Draws:
    """Draw runs of one set-up, and predict its other rows with them.

    A row of a workload that did not run is judged where its level, and those of the runs,
    are known from other set-ups.

    Parameters
    ----------
    rows : (n,) the evaluated rows of the set-up
    errors : of their predictions, the noise of a row included
    off : (n,) ln(measured / predicted) of these
    runs : rows that a draw takes
    factor : on the spread
    """
    known = errors.variance < FREE_INTERCEPT
    count = len(rows)
    if count <= runs:
        return NO_DRAWS
    chance = np.random.default_rng(SEED)
    found = []
    for _ in range(min(DRAWS, count)):
        ran = chance.choice(count, size=runs, replace=False)
        asked = np.setdiff1d(np.arange(count), ran)
        shift, sd = learn(errors.take(np.append(asked, ran)), off[ran], np.zeros(runs))
        like = errors.workload[asked][:, None] == errors.workload[ran][None, :]
        judged = like.any(axis=1) | (known[asked] & known[ran].all())
        weight = np.where(like.any(axis=1, keepdims=True), like, True)
        plain = (weight @ off[ran]) / weight.sum(axis=1)
        each = Draws(
            rows[asked],
            like.any(axis=1),
            shift - off[asked],
            factor * sd,
            plain - off[asked],
        )
        found.append(each.take(judged))
    return Draws.joined(found)


def summary(draws: Draws) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the figures of the model and those of plain scaling.

    They are of the same workload, and under `OTHER_WORKLOADS` of others; for the names
    see `advisor.training.evaluate.metrics.metrics`.
    """
    own = _figures(draws, draws.error, draws.same, with_coverage=True)
    own[OTHER_WORKLOADS] = _figures(draws, draws.error, ~draws.same, with_coverage=True)
    plain = _figures(draws, draws.plain, draws.same)
    plain[OTHER_WORKLOADS] = _figures(draws, draws.plain, ~draws.same)
    return own, plain


def _figures(
    draws: Draws, error: FloatArray, which: BoolArray, *, with_coverage: bool = False
) -> dict[str, Any]:
    """Return the figures over rows, each the mean over its draws."""
    frame = pd.DataFrame(
        {
            "row": draws.row,
            "ape": np.abs(np.expm1(error)),
            "inside": covered(error, draws.log_sd),
        }
    )[which]
    if frame.empty:
        return {"n": 0}
    by_row = frame.groupby("row").mean()
    found = {
        "mape": float(by_row["ape"].mean()),
        "median_ape": float(by_row["ape"].median()),
        "p90_ape": float(by_row["ape"].quantile(0.9)),
        "n": len(by_row),
    }
    if with_coverage:
        found["coverage90"] = float(by_row["inside"].mean())
    return found
