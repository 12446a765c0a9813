"""The intercept of workloads that nobody measured: family and floating-point operations.

What the measured ones need beyond the response of the GPUs is regressed on the logarithm
of their training FLOPs, with an intercept for each family.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import PredefinedSplit

from advisor.base.arrays import FloatArray, StrArray
from advisor.throughput.spread import spread90

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.training.fit.benchmarks import Benchmarks

MIN_OWN_SPREAD = 8
"""Workloads that a family needs for a spread of its own."""

FAMILY_PENALTY = 1.0
"""Ridge penalty of the families' offsets: one family's worth of doubt per workload."""

FOLDS = 50


@dataclass(frozen=True, slots=True)
class FamilyIntercepts:
    """Intercepts by family.

    Attributes
    ----------
    intercepts : family -> intercept (``""``: any other)
    slope : against ln training GFLOPs per unit
    spreads : family -> log-sd (``""``: any other)
    workloads : (N,) names of the workloads behind it
    errors : (N,) intercept less what is predicted without the workload
    """

    intercepts: Mapping[str, float]
    slope: float
    spreads: Mapping[str, float]
    workloads: StrArray
    errors: FloatArray


def training_gflops(rows: Benchmarks) -> FloatArray:
    """Return (N,) 10^9 FLOPs of a training step per unit; NaN where unknown.

    Two FLOPs per multiply-accumulate; a step costs three forward passes, two where
    most weights are frozen (LoRA: no gradient of the weights).
    """
    frozen = np.char.find(rows.family, "lora") >= 0
    return 2.0 * np.where(frozen, 2.0, 3.0) * rows.gmacs


def family_intercepts(rows: Benchmarks, left: FloatArray) -> FamilyIntercepts:
    """Fit the intercepts by ridge regression; their spread by leaving workloads out.

    Parameters
    ----------
    rows : training rows in units that count work
    left : (N,) y less what the model expects of a workload that it does not know
    """
    size = np.log(training_gflops(rows))
    frame = rows.frame()[["workload", "family"]].assign(target=left, size=size)
    by_workload = frame.dropna().groupby("workload")
    means = by_workload[["target", "size"]].mean()
    workloads = means.index.to_numpy(dtype=np.str_)
    target, log_size = (means[name].to_numpy() for name in ("target", "size"))
    families = by_workload["family"].first().to_numpy(dtype=np.str_)
    names = np.unique(families)
    middle = float(log_size.mean())
    codes = (families[:, None] == names[None, :]).astype(np.float64)
    design = np.column_stack([log_size - middle, codes])
    errors = np.empty(len(workloads))
    for training, out in PredefinedSplit(np.arange(len(workloads)) % FOLDS).split():
        intercept, weights = _solve(design[training], target[training])
        errors[out] = target[out] - intercept - design[out] @ weights
    intercept, weights = _solve(design, target)
    base = intercept - float(weights[0]) * middle
    spreads = {"": spread90(errors)}
    for name in names:
        own = errors[families == name]
        if len(own) >= MIN_OWN_SPREAD:
            spreads[str(name)] = spread90(own)
    intercepts = {"": base}
    for name, weight in zip(names, weights[1:], strict=True):
        intercepts[str(name)] = base + float(weight)
    return FamilyIntercepts(intercepts, float(weights[0]), spreads, workloads, errors)


def _solve(design: FloatArray, target: FloatArray) -> tuple[float, FloatArray]:
    ridge = Ridge(alpha=FAMILY_PENALTY).fit(design, target)
    return float(ridge.intercept_), np.asarray(ridge.coef_, dtype=np.float64)
