"""A set-up that was held out whole: what one run of it, or three, say of the rest.

A whole source (or series) stands for a user whom the model has never seen. One (three) of
its rows, drawn at random, are the user's runs; its other rows are predicted with them, as
`advisor.throughput.set_up` does for a user: those of the same workload, apart by what
they share with the nearest run (`PARTS`), and those of workloads that the user did not
run. Beside it **plain scaling**: every prediction times measured / predicted (the mean,
in ln, of the runs of the workload; of all runs where none is). A figure of a row is the
mean over the draws in which it was predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from advisor.base.arrays import BoolArray, FloatArray, IntArray, StrArray
from advisor.throughput.set_up import Errors, learn
from advisor.training.evaluate.metrics import covered
from advisor.training.fit.train import FREE_INTERCEPT

AS_IT_RAN = "as_it_ran"
"""Part of the figures: rows of workload, precision and series of a run."""

OTHER_PRECISION = "other_precision"
"""Rows of a workload that ran in their series, but in another precision."""

OTHER_SERIES = "other_series"
"""Rows of a workload that ran, but in another series of their source alone."""

OTHER_WORKLOADS = "other_workloads"
"""Rows of workloads that no run was of."""

PARTS = (AS_IT_RAN, OTHER_PRECISION, OTHER_SERIES, OTHER_WORKLOADS)
"""Parts of the figures. All but the last are of the same workload."""

DRAWS = 100
"""Draws of runs from each source or series; fewer where it has fewer rows."""

SEED = 20261128


@dataclass(frozen=True, slots=True)
class SetUp:
    """The n evaluated rows of a source or series that was held out.

    Attributes
    ----------
    rows : (n,) which rows they are
    errors : of their predictions, the noise of a row included
    off : (n,) ln(measured / predicted)
    series, comparison_group : (n,) codes
    """

    rows: IntArray
    errors: Errors
    off: FloatArray
    series: IntArray
    comparison_group: IntArray

    def part(self, asked: IntArray, ran: IntArray) -> IntArray:
        """Return (Q,) which of `PARTS` each of Q rows is in, given runs of others."""

        def alike(codes: IntArray) -> BoolArray:
            equal: BoolArray = codes[asked][:, None] == codes[ran][None, :]
            return equal

        workload = alike(self.errors.workload)
        shared = (
            alike(self.comparison_group),
            workload & alike(self.series),
            workload,
        )
        return np.select([each.any(axis=1) for each in shared], [0, 1, 2], 3)


@dataclass(frozen=True, slots=True)
class Draws:
    """M predictions of rows, each after one draw of runs.

    Attributes
    ----------
    row : (M,) which row was predicted
    part : (M,) place in `PARTS`: what it shares with the nearest run
    error : (M,) ln(predicted / measured)
    log_sd : (M,) standard deviation that was predicted for it
    plain : (M,) the error of plain scaling
    """

    row: IntArray
    part: IntArray
    error: FloatArray
    log_sd: FloatArray
    plain: FloatArray

    @property
    def same(self) -> BoolArray:
        """(M,) whether a run was of its workload."""
        same: BoolArray = self.part < PARTS.index(OTHER_WORKLOADS)
        return same

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
    np.empty(0, np.int64), np.empty(0, np.int64), *(np.empty(0) for _ in range(3))
)


def draw(of: SetUp, runs: int, factor: float) -> Draws:
    """Draw runs of one set-up, and predict its other rows with them.

    A row of a workload that did not run is judged where its level, and those of the runs,
    are known from other set-ups.

    Parameters
    ----------
    of : the set-up, of n rows
    runs : rows that a draw takes
    factor : on the spread
    """
    errors, off = of.errors, of.off
    known = errors.variance < FREE_INTERCEPT
    count = len(of.rows)
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
            of.rows[asked],
            of.part(asked, ran),
            shift - off[asked],
            factor * sd,
            plain - off[asked],
        )
        found.append(each.take(judged))
    return Draws.joined(found)


def summary(draws: Draws) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the figures of the model and those of plain scaling.

    They are of the same workload, and under each of `PARTS` of those rows, if there are
    any; for the names see `advisor.training.evaluate.metrics.metrics`.
    """
    own = _figures(draws, draws.error, draws.same, with_coverage=True)
    plain = _figures(draws, draws.plain, draws.same)
    for place, name in enumerate(PARTS):
        which = draws.part == place
        if name == OTHER_WORKLOADS or which.any():
            own[name] = _figures(draws, draws.error, which, with_coverage=True)
            plain[name] = _figures(draws, draws.plain, which)
    return own, plain


def by_name(draws: Draws, names: StrArray) -> dict[str, dict[str, Any]]:
    """Return name -> the figures of the model, of the same workload.

    Parameters
    ----------
    names : (N,) of the rows that the draws count, such as their sources
    """
    of = names[draws.row]
    return {
        str(name): _figures(
            draws, draws.error, draws.same & (of == name), with_coverage=True
        )
        for name in np.unique(of[draws.same])
    }


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
