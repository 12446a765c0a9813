"""The level of a workload that nobody measured: what such nets reach of a GPU.

ln(rate at which a workload computes / baseline of the GPU), in FLOP/s over the geometric
mean of matrix rate and bandwidth, is linear in what is known of the workload,

    ln(achieved / baseline) = w^T phi,
    phi = 1, s, d, s'^2, d'^2, s' d', family, lineage

with s the standardized logarithm of the operations of a sample, d that of parameters per
operation (how often a weight is used), s' and d' the same within the range that was
measured, so that nothing bends beyond it; and an offset of each family and of each
*lineage*: nets whose names begin alike, such as all ResNets. The weights are normal a
priori, those of one kind with one variance (Bayesian linear regression: Rasmussen and
Williams 2006, section 2.1.1); they and their covariance come from every measured workload
whose operations are known (`advisor.training.fit.intercepts`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advisor.base.arrays import FloatArray

CURVES = 6
"""Entries of phi before the families: 1, s, d, s'^2, d'^2, s' d'."""

_PREFIXES = re.compile(r"^(?:tf|timm|hf|torchvision)[_/-]")


def lineage_of(name: str) -> str:
    """Return what the name of a net begins with: ``"resnet"`` of ``"resnet50"``.

    Examples
    --------
    >>> lineage_of("ResNet50"), lineage_of("tf_efficientnetv2_b0"), lineage_of("vit-b16")
    ('resnet', 'efficientnetv', 'vit')
    """
    bare = _PREFIXES.sub("", name.lower())
    word = re.match(r"[a-z]+", bare)
    return word.group() if word else bare


@dataclass(frozen=True, slots=True)
class Needs:
    """What is known of N workloads.

    Attributes
    ----------
    family, lineage : (N,) see `lineage_of`
    gflops : (N,) 10^9 FLOPs of a training step per unit
    params_m : (N,) 10^6 parameters; NaN where unknown
    """

    family: Sequence[str]
    lineage: Sequence[str]
    gflops: FloatArray
    params_m: FloatArray


@dataclass(frozen=True, slots=True)
class InterceptModel:
    """The regression: part ``intercept`` of the section ``gpu`` of the artifact.

    Attributes
    ----------
    families, lineages : names of the offsets
    center, scale : (2,) of s and d
    low, high : (2,) range of s and d, standardized, within which they curve
    weights : (K,) posterior mean, K = `CURVES` + families + lineages
    covariance : (K, K) of the weights
    family_variance, lineage_variance : prior ones, of an offset that nobody measured
    noise : variance of a workload about it
    factor : on the spread, so that 90 % intervals hold 90 % of workloads left out
    """

    families: Sequence[str]
    lineages: Sequence[str]
    center: FloatArray
    scale: FloatArray
    low: FloatArray
    high: FloatArray
    weights: FloatArray
    covariance: FloatArray
    family_variance: float
    lineage_variance: float
    noise: float
    factor: float

    def predict(self, needs: Needs) -> tuple[FloatArray, FloatArray]:
        """Return the (N,) intercepts, ln(units/s / baseline), and their log-sd."""
        phi = features(self, needs)
        variance = np.einsum("nk,kl,nl->n", phi, self.covariance, phi) + self.noise
        variance += self.family_variance * ~_known(needs.family, self.families)
        variance += self.lineage_variance * ~_known(needs.lineage, self.lineages)
        mean: FloatArray = phi @ self.weights - np.log(needs.gflops)
        return mean, self.factor * np.sqrt(variance)


def features(model: InterceptModel, needs: Needs) -> FloatArray:
    """Return the (N, K) features phi of workloads."""
    raw = np.column_stack(
        [np.log(needs.gflops), np.log(needs.params_m) - np.log(needs.gflops)]
    )
    # Parameters that nobody tells count as the usual number for the operations.
    place = np.nan_to_num((raw - model.center) / model.scale)
    s, d = place.T
    bent_s, bent_d = np.clip(place, model.low, model.high).T
    curves = [np.ones(len(s)), s, d, bent_s**2, bent_d**2, bent_s * bent_d]
    offsets = [
        np.array(of)[:, None] == np.array(names, dtype=np.str_)[None, :]
        for of, names in (
            (needs.family, model.families),
            (needs.lineage, model.lineages),
        )
    ]
    return np.column_stack([*curves, *offsets]).astype(np.float64)


def _known(names: Sequence[str], of: Sequence[str]) -> np.ndarray:
    known: np.ndarray = np.array([name in of for name in names], dtype=bool)
    return known
