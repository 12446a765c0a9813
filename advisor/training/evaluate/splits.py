"""The GPU side on what it has not seen: pairs, GPUs, dies, workloads, sources.

**Nested.** The covariance and the factor on its spread are chosen anew for each of a
few groups of GPU dies (workloads, series, sources), on rows outside the group alone; then
every fold of the group is held out whole and predicted from all other rows. So nothing
that was fitted has seen what it is evaluated on; the form of the covariance and the
values that its fit starts from have, as they were settled on these tables. In the splits
of ``model`` the factor is 1: a workload that is held out whole leaves no intercept to
judge by. In those of whole set-ups it is the larger of theirs and of ``pair``'s, at least
1. The file that ships multiplies its spread likewise, and has in addition a most that
matrix products allow, lower bounds and a law of the batch, not judged here. Which rows
are evaluated was frozen before (`advisor.training.fit.row_use`).

- ``pair``: every row of a GPU and a workload together.
- ``gpu``: every row of a GPU.
- ``family``: every row of a die, such as all cards with a GA102.
- ``model``: every row of a workload; the ratios come from other workloads, the intercept
  of a comparison group is the mean over its other rows, as it is for the baselines.
- ``model_one_run``: the same, but one other row, drawn at random, gives the intercept:
  what a user gets after one run.
- ``model_absolute``: every row of a workload; the intercept is guessed from what nets of
  its kind and size compute at (`advisor.training.fit.intercepts`).
- ``series``: every row of a series (container, script version); the intercept comes from
  other series, of the same source too.
- ``source``: every row of a source; the intercept comes from other sources alone.
- ``setup_one_run``, ``setup_three_runs``: the same, but one row (three) are a user's
  runs, see `advisor.training.evaluate.set_up`; with ``_series`` a series is held out.

In the first three the intercept of a comparison group is learned from its other rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.base.parallel import each
from advisor.base.progress import Progress, quiet
from advisor.throughput.intercept import Needs, lineage_of
from advisor.throughput.kernel import Inputs, workload_intercept_variance
from advisor.throughput.set_up import Errors
from advisor.training.evaluate.group_intercepts import (
    intercept_from_one,
    intercept_from_others,
    partners,
)
from advisor.training.evaluate.set_up import NO_DRAWS, Draws, SetUp, draw
from advisor.training.fit.design import (
    Design,
    as_new_inputs,
    design,
    log_efficiency,
)
from advisor.training.fit.intercepts import fit_intercepts, training_gflops
from advisor.training.fit.likelihood import Fitted, fit_covariance
from advisor.training.fit.posterior import HeldOut, Posterior, held_out, posterior
from advisor.training.fit.train import FREE_INTERCEPT, counted, factor90

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from advisor.hardware.gpus import Gpu
    from advisor.training.fit.benchmarks import Benchmarks
    from advisor.training.fit.row_use import RowUse

GROUPS = 5
SEED = 20261125

MUTE = 1e4
"""Noise variance of rows that are left out: they train nothing, yet are predicted."""

BY_GPU = ("pair", "gpu", "family")
BY_WORKLOAD = ("model", "model_one_run", "model_absolute")
BY_SERIES = ("series", "setup_one_run_series", "setup_three_runs_series")
BY_SOURCE = ("source", "setup_one_run", "setup_three_runs")
WHOLE_SET_UPS = ("series", "source")
"""Splits of whole set-ups of which no row is known."""

SET_UP_RUNS = {
    "setup_one_run": 1,
    "setup_three_runs": 3,
    "setup_one_run_series": 1,
    "setup_three_runs_series": 3,
}
"""Split -> rows of a set-up that are the user's runs."""
SPLITS = (*BY_GPU, *BY_WORKLOAD, *BY_SERIES, *BY_SOURCE)


@dataclass(frozen=True, slots=True)
class Split:
    """Held-out predictions of N rows; NaN where a row is not evaluated.

    Attributes
    ----------
    error : (N,) ln(predicted / measured)
    log_sd : (N,) standard deviation that was predicted for it
    response : (N,) ln of the predicted rate up to a constant of the group: no intercept,
        so GPUs of one comparison group compare as offers of one query do
    ratio_error : (N,) the error that is left if the mean error of the other rows of the
        comparison group is taken off, as if the level were known; of `WHOLE_SET_UPS`
    folds : (N,) what was held out together
    """

    error: FloatArray
    log_sd: FloatArray
    response: FloatArray
    ratio_error: FloatArray
    folds: IntArray

    @classmethod
    def empty(cls, folds: IntArray) -> Split:
        """Return the split before anything is predicted."""
        error, log_sd, response, ratio_error = np.full((4, len(folds)), np.nan)
        return cls(error, log_sd, response, ratio_error, folds)

    def filled(self, other: Split) -> Split:
        """Return these predictions and, where there are none, those of another."""
        known = np.isfinite(self.error)
        return Split(
            np.where(known, self.error, other.error),
            np.where(known, self.log_sd, other.log_sd),
            np.where(known, self.response, other.response),
            np.where(np.isfinite(self.ratio_error), self.ratio_error, other.ratio_error),
            self.folds,
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """What is evaluated.

    Attributes
    ----------
    table : the rows that train or would be evaluated
    of : their design
    evaluated : (N,) whether a row is evaluated
    left_out : (N,) whether a row would be evaluated but is left out
    counted : the rows, of one GPU alone too, that tell how fast a net computes
    counted_y : ln(units/s of one GPU / baseline) of them
    as_new : what they look like beside `of` if nobody knew their workloads
    """

    table: Benchmarks
    of: Design
    evaluated: BoolArray
    left_out: BoolArray
    counted: Benchmarks
    counted_y: FloatArray
    as_new: Inputs

    @classmethod
    def choose(cls, tables: Benchmarks, row_use: RowUse, gpus: Mapping[str, Gpu]) -> Rows:
        """Take the training rows, and those that would be evaluated."""
        keep = np.flatnonzero(row_use.training | row_use.would_be_evaluated)
        table = tables.select(keep)
        evaluated = row_use.evaluated[keep]
        left_out = row_use.would_be_evaluated[keep] & ~evaluated
        of, tell = design(table, gpus), tables.select(counted(tables, row_use, gpus))
        as_new = as_new_inputs(tell, of, gpus)
        return cls(
            table, of, evaluated, left_out, tell, log_efficiency(tell, gpus), as_new
        )

    @property
    def candidates(self) -> BoolArray:
        """(N,) evaluated or left out."""
        either: BoolArray = self.evaluated | self.left_out
        return either

    def fold_codes(self, split: str, gpus: Mapping[str, Gpu]) -> IntArray:
        """Return the (N,) folds of a split."""
        labels = self.of.inputs.labels
        if split == "family":
            dies = [gpus[str(name)].die for name in self.table.gpu]
            return np.unique(dies, return_inverse=True)[1]
        if split == "pair":
            count = int(labels["workload"].max()) + 1
            pairs: IntArray = labels["gpu"] * count + labels["workload"]
            return pairs
        if split in BY_WORKLOAD:
            return labels["workload"]
        kind = "series" if split in BY_SERIES else "gpu"
        codes: IntArray = labels["source" if split in BY_SOURCE else kind]
        return codes


@dataclass(frozen=True, slots=True)
class Group:
    """Folds that share a fit of the covariance, on rows outside all of them.

    Attributes
    ----------
    rows : (N,) whether a row is in one of the folds
    folds : split -> (N,) what is held out together
    """

    rows: BoolArray
    folds: Mapping[str, IntArray]


def groups_of(rows: Rows, gpus: Mapping[str, Gpu], wanted: Sequence[str]) -> list[Group]:
    """Return the groups of the wanted splits; those that share groups share fits."""
    found = []
    for splits, group_by, groups in (
        (BY_GPU, "family", GROUPS),
        (BY_WORKLOAD, "model", GROUPS),
        (BY_SERIES, "series", GROUPS),
        (BY_SOURCE, "source", None),
    ):
        folds = {s: rows.fold_codes(s, gpus) for s in splits if s in wanted}
        if folds:
            number = deal(rows.fold_codes(group_by, gpus), groups, rows.evaluated)
            held = np.unique(number[rows.candidates & (number >= 0)])
            found += [Group(number == one, folds) for one in held]
    return found


def gpu_splits(
    rows: Rows, groups: Sequence[Group], progress: Progress = quiet
) -> tuple[dict[str, Split], dict[str, Draws]]:
    """Return the splits of the groups, each group predicted by a fit without it.

    Those of `SET_UP_RUNS` come apart: they predict a row once for each draw of runs.
    """
    runs = partners(rows.of.comparison_group, rows.evaluated)
    tasks = [(rows, group, runs) for group in groups]
    found: dict[str, Split] = {}
    drawn: dict[str, list[Draws]] = {}
    for splits, draws in each("holding out GPUs and workloads", nested, tasks, progress):
        for name, part in splits.items():
            found[name] = found[name].filled(part) if name in found else part
        for name, one in draws.items():
            drawn.setdefault(name, []).append(one)
    return found, {name: Draws.joined(several) for name, several in drawn.items()}


def deal(codes: IntArray, groups: int | None, evaluated: BoolArray) -> IntArray:
    """Deal what is held out into groups; None: each on its own, -1 unless evaluated."""
    unique, place = np.unique(codes, return_inverse=True)
    if groups is None:
        own = np.isin(unique, codes[evaluated])
        numbers = np.where(own, np.arange(len(unique)), -1)
    else:
        numbers = np.random.default_rng(SEED).permutation(len(unique)) % groups
    dealt: IntArray = numbers[place]
    return dealt


def nested(
    rows: Rows, group: Group, runs: IntArray
) -> tuple[dict[str, Split], dict[str, Draws]]:
    """Fit without a group, then hold out each of its folds.

    Parameters
    ----------
    rows : what is evaluated, and what trains
    group : to hold out
    runs : (N,) see `partners`
    """
    of = rows.of
    found = {
        name: Split.empty(codes)
        for name, codes in group.folds.items()
        if name not in SET_UP_RUNS
    }
    drawn: dict[str, Draws] = {}
    mute = np.where(rows.left_out, MUTE, 0.0)
    outside = np.flatnonzero(~group.rows & ~rows.left_out)
    fitted = fit_covariance(of, outside)
    without = posterior(of, outside, fitted)
    every = np.arange(len(of))
    full = posterior(of, every, fitted, extra_noise=mute, mean=without.mean)
    tells = rows.evaluated[outside]
    for split, codes in group.folds.items():
        whole = split in (*BY_SERIES, *BY_SOURCE)
        factor = factor90(without, codes[outside], tells, alike=whole)
        if whole:
            factor = max(factor, _factor_of_known_cards(rows, without, tells), 1.0)
        inside = group.rows & rows.candidates
        folds = held_out(full, codes, np.unique(codes[inside]))
        if split in SET_UP_RUNS:
            each_one = [_drawn(rows, fold, SET_UP_RUNS[split], factor) for fold in folds]
            drawn[split] = Draws.joined([NO_DRAWS, *each_one])
            continue
        guess = None
        if split == "model_absolute":
            guess = _guessed(rows, group, fitted, without)
        for fold in folds:
            error, variance = _judge(split, rows, fold, fitted, runs)
            if guess is not None:
                error = error + guess[0][fold.places]
                variance = variance + guess[1][fold.places] ** 2
            known = rows.candidates[fold.places] & (variance < FREE_INTERCEPT)
            known &= np.isfinite(error)
            places, spread = fold.places[known], factor * np.sqrt(variance[known])
            found[split].error[places] = error[known]
            found[split].log_sd[places] = spread
            response = _response(rows, full, fitted, fold)
            found[split].response[places] = response[known]
            if split in WHOLE_SET_UPS:
                judged = rows.evaluated[fold.places]
                own = fold.places[judged]
                found[split].ratio_error[own] = _with_level(rows, fold)[judged]
    return found, drawn


def _factor_of_known_cards(rows: Rows, fitted: Posterior, tells: BoolArray) -> float:
    """Return the factor on the spread of cards whose other workloads are known.

    In the file that ships it counts beside that of sources: the larger one.
    """
    pairs = rows.fold_codes("pair", {})[fitted.rows]
    return factor90(fitted, pairs, tells, alike=False)


def _guessed(
    rows: Rows, group: Group, fitted: Fitted, without: Posterior
) -> tuple[FloatArray, FloatArray]:
    """Return the (N,) intercepts of a group's workloads as guessed, and their log-sd.

    Nothing that is fitted has seen the workloads of the group. NaN for rows outside it,
    and where no operations are known.
    """
    inputs = rows.of.inputs.take(without.rows)
    cross = fitted.covariance.between(rows.as_new, inputs)
    left = rows.counted_y - without.mean - cross @ without.weights
    unseen = ~np.isin(rows.counted.workload, rows.table.workload[group.rows])
    model = fit_intercepts(rows.counted.select(unseen), left[unseen]).model
    mean, sd = np.full((2, len(rows.of)), np.nan)
    gflops = training_gflops(rows.table)
    here = np.flatnonzero(group.rows & np.isfinite(gflops))
    table = rows.table.select(here)
    needs = Needs(
        family=table.family.tolist(),
        lineage=[lineage_of(name) for name in table.workload.tolist()],
        gflops=gflops[here],
        params_m=table.params_m,
    )
    mean[here], sd[here] = model.predict(needs)
    return mean, sd


def _drawn(rows: Rows, fold: HeldOut, runs: int, factor: float) -> Draws:
    """Draw runs from the evaluated rows of a fold, see `draw`."""
    (local,) = np.nonzero(rows.evaluated[fold.places])
    covariance = fold.covariance[np.ix_(local, local)]
    places, labels = fold.places[local], rows.of.inputs.labels
    errors = Errors(covariance, np.diag(covariance).copy(), labels["workload"][places])
    held = SetUp(
        rows=places,
        errors=errors,
        off=fold.error[local],
        series=labels["series"][places],
        comparison_group=rows.of.comparison_group[places],
    )
    return draw(held, runs, factor)


def _with_level(rows: Rows, fold: HeldOut) -> FloatArray:
    """Return (n,) the errors of a fold, the levels given by the rest of their groups."""
    group, judged = rows.of.comparison_group, rows.evaluated
    at = fold.places
    return intercept_from_others(fold.error, fold.covariance, group[at], judged[at])[0]


def _judge(
    split: str, rows: Rows, fold: HeldOut, fitted: Fitted, runs: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return (n,) ln(predicted / measured) of a fold, and its variance."""
    covariance = fold.covariance - np.diag(
        np.where(rows.left_out[fold.places], MUTE, 0.0)
    )
    comparison_group, is_training = (
        rows.of.comparison_group[fold.places],
        rows.evaluated[fold.places],
    )
    if split == "model":
        return intercept_from_others(
            fold.error, covariance, comparison_group, is_training
        )
    if split == "model_one_run":
        local = np.full(len(rows.of), -1)
        local[fold.places] = np.arange(len(fold.places))
        run = runs[fold.places]
        return intercept_from_one(
            fold.error, covariance, np.where(run < 0, -1, local[run])
        )
    variance = np.diag(covariance)
    if split == "model_absolute":  # what is guessed comes instead, see `_guessed`
        variance = variance - workload_intercept_variance(fitted.covariance)
    return -fold.error, np.maximum(variance, 0.0)


def _response(rows: Rows, full: Posterior, fitted: Fitted, fold: HeldOut) -> FloatArray:
    """Return (n,) the response of a fold, trained on the rows outside it alone."""
    pull = full.inverse[:, fold.places] @ fold.error
    weights = full.weights - pull
    weights[fold.places] = 0.0
    shared = fitted.covariance.between(
        rows.of.inputs.take(fold.places), rows.of.inputs, intercepts=False
    )
    response: FloatArray = shared @ weights
    return response
