"""The fit of the level of workloads that nobody measured.

What the measured ones need beyond the response of the GPUs is regressed on their
operations, parameters, family and lineage (`advisor.throughput.intercept`). The variances
of the weights maximize the marginal likelihood (Rasmussen and Williams 2006, eq. 2.30),
with a normal prior on their logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from advisor.base.arrays import FloatArray, StrArray
from advisor.throughput.intercept import (
    CURVES,
    InterceptModel,
    Needs,
    features,
    lineage_of,
)
from advisor.throughput.spread import spread90

if TYPE_CHECKING:
    from advisor.training.fit.benchmarks import Benchmarks

LEVEL_VARIANCE = 4.0
"""Prior variance of the constant: a factor of seven either way."""

START = {"slope": 1.0, "curve": 0.05, "family": 0.3, "lineage": 0.3, "noise": 0.08}
"""Variances that the fit starts from and shrinks to."""

PRIOR_SD = 1.0
"""Standard deviation of the prior of each variance's logarithm."""

BENT = (0.01, 0.99)
"""Quantiles of the measured workloads between which the regression may curve."""


@dataclass(frozen=True, slots=True)
class Intercepts:
    """The fitted regression, and how it does on what it has not seen.

    Attributes
    ----------
    model : see `InterceptModel`
    workloads, families : (W,) names of the workloads behind it, and their families
    errors : (W,) intercept less what is predicted without the workload
    """

    model: InterceptModel
    workloads: StrArray
    families: StrArray
    errors: FloatArray


def training_gflops(rows: Benchmarks) -> FloatArray:
    """Return (N,) 10^9 FLOPs of a training step per unit; NaN where unknown.

    Two FLOPs per multiply-accumulate; a step costs three forward passes, two where
    most weights are frozen (LoRA: no gradient of the weights), as the family tells of
    language models and the task of diffusion.
    """
    frozen = np.char.find(rows.family, "lora") >= 0
    frozen |= np.char.find(rows.task, "lora") >= 0
    return 2.0 * np.where(frozen, 2.0, 3.0) * rows.gmacs


def fit_intercepts(rows: Benchmarks, left: FloatArray) -> Intercepts:
    """Fit the intercepts; their spread by leaving workloads out.

    Parameters
    ----------
    rows : training rows in units that count work
    left : (N,) y less what the model expects of a workload that it does not know
    """
    frame = rows.frame()[["workload", "family", "params_m"]].assign(
        left=left, gflops=training_gflops(rows)
    )
    by_workload = frame.dropna(subset=["left", "gflops"]).groupby("workload")
    means = by_workload[["left", "gflops", "params_m"]].mean()
    workloads = means.index.to_numpy(dtype=np.str_)
    families = by_workload["family"].first().to_numpy(dtype=np.str_)
    needs = Needs(
        family=families.tolist(),
        lineage=[lineage_of(name) for name in workloads.tolist()],
        gflops=means["gflops"].to_numpy(),
        params_m=means["params_m"].to_numpy(),
    )
    target = means["left"].to_numpy() + np.log(needs.gflops)
    model, errors = _regressed(_unfitted(needs), needs, target)
    return Intercepts(model, workloads, families, errors)


def _unfitted(needs: Needs) -> InterceptModel:
    """Return the regression with its scales, before any weight."""
    size = np.log(needs.gflops)
    raw = np.column_stack([size, np.log(needs.params_m) - size])
    center, scale = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    scale = np.where(scale > 0.0, scale, 1.0)
    low, high = np.nanquantile((raw - center) / scale, BENT, axis=0)
    families, lineages = sorted(set(needs.family)), sorted(set(needs.lineage))
    count = CURVES + len(families) + len(lineages)
    return InterceptModel(
        families=families,
        lineages=lineages,
        center=center,
        scale=scale,
        low=low,
        high=high,
        weights=np.zeros(count),
        covariance=np.zeros((count, count)),
        family_variance=START["family"],
        lineage_variance=START["lineage"],
        noise=START["noise"],
        factor=1.0,
    )


def _regressed(
    model: InterceptModel, needs: Needs, target: FloatArray
) -> tuple[InterceptModel, FloatArray]:
    """Return the regression with its weights, and (W,) errors of workloads left out."""
    phi = features(model, needs)
    start = np.log(list(START.values()))

    def loss(theta: FloatArray) -> float:
        prior, noise = _variances(np.exp(theta), model)
        inverse = _precision(phi, prior, noise)
        _, log_determinant = np.linalg.slogdet(inverse)
        weights = np.linalg.solve(inverse, phi.T @ target / noise)
        rest = target - phi @ weights
        distance = rest @ rest / noise + weights @ (weights / prior)
        volume = log_determinant + np.log(prior).sum() + len(target) * np.log(noise)
        shrunk = (((theta - start) / PRIOR_SD) ** 2).sum()
        return float(0.5 * (distance + volume + shrunk))

    found = minimize(loss, start, method="L-BFGS-B")
    prior, noise = _variances(np.exp(found.x), model)
    covariance = np.linalg.inv(_precision(phi, prior, noise))
    covariance = (covariance + covariance.T) / 2.0
    weights = covariance @ phi.T @ target / noise
    # Exact without refitting: the error over 1 - the leverage of the row.
    leverage = np.einsum("nk,kl,nl->n", phi, covariance, phi) / noise
    errors = (target - phi @ weights) / (1.0 - leverage)
    spread = np.sqrt(noise / (1.0 - leverage))
    named = dict(zip(START, np.exp(found.x).tolist(), strict=True))
    fitted = replace(
        model,
        weights=weights,
        covariance=covariance,
        family_variance=named["family"],
        lineage_variance=named["lineage"],
        noise=noise,
        factor=max(spread90(errors / spread), 1.0),
    )
    return fitted, errors


def _variances(values: FloatArray, model: InterceptModel) -> tuple[FloatArray, float]:
    """Return the (K,) prior variances of the weights, and the noise."""
    slope, curve, family, lineage, noise = values
    prior = np.concatenate(
        [
            [LEVEL_VARIANCE, slope, slope, curve, curve, curve],
            np.full(len(model.families), family),
            np.full(len(model.lineages), lineage),
        ]
    )
    return prior, float(noise)


def _precision(phi: FloatArray, prior: FloatArray, noise: float) -> FloatArray:
    """Return the (K, K) inverse of the covariance of the weights."""
    precision: FloatArray = phi.T @ phi / noise + np.diag(1.0 / prior)
    return precision
