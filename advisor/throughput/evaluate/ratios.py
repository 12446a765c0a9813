"""How wrong the GPU model is on GPUs and pairs that it has not seen.

**What is scored** (`advisor.throughput.fit.cells.scored_rows`, frozen): single-GPU rows
that neither input nor launch is known to limit, with a stated precision and a unit
that counts work, on NVIDIA cards, in cells (series, workload, precision) with at
least three GPUs, without ``pytorch-gpu-benchmark``
and ``jcjohnson/cnn-benchmarks``. `cells` says which rules came after a first look
at errors; no single row is dropped for its own.

**Splits.** ``gpu``: every row of one GPU is held out, in turn. ``pair``: the
(GPU, workload) pairs are dealt into ten folds, and a fold is held out whole, all
its precisions and series together.

**What is predicted** is a ratio: the level of a cell is learnt from the other GPUs
of that cell, for the model and for each baseline alike. A held-out row whose cell
has no row left in training is not scored (and is counted as ``unscored``).

**Baselines.** Throughput in proportion to matrix TFLOPS at the row's precision, to
memory bandwidth, to their geometric mean, and to the median DLPerf of the card on
the market; the intercept of a cell is the mean over its training rows.

The interval is the model's own: 1.645 times the log-sd that `train` would estimate
from held-out rows of the *training* folds alone.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.arrays import BoolArray, FloatArray, IntArray
from advisor.throughput.fit.cells import scored_rows, training_rows
from advisor.throughput.fit.kernel import (
    Design,
    covariance,
    design,
    fit,
    held_out,
    table_features,
)
from advisor.throughput.fit.scaling import fit_scaling
from advisor.throughput.spread import Z90, spread90

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from advisor.hardware.gpus import Gpu
    from advisor.throughput.fit.benchmarks import Benchmarks

SPLITS = ("gpu", "pair")
PAIR_FOLDS = 10
SEED = 20261121


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Errors on held-out rows.

    Attributes
    ----------
    splits : split -> ``mape``, ``median_ape``, ``p90_ape``, ``coverage90`` (all
        fractions), ``n``, ``unscored``
    baselines : split -> name -> ``mape``, ``median_ape``, ``p90_ape``, ``n``
    by_gpu, by_workload : split -> name -> ``mape``, ``median_ape``, ``n``
    scaling : interconnect class -> errors of the multi-GPU form, in sample
    """

    splits: Mapping[str, Mapping[str, float]]
    baselines: Mapping[str, Mapping[str, Mapping[str, float]]]
    by_gpu: Mapping[str, Mapping[str, Mapping[str, float]]]
    by_workload: Mapping[str, Mapping[str, Mapping[str, float]]]
    scaling: Mapping[str, Mapping[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def evaluate(
    benchmarks: Benchmarks,
    gpus: Mapping[str, Gpu],
    splits: Sequence[str] = SPLITS,
    dlperf: Mapping[str, float] | None = None,
) -> Evaluation:
    """Hold out, refit, predict, for each split.

    Parameters
    ----------
    benchmarks : the table
    gpus : canonical name -> GPU
    splits : of `SPLITS`
    dlperf : canonical name -> median DLPerf of one GPU; None leaves that baseline out
    """
    rows = benchmarks.select(training_rows(benchmarks, gpus))
    of = design(rows, gpus)
    scored = scored_rows(rows, gpus)
    results: dict[str, dict[str, Any]] = {
        name: {} for name in ("splits", "baselines", "by_gpu", "by_workload")
    }
    for split in splits:
        folds = split_folds(rows, split)
        error, spread = held_out_errors(of, folds, scored)
        results["splits"][split] = metrics(error, spread) | {
            "unscored": int(scored.sum() - np.isfinite(error).sum())
        }
        results["by_gpu"][split] = _grouped(rows.gpu, error)
        results["by_workload"][split] = _grouped(rows.workload, error)
        results["baselines"][split] = {
            name: metrics(_baseline_errors(of, log_rate, folds, scored))
            for name, log_rate in baseline_rates(rows, gpus, dlperf).items()
        }
    return Evaluation(**results, scaling=fit_scaling(benchmarks, gpus))


def split_folds(rows: Benchmarks, split: str) -> IntArray:
    """Return the (N,) fold of each row.

    Raises
    ------
    ValueError
        if `split` is not of `SPLITS`
    """
    if split == "gpu":
        return np.unique(rows.gpu, return_inverse=True)[1]
    if split == "pair":
        names = [f"{g}|{w}" for g, w in zip(rows.gpu, rows.workload, strict=True)]
        unique, code = np.unique(names, return_inverse=True)
        deal = np.random.default_rng(SEED).permutation(len(unique)) % PAIR_FOLDS
        folds: IntArray = deal[code]
        return folds
    message = f"no split {split!r}; there are {', '.join(SPLITS)}"
    raise ValueError(message)


def held_out_errors(
    of: Design, folds: IntArray, scored: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return (N,) ln(predicted / measured) and its log-sd, NaN where not scored.

    Each fold is predicted by a model that was fitted without it; the spread is
    estimated by the same kind of split among the rows that remain.
    """
    kernel = covariance(of)
    error, spread = np.full(len(of.y), np.nan), np.full(len(of.y), np.nan)
    for fold in np.unique(folds[scored]):
        inside = np.flatnonzero(folds != fold)
        out = np.flatnonzero((folds == fold) & scored)
        out = out[np.isin(of.cell[out], of.cell[inside])]
        if not len(out):
            continue
        own = kernel[np.ix_(inside, inside)]
        estimator, offset = fit(own, of.y[inside], of.noise[inside])
        predicted = estimator.predict(kernel[np.ix_(out, inside)]) + offset
        error[out] = predicted - of.y[out]
        errors = held_out(own, of.y[inside], of.noise[inside], folds[inside])
        spread[out] = spread90(errors[scored[inside]])
    return error, spread


def baseline_rates(
    rows: Benchmarks, gpus: Mapping[str, Gpu], dlperf: Mapping[str, float] | None
) -> dict[str, FloatArray]:
    """Return name -> (N,) ln of what throughput is taken to be in proportion to."""
    features = table_features(rows, gpus)
    tflops = np.log(features.matrix_tflops)
    bandwidth = np.log(features.memory_bandwidth_gb_s)
    rates = {
        "tflops": tflops,
        "bandwidth": bandwidth,
        "geometric_mean": 0.5 * (tflops + bandwidth),
    }
    if dlperf is not None:
        scores = [dlperf.get(str(name), np.nan) for name in rows.gpu]
        rates["dlperf"] = np.log(np.array(scores, dtype=np.float64))
    return rates


def load_dlperf(path: Path) -> dict[str, float]:
    """Return canonical name -> median DLPerf of one GPU on the market."""
    with path.open(newline="", encoding="utf-8") as file:
        return {r["gpu"]: float(r["dlperf_per_gpu_median"]) for r in csv.DictReader(file)}


def metrics(error: FloatArray, spread: FloatArray | None = None) -> dict[str, float]:
    """Return the errors' summary; NaN entries are not scored.

    The absolute percentage error of a prediction is abs(exp(error) - 1).
    """
    known = np.isfinite(error)
    if not known.any():
        return {"n": 0}
    ape = np.abs(np.expm1(error[known]))
    result = {
        "mape": float(ape.mean()),
        "median_ape": float(np.median(ape)),
        "p90_ape": float(np.quantile(ape, 0.9)),
        "n": int(known.sum()),
    }
    if spread is not None:
        inside = np.abs(error[known]) <= Z90 * spread[known]
        result["coverage90"] = float(inside.mean())
    return result


def _baseline_errors(
    of: Design, log_rate: FloatArray, folds: IntArray, scored: BoolArray
) -> FloatArray:
    """Return (N,) ln(predicted / measured) of a baseline, NaN where not scored.

    `of.y` is relative to the geometric mean, so what is fitted per cell is the mean
    of ln throughput - log_rate over its training rows.
    """
    geometric = _geometric(of)
    left = of.y + geometric - log_rate
    error = np.full(len(left), np.nan)
    for row in np.flatnonzero(scored & np.isfinite(left)):
        others = (of.cell == of.cell[row]) & (folds != folds[row]) & np.isfinite(left)
        if others.any():
            error[row] = left[others].mean() - left[row]
    return error


def _geometric(of: Design) -> FloatArray:
    """Return the (N,) ln baseline that `of.y` is relative to."""
    raw = of.z * of.scale + of.centre
    geometric: FloatArray = 0.5 * (raw[:, 0] + raw[:, 1])
    return geometric


def _grouped(
    names: np.ndarray[Any, Any], error: FloatArray
) -> dict[str, dict[str, float]]:
    """Return name -> errors of the rows of that name that were scored."""
    known = np.isfinite(error)
    return {str(n): metrics(error[known & (names == n)]) for n in np.unique(names[known])}
