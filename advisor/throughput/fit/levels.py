"""The level of throughput: what a workload needs, apart from the GPU.

The level of a workload and precision is the mean intercept of its series. Where
none measured it, it is carried over from another precision, else from nets of the
same family by their floating-point operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from advisor.arrays import BoolArray, FloatArray
from advisor.throughput.gpu_model import Level
from advisor.throughput.spread import spread90

if TYPE_CHECKING:
    from advisor.throughput.fit.benchmarks import Benchmarks

Levels = Mapping[str, Mapping[str, tuple[Level, ...]]]

REFERENCE_PRECISION = "amp"

FIRST_YEAR = 2018
"""Older series (Torch 7, cuDNN 4 and 5) say nothing about today's spread."""

MIN_OWN_SPREAD = 8
"""Workloads that a family needs for a spread of its own."""

FAMILY_PENALTY = 1.0
"""Ridge penalty of the families' offsets: one family's worth of doubt a workload."""


def series_spread(levels: Levels) -> float:
    """Return the log-sd between series of one workload and precision.

    Series of one framework since `FIRST_YEAR` are compared, as the choice by the
    reference configuration leaves them. From deviations off the mean, scaled for
    the degree of freedom it uses; the log-sd whose 90 % interval holds 90 % of them.
    """
    deviations: list[float] = []
    for _, _, rows in _each(levels):
        for framework in {level.framework for level in rows}:
            values = np.array(
                [
                    level.intercept
                    for level in rows
                    if level.framework == framework and level.year >= FIRST_YEAR
                ]
            )
            n = len(values)
            if n > 1:
                deviations.extend((values - values.mean()) * np.sqrt(n / (n - 1)))
    return spread90(np.array(deviations)) if deviations else 0.0


def precision_offsets(levels: Levels) -> tuple[dict[str, float], float]:
    """Return each precision's offset of the level, and its log-sd.

    Least squares on the series that ran one workload in several precisions; the
    offset of `REFERENCE_PRECISION` is 0. An offset says how far a precision's
    share of *its own* baseline differs.
    """
    groups: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for workload, precision, rows in _each(levels):
        for level in rows:
            key = (workload, level.series)
            groups.setdefault(key, []).append((precision, level.intercept))
    pairs = [group for group in groups.values() if len(group) > 1]
    names = sorted({precision for group in pairs for precision, _ in group})
    free = [name for name in names if name != REFERENCE_PRECISION]
    matrix, target = [], []
    for group in pairs:
        codes = np.array([[p == name for name in free] for p, _ in group], dtype=float)
        values = np.array([value for _, value in group])
        matrix.append(codes - codes.mean(axis=0))
        target.append(values - values.mean())
    if not pairs:
        return {REFERENCE_PRECISION: 0.0}, 0.0
    a, b = np.vstack(matrix), np.concatenate(target)
    solution, *_ = np.linalg.lstsq(a, b, rcond=None)
    # Two values share one mean: a difference has twice the variance of what is left.
    spread = 2.0 * spread90(b - a @ solution)
    offsets = {REFERENCE_PRECISION: 0.0} | {
        name: float(value) for name, value in zip(free, solution, strict=True)
    }
    return offsets, spread


def family_levels(
    rows: Benchmarks, levels: Levels, offsets: Mapping[str, float]
) -> tuple[dict[str, float], float, dict[str, float]]:
    """Fit the level of workloads whose operations are known.

    level - precision offset = intercept + offset of the family + slope x ln(training
    GFLOPs a unit), by ridge regression.

    Returns
    -------
    family -> intercept (``""``: any other), the slope, and the log-sds from leaving
    one workload out: ``family:NAME`` and ``family`` for all
    """
    workloads, families, size, target = _known_sizes(rows, levels, offsets)
    names = sorted(set(families))
    codes = np.array([[f == name for name in names] for f in families], dtype=float)
    design = np.column_stack([size - size.mean(), codes])

    def solve(keep: BoolArray) -> tuple[float, FloatArray]:
        from sklearn.linear_model import Ridge  # noqa: PLC0415 (training alone)

        ridge = Ridge(alpha=FAMILY_PENALTY).fit(design[keep], target[keep])
        return float(ridge.intercept_), np.asarray(ridge.coef_, dtype=np.float64)

    errors = np.empty(len(target))
    unique, codes_of = np.unique(workloads, return_inverse=True)
    folds = np.arange(len(unique)) % min(len(unique), 50)
    for fold in np.unique(folds):
        out = folds[codes_of] == fold
        intercept, weights = solve(~out)
        errors[out] = target[out] - intercept - design[out] @ weights
    intercept, weights = solve(np.ones(len(target), dtype=bool))
    base = intercept - weights[0] * float(size.mean())
    spreads = {"family": spread90(errors)}
    for name in names:
        own = errors[[f == name for f in families]]
        if len(own) >= MIN_OWN_SPREAD:
            spreads[f"family:{name}"] = spread90(own)
    offsets_of = zip(names, weights[1:], strict=True)
    intercepts = {"": base} | {name: base + float(w) for name, w in offsets_of}
    return intercepts, float(weights[0]), spreads


def training_gflops(rows: Benchmarks) -> FloatArray:
    """Return (N,) 10^9 FLOPs of a training step per unit; NaN where unknown.

    Two FLOPs a multiply-accumulate; a step costs three forward passes, two where
    most weights are frozen (LoRA: no gradient of the weights).
    """
    frozen = np.char.find(rows.family, "lora") >= 0
    return 2.0 * np.where(frozen, 2.0, 3.0) * rows.gmacs


def _known_sizes(
    rows: Benchmarks, levels: Levels, offsets: Mapping[str, float]
) -> tuple[list[str], list[str], FloatArray, FloatArray]:
    """Return workload, family, ln training GFLOPs and level where they are known."""
    facts: dict[str, tuple[str, float]] = {}
    for workload, family, size in zip(
        rows.workload, rows.family, training_gflops(rows), strict=True
    ):
        if np.isfinite(size) and size > 0:
            facts[str(workload)] = (str(family), float(np.log(size)))
    records = []
    for workload, precision, series in _each(levels):
        if workload in facts:
            family, size = facts[workload]
            mean = float(np.mean([level.intercept for level in series]))
            records.append((workload, family, size, mean - offsets.get(precision, 0.0)))
    return (
        [r[0] for r in records],
        [r[1] for r in records],
        np.array([r[2] for r in records]),
        np.array([r[3] for r in records]),
    )


def _each(levels: Levels) -> Iterator[tuple[str, str, tuple[Level, ...]]]:
    for workload, by_precision in levels.items():
        for precision, rows in by_precision.items():
            yield workload, precision, rows
