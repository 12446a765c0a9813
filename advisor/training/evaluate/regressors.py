"""Off-the-shelf regressors of scikit-learn on the splits of the model.

What a data scientist would try first, with what the model knows, on its folds and rows.
None of them has been tuned on these splits: settings are scikit-learn's own, but for the
forest, which looks at the root of the number of features per split, for its time (on two
groups a third of them erred alike), and for the Gaussian process, whose kernel, a
variance times one length scale for all features, and white noise, is fitted on `TUNED_ON`
rows outside the group and stays as it is.

**Target.** As for the model, ln(units/s / physical baseline). Its intercept differs
between comparison groups by orders of magnitude, so what is learned is a *difference*: of
a row to the mean of its reference rows, which are those that give its intercept to the
physical baselines too: the other rows of its comparison group outside the fold; of its
workload and precision for `INTERCEPT_SPLITS`; for ``model`` the other rows of the
held-out comparison group, and for ``model_one_run`` one of them. Training rows are
treated alike: each beside the other training rows of its comparison group. In
``model_absolute`` there is no reference and the target is the intercept itself.

**Features.** Those of the model's GPU (logarithms of its rates, power, clock,
multiprocessors and of their ratio; year), its batch and baseline, the floating-point
operations and parameters of the workload, each also as a difference to the reference
rows; one-hot family, precision, framework and architecture.
Unknown numbers are medians of the training rows.

**Folds** are those of the model; each is held out whole and everything else is learned
from, but for pairs, of which each group's are dealt into `PAIR_SETS` sets that are held
out together: a fit for every pair would take hours.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.base.parallel import each
from advisor.base.progress import Progress
from advisor.hardware.gpus import Gpu
from advisor.throughput.features import feature_matrix, log_baseline
from advisor.training.evaluate.group_intercepts import partners
from advisor.training.evaluate.splits import SEED, SET_UP_RUNS, Group, Rows
from advisor.training.fit.design import table_features
from advisor.training.fit.intercepts import training_gflops

INTERCEPT_SPLITS = ("series", "source")
"""Splits of intercepts: the intercept comes from other comparison groups of the workload
and precision."""

PAIR_SETS = 2
"""Sets that the pairs of GPU and workload of a group are dealt into: ten in all."""

TUNED_ON = 500
"""Rows that the kernel of the Gaussian process is fitted on, drawn at random."""

CATEGORIES = ("family", "precision", "framework")
"""Columns of the table that become one-hot features."""

REGRESSORS: Mapping[str, Callable[[], BaseEstimator]] = {
    "ridge": Ridge,
    "nearest_neighbors": KNeighborsRegressor,
    "random_forest": lambda: RandomForestRegressor(
        max_features="sqrt", random_state=SEED
    ),
    "gradient_boosting": lambda: HistGradientBoostingRegressor(random_state=SEED),
    "gaussian_process": lambda: GaussianProcessRegressor(
        ConstantKernel() * RBF(5.0) + WhiteKernel(0.1), normalize_y=True
    ),
}
"""Name -> a new regressor; the features that it sees are standardized."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What the regressors learn from, N rows.

    Attributes
    ----------
    numbers : (N, P) numeric features, NaN where unknown
    classes : (N, C) one-hot features
    y : (N,) ln(units/s / physical baseline)
    comparison_group, pair : (N,) codes of the comparison group, and of workload and
        precision
    evaluated, left_out : (N,) see `Rows`
    partner : (N,) the one run that gives the intercept of ``model_one_run``; -1: none
    """

    numbers: FloatArray
    classes: FloatArray
    y: FloatArray
    comparison_group: IntArray
    pair: IntArray
    evaluated: BoolArray
    left_out: BoolArray
    partner: IntArray

    @classmethod
    def of(cls, rows: Rows, gpus: Mapping[str, Gpu]) -> Problem:
        """Return it for the rows that train or are evaluated."""
        table = rows.table
        features = table_features(table, gpus)
        numbers = [
            feature_matrix(features),
            log_baseline(features),
            np.log(table.batch_size),
            rows.of.inputs.batch,
            np.log(training_gflops(table)),
            np.log(table.params_m),
        ]
        frame = table.frame()[list(CATEGORIES)]
        frame["architecture"] = [gpus[name].architecture for name in table.gpu.tolist()]
        labels = rows.of.inputs.labels
        return cls(
            numbers=np.column_stack(numbers),
            classes=pd.get_dummies(frame, dtype=np.float64).to_numpy(),
            y=rows.of.y,
            comparison_group=labels["comparison_group"],
            pair=labels["pair"],
            evaluated=rows.evaluated,
            left_out=rows.left_out,
            partner=partners(rows.of.comparison_group, rows.evaluated),
        )

    def fold(
        self, split: str, out: BoolArray
    ) -> tuple[FloatArray, FloatArray, BoolArray, BoolArray]:
        """Return features and targets of all rows, and which of them train and are asked.

        Parameters
        ----------
        split : of `SPLITS`, which tells what the reference rows are
        out : (N,) rows that are held out
        """
        training = ~out & ~self.left_out
        imputer = SimpleImputer(strategy="median", keep_empty_features=True)
        numbers = imputer.fit(self.numbers[training]).transform(self.numbers)
        values = np.column_stack([self.y, numbers])
        alike = _training_reference(split)
        if alike == "none":
            reference = np.zeros_like(values)
        else:
            code = self.pair if alike == "pair" else self.comparison_group
            reference = mean_of_others(values, code, training)
        if split == "model":
            reference[out] = mean_of_others(
                values, self.comparison_group, self.evaluated
            )[out]
        if split == "model_one_run":
            reference[out] = values[self.partner[out]]
            reference[out & (self.partner < 0)] = np.nan
        difference = values - reference
        features = np.column_stack([numbers, difference[:, 1:], self.classes])
        known = np.isfinite(difference[:, 0])
        return features, difference[:, 0], training & known, out & self.evaluated & known


def mean_of_others(values: FloatArray, code: IntArray, counts: BoolArray) -> FloatArray:
    """Return (N, P) the mean over the other rows of each row's code; NaN without one.

    Parameters
    ----------
    values : (N, P)
    code : (N,)
    counts : (N,) whether a row is one of those that count
    """
    weight = counts.astype(np.float64)[:, None]
    own = np.column_stack([weight, np.where(weight, values, 0.0)])
    others = pd.DataFrame(own).groupby(code).transform("sum").to_numpy() - own
    with np.errstate(invalid="ignore", divide="ignore"):
        means: FloatArray = np.where(others[:, :1], others[:, 1:] / others[:, :1], np.nan)
    return means


def regressor_errors(
    rows: Rows, gpus: Mapping[str, Gpu], groups: Sequence[Group], progress: Progress
) -> dict[str, dict[str, FloatArray]]:
    """Return split -> name of `REGRESSORS` -> (N,) ln(predicted / measured)."""
    problem = Problem.of(rows, gpus)
    groups = [left for group in groups if (left := _without_set_ups(group)).folds]
    tasks = [(problem, group, name) for name in REGRESSORS for group in groups]
    parts = each("fitting off-the-shelf regressors", held_out_errors, tasks, progress)
    found: dict[str, dict[str, FloatArray]] = {}
    for (_, _, name), part in zip(tasks, parts, strict=True):
        for split, error in part.items():
            known = found.setdefault(split, {}).get(name, error)
            found[split][name] = np.where(np.isnan(known), error, known)
    return found


def _without_set_ups(group: Group) -> Group:
    """Return a group without the splits that rest on errors which vary together."""
    folds = {name: of for name, of in group.folds.items() if name not in SET_UP_RUNS}
    return replace(group, folds=folds)


def held_out_errors(problem: Problem, group: Group, name: str) -> dict[str, FloatArray]:
    """Return split -> (N,) ln(predicted / measured), NaN where there is none.

    Parameters
    ----------
    problem : see `Problem`
    group : whose folds are held out in turn; the kernel is fitted without all of them
    name : of `REGRESSORS`
    """
    regressor = tuned(REGRESSORS[name](), problem, group.rows)
    found = {split: np.full(len(problem.y), np.nan) for split in group.folds}
    for alike, out in _fits(problem, group):
        fitted: Pipeline | None = None
        for split in alike:
            features, target, training, asked = problem.fold(split, out)
            if not training.any() or not asked.any():
                continue
            if fitted is None:
                fitted = _standardized(regressor)
                fitted.fit(features[training], target[training])
            found[split][asked] = fitted.predict(features[asked]) - target[asked]
    return found


def _fits(problem: Problem, group: Group) -> list[tuple[list[str], BoolArray]]:
    """Return what is held out, and the splits that learn the same without it.

    A die of one card is held out as that card is; with ``model`` and ``model_one_run``
    the rows that are asked have different references, not those that train.
    """
    found: dict[tuple[str, bytes], tuple[list[str], BoolArray]] = {}
    for split, codes in group.folds.items():
        for names in _sets(split, np.unique(codes[group.rows & problem.evaluated])):
            out = np.isin(codes, names)
            key = (_training_reference(split), out.tobytes())
            found.setdefault(key, ([], out))[0].append(split)
    return list(found.values())


def _training_reference(split: str) -> str:
    """Return what the reference rows of a split's training rows have in common."""
    if split == "model_absolute":
        return "none"
    return "pair" if split in INTERCEPT_SPLITS else "comparison_group"


def tuned(regressor: BaseEstimator, problem: Problem, out: BoolArray) -> BaseEstimator:
    """Return the regressor, a Gaussian process with a kernel that it keeps."""
    if not isinstance(regressor, GaussianProcessRegressor):
        return regressor
    features, target, training, _ = problem.fold("", out)
    rows = np.random.default_rng(SEED).permutation(np.flatnonzero(training))[:TUNED_ON]
    with warnings.catch_warnings():  # a length at its bound is an answer, too
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = _standardized(regressor).fit(features[rows], target[rows])
    return regressor.set_params(kernel=fitted[-1].kernel_, optimizer=None)


def _standardized(regressor: BaseEstimator) -> Pipeline:
    return make_pipeline(StandardScaler(), clone(regressor))


def _sets(split: str, codes: IntArray) -> list[IntArray]:
    """Return the folds that are held out together, by their codes."""
    if split != "pair" or len(codes) <= PAIR_SETS:
        return [codes[[place]] for place in range(len(codes))]
    deal = KFold(PAIR_SETS, shuffle=True, random_state=SEED)
    return [codes[out] for _, out in deal.split(codes)]
