"""The whole evaluation: every split, baselines beside it, decisions, intervals.

What is predicted in ``pair``, ``gpu``, ``family`` and ``model`` is a ratio: the intercept
of a comparison group is learned from its other rows, for the model and for each baseline
alike. In ``series`` and ``source`` the intercept of a baseline is the mean over what is
left of the same workload and precision. A baseline is evaluated where it has an intercept
and a figure, which can be fewer rows than the model's. `model_one_run` and
`model_absolute` ask for what a baseline cannot say of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from advisor.base.arrays import FloatArray, StrArray
from advisor.base.bootstrap import (
    clustered_interval,
    weighted_mean,
    weighted_median,
)
from advisor.base.progress import Progress, doing, quiet
from advisor.hardware.cpus import CpuTable
from advisor.hardware.gpus import Gpu
from advisor.training.evaluate.baselines import baseline_rates, ratio_errors
from advisor.training.evaluate.cpu import evaluate_cpu
from advisor.training.evaluate.group_intercepts import partners
from advisor.training.evaluate.known import Asked, evaluate_known
from advisor.training.evaluate.metrics import Compared, covered, grouped, metrics
from advisor.training.evaluate.multi import evaluate_multi
from advisor.training.evaluate.regressors import INTERCEPT_SPLITS, regressor_errors
from advisor.training.evaluate.regret import Prices, decision_regret
from advisor.training.evaluate.set_up import by_name, summary
from advisor.training.evaluate.splits import (
    SEED,
    SPLITS,
    Rows,
    Split,
    gpu_splits,
    groups_of,
)
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.cpu_tables import CpuTables
from advisor.training.fit.design import source_of
from advisor.training.fit.row_use import RowUse
from advisor.workloads.profile import Workload

EVERY_SPLIT = (*SPLITS, "multi", "cpu", "known")

RATIO_SPLITS = ("pair", "gpu", "family", "model")
"""Splits of ratios: the intercept comes from the rest of the comparison group."""

ONE_RUN = "model_one_run"
"""The split whose baselines scale from the same single run as the model."""

DECISIONS = {"gpu": "advisor", "pair": "advisor_pair"}
"""Split -> name of the policy that chooses by its held-out predictions: knowing nothing
of a GPU, or its other workloads."""

MULTI = {"gpu": "multi", "pair": "multi_pair", "workload": "multi_workload"}
"""What is held out of the efficiency of several GPUs -> name of the split; with ``_8``,
its rows on eight GPUs."""

RENTED = (
    "RTX 3060",
    "RTX 3090",
    "RTX 4070",
    "RTX 4070 Super",
    "RTX 4070 Ti",
    "RTX 4070 Ti Super",
    "RTX 4080",
    "RTX 4080 Super",
    "RTX 4090",
    "RTX 5070",
    "RTX 5070 Ti",
    "RTX 5080",
    "RTX 5090",
    "RTX A5000",
    "L40S",
)
"""Cards that people rent most: reported apart."""


_UNIT = "units/s"
"""Of what is measured: samples, images or tokens, as the row says."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an evaluation reads.

    Attributes
    ----------
    tables : the benchmark table and the auxiliary one
    row_use : the use of each of their rows
    gpus, cpus : hardware tables
    dlperf : canonical name -> median DLPerf of one GPU
    prices : real offers
    cpu_tables : what is known of CPUs
    profiles : name -> built-in profile
    """

    tables: Benchmarks
    row_use: RowUse
    gpus: Mapping[str, Gpu]
    cpus: CpuTable
    dlperf: Mapping[str, float]
    prices: Prices
    cpu_tables: CpuTables
    profiles: Mapping[str, Workload]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Errors on what was held out.

    Attributes
    ----------
    splits : split -> ``mape``, ``median_ape``, ``p90_ape``, ``coverage90`` (fractions)
        and ``n``; of the GPU side also ``unscored``, ``intervals`` (90 %, bootstrap
        clustered by GPU), ``rented``, ``true_fp32`` and ``with_left_out``; of whole
        set-ups ``level_known``, of their runs each of `set_up.PARTS`. ``cpu`` is the
        image rates of a CPU that was held out
    baselines : split -> name -> the same without coverage
    regressors : split -> name of `REGRESSORS` -> the same, on the rows that the model is
        evaluated on and that have a reference (`advisor.training.evaluate.regressors`)
    by_gpu, by_workload, by_source : split -> name -> the same
    offsets : GPU -> source -> the same of split ``gpu``, and ``offset``, the mean of
        ln(predicted / measured)
    regret : set of offers -> policy -> see `regret.decision_regret`; ``advisor`` and
        ``advisor_pair`` see `DECISIONS`
    multi : of several GPUs, see `multi.evaluate_multi`
    known : see `known.evaluate_known`; each a `known.Known` as plain data
    errors, log_sds : split -> (N,) of the GPU side, for the calibration plot
    compared : split -> what was predicted of each row beside what was measured
    """

    splits: dict[str, dict[str, Any]] = field(default_factory=dict)
    baselines: dict[str, dict[str, Any]] = field(default_factory=dict)
    regressors: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_gpu: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_workload: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_source: dict[str, dict[str, Any]] = field(default_factory=dict)
    offsets: dict[str, dict[str, Any]] = field(default_factory=dict)
    regret: dict[str, dict[str, Any]] = field(default_factory=dict)
    multi: dict[str, Any] = field(default_factory=dict)
    known: list[dict[str, Any]] = field(default_factory=list)
    errors: dict[str, FloatArray] = field(default_factory=dict)
    log_sds: dict[str, FloatArray] = field(default_factory=dict)
    compared: dict[str, Compared] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        arrays = ("errors", "log_sds", "compared")
        return {n: getattr(self, n) for n in self.__slots__ if n not in arrays}


def evaluate(
    of: Inputs, wanted: Sequence[str] = EVERY_SPLIT, progress: Progress = quiet
) -> Evaluation:
    """Hold out, refit, predict, for each wanted split (of `EVERY_SPLIT`).

    Folds run in parallel as `advisor.base.parallel` says; their number
    changes nothing but the time.
    """
    result = Evaluation()
    rows = Rows.choose(of.tables, of.row_use, of.gpus)
    groups = groups_of(rows, of.gpus, wanted)
    splits, draws = gpu_splits(rows, groups, progress)
    others = regressor_errors(rows, of.gpus, groups, progress)
    for number, (name, split) in enumerate(splits.items()):
        progress("summing up", number, len(splits), "splits")
        _report(result, name, split, rows, of)
        evaluated = np.isfinite(result.errors[name])
        result.regressors[name] = {
            regressor: metrics(np.where(evaluated, error, np.nan))
            for regressor, error in others[name].items()
        }
    progress("")
    for name, drawn in draws.items():
        own, plain = summary(drawn)
        measured = rows.table.throughput
        result.compared[name] = Compared.of(
            _UNIT, measured, drawn.mean_error(len(measured))
        )
        result.splits[name] = own
        result.baselines[name] = {"plain_scaling": plain}
        result.by_source[name] = by_name(drawn, _sources(rows.table))
    if "multi" in wanted:
        found = evaluate_multi(of.tables, of.gpus, progress)
        compared = found.pop("compared")
        result.multi.update(found)
        for kind, name in MULTI.items():
            result.compared[name] = compared[kind]
            for group, suffix in (("all", ""), ("8", "_8")):
                result.splits[name + suffix] = found["splits"][kind][group]
                result.baselines[name + suffix] = {
                    baseline: errors[group]
                    for baseline, errors in found["baselines"][kind].items()
                }
    if "cpu" in wanted:
        with doing(progress, "holding out CPUs"):
            found = evaluate_cpu(of.cpu_tables, of.cpus)
        for part, figures in found.items():
            name = "cpu" if part == "cpu_decode" else part
            result.compared[name] = figures.pop("compared")
            result.baselines[name] = figures.pop("baselines", {})
            result.splits[name] = figures
    if "known" in wanted:
        asked = Asked(of.tables, of.row_use, of.gpus, of.profiles)
        result.known.extend(one.to_dict() for one in evaluate_known(asked, progress))
    return result


def _report(result: Evaluation, name: str, split: Split, rows: Rows, of: Inputs) -> None:
    """Write one split of the GPU side."""
    error = np.where(rows.evaluated, split.error, np.nan)
    table, log_sd = rows.table, split.log_sd
    summary: dict[str, Any] = metrics(error, log_sd)
    summary["unscored"] = int(rows.evaluated.sum()) - summary["n"]
    rented = np.isin(table.gpu, RENTED)
    summary["rented"] = metrics(error[rented], log_sd[rented])
    plain = table.single_precision == "fp32"
    summary["true_fp32"] = metrics(error[plain], log_sd[plain])
    summary["with_left_out"] = metrics(split.error, log_sd)
    if np.isfinite(split.ratio_error).any():
        summary["level_known"] = metrics(split.ratio_error)
    summary["intervals"] = _intervals(error, log_sd, rows)
    result.splits[name] = summary
    result.errors[name], result.log_sds[name] = error, log_sd
    result.compared[name] = Compared.of(_UNIT, table.throughput, error)
    result.by_gpu[name] = grouped(table.gpu, error, log_sd)
    result.by_workload[name] = grouped(table.workload, error, log_sd)
    source = _sources(table)
    result.by_source[name] = grouped(source, error, log_sd)
    if name == "gpu":
        result.offsets.update(_offsets(table.gpu, source, error, log_sd))
    rates = baseline_rates(table, of.gpus, of.dlperf)
    if name in (*RATIO_SPLITS, *INTERCEPT_SPLITS, ONE_RUN):
        result.baselines[name] = {
            baseline: metrics(_baseline_error(rate, split, rows, error, name))
            for baseline, rate in rates.items()
        }
    if name in DECISIONS:
        for offers, policies in _regret(split, rows, rates, of.prices).items():
            for policy, figures in policies.items():
                own = DECISIONS[name] if policy == "advisor" else policy
                result.regret.setdefault(offers, {})[own] = figures


def _sources(table: Benchmarks) -> StrArray:
    """Return the (N,) repositories of the rows."""
    return np.array([source_of(str(text)) for text in table.source])


def _offsets(
    gpu: StrArray, source: StrArray, error: FloatArray, log_sd: FloatArray
) -> dict[str, dict[str, Any]]:
    """Return GPU -> source -> the summary of its rows, and what they err by alike."""
    return {
        str(card): {
            name: {**figures, "offset": float(np.nanmean(error[own & (source == name)]))}
            for name, figures in grouped(source[own], error[own], log_sd[own]).items()
        }
        for card in np.unique(gpu[np.isfinite(error)])
        for own in [gpu == card]
    }


def _baseline_error(
    rate: FloatArray, split: Split, rows: Rows, error: FloatArray, name: str
) -> FloatArray:
    """Return a baseline's errors on the rows that the model is evaluated on."""
    folds, group, is_training = split.folds, rows.of.comparison_group, rows.evaluated
    measured = np.log(rows.table.throughput)
    if name == ONE_RUN:
        run = partners(group, is_training)
        left = measured - rate
        one = np.where(run < 0, np.nan, left[run] - left)
        return np.where(np.isfinite(error), one, np.nan)
    if name == "model":  # the other rows of the group give the intercept
        folds = np.arange(len(rows.table))
    if name in INTERCEPT_SPLITS:
        group, is_training = rows.of.inputs.labels["pair"], ~rows.left_out
    found = ratio_errors(rate, measured, group, folds, is_training)
    return np.where(np.isfinite(error), found, np.nan)


def _intervals(
    error: FloatArray, log_sd: FloatArray, rows: Rows
) -> dict[str, list[float]]:
    """Return the 90 % intervals of the summary, GPUs drawn with replacement."""
    ape = np.abs(np.expm1(error))
    inside = np.where(np.isfinite(error), covered(error, log_sd), np.nan)
    gpu = rows.table.gpu
    found = {
        "mape": clustered_interval(ape, gpu, weighted_mean, SEED),
        "median_ape": clustered_interval(ape, gpu, weighted_median, SEED),
        "coverage90": clustered_interval(inside, gpu, weighted_mean, SEED),
    }
    return {k: list(v) for k, v in found.items() if np.isfinite(v).all()}


def _regret(
    split: Split, rows: Rows, rates: Mapping[str, FloatArray], prices: Prices
) -> dict[str, Any]:
    """Return what choosing by the held-out predictions costs."""
    table = rows.table
    keys = zip(table.workload, table.precision, strict=True)
    return decision_regret(
        table.comparison_group,
        np.array(["|".join(key) for key in keys]),
        table.gpu,
        np.log(table.throughput),
        np.where(rows.evaluated, rates["geometric_mean"] + split.response, np.nan),
        prices=prices,
        baselines={
            "tflops_per_usd": rates["tflops"],
            "geometric_mean_per_usd": rates["geometric_mean"],
        },
    )
