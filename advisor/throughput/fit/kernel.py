"""The covariance of the GPU model, and the fit of its mean.

Two rows of the benchmark table are the more alike, the more their GPUs are and
the more their work is. The covariance is a sum of parts; each part is a
similarity of GPUs (linear in the features, smooth in them, or "the same card")
times "any work", "same family", "same workload" or "same workload and
precision". A free intercept for each cell (series, workload, precision) takes up
the level, a shared one for each GPU in a series the machine that was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.arrays import FloatArray, IntArray
from advisor.throughput.features import (
    FEATURES,
    GpuFeatures,
    feature_matrix,
    log_baseline,
)
from advisor.throughput.gpu_model import part_names, rbf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.hardware.gpus import Gpu
    from advisor.throughput.fit.benchmarks import Benchmarks

PARTS = ("all", "family", "workload", "pair", "precision")
"""Kinds of blocks, in the order of `advisor.throughput.gpu_model.part_names`."""

# Variances and length scales: maximum of the marginal likelihood on a random 55 %
# of the scored cells (November 2026), under a log-normal prior with log-sd 0.5
# around a first guess; rounded. Fitted once on the whole table, so the splits
# that `evaluate` reports are not nested in them.
LENGTH = np.array([1.73, 2.70, 3.25, 6.08, 5.50, 0.80, 3.67, 1.88])
LINEAR = {"all": 0.075, "family": 0.0079, "workload": 0.0046}
SMOOTH = {"all": 0.0207, "family": 0.0063, "workload": 0.0087, "pair": 0.0109}
SAME_GPU = {"all": 0.0018, "family": 0.0008, "workload": 0.0027, "precision": 0.0010}
BATCH = {"all": 0.0118, "workload": 0.0182}
MACHINE = 0.0006
INTERCEPT = 30.0
NOISE = 0.0024
LOOSE_NOISE = 0.0100
"""Added for series of correlated or launch-limited rows (variance of the log)."""

LOOSE_SERIES = ("pytorch-gpu-benchmark", "siasosp23")


@dataclass(frozen=True, slots=True)
class Design:
    """Rows of the benchmark table as the covariance sees them.

    Attributes
    ----------
    z : (N, 8) standardised features
    centre, scale : (8,) their mean and standard deviation before
    parts : kind of block -> (N,) name of the row's block of that kind
    gpu, series, cell : (N,) codes
    batch : (N,) ln(batch / median batch of the cell), 0 where unknown
    y : (N,) ln(units/s of one GPU / baseline)
    noise : (N,) variance of the error of y
    gpu_names : (N,) canonical names
    """

    z: FloatArray
    centre: FloatArray
    scale: FloatArray
    parts: Mapping[str, IntArray]
    part_names: Mapping[str, tuple[str, ...]]
    gpu: IntArray
    series: IntArray
    cell: IntArray
    batch: FloatArray
    y: FloatArray
    noise: FloatArray
    gpu_names: tuple[str, ...]


def table_features(rows: Benchmarks, gpus: Mapping[str, Gpu]) -> GpuFeatures:
    """Return the features of the GPU of each row, at the row's precision."""
    return GpuFeatures.mixed(
        [gpus.get(str(name)) for name in rows.gpu], [str(p) for p in rows.precision]
    )


def log_efficiency(rows: Benchmarks, gpus: Mapping[str, Gpu]) -> FloatArray:
    """Return (N,) ln(units/s of one GPU / baseline)."""
    rate = np.log(rows.throughput / rows.num_gpus)
    efficiency: FloatArray = rate - log_baseline(table_features(rows, gpus))
    return efficiency


def log_batch(rows: Benchmarks) -> FloatArray:
    """Return (N,) ln(batch / median batch of the cell), 0 where unknown."""
    logs = np.log(rows.batch_size)
    out = np.zeros(len(rows))
    cells = rows.cell
    for cell in np.unique(cells):
        inside = cells == cell
        known = inside & np.isfinite(logs)
        if known.any():
            out[known] = logs[known] - np.median(logs[known])
    return out


def design(rows: Benchmarks, gpus: Mapping[str, Gpu]) -> Design:
    """Describe training rows for the covariance."""
    raw = feature_matrix(table_features(rows, gpus))
    centre, scale = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    filled = np.where(np.isfinite(raw), raw, centre)
    named = [
        part_names(*key)
        for key in zip(rows.family, rows.workload, rows.precision, strict=True)
    ]
    parts, names = {}, {}
    for place, kind in enumerate(PARTS):
        unique, codes = np.unique([n[place] for n in named], return_inverse=True)
        parts[kind], names[kind] = codes, tuple(str(u) for u in unique)
    loose = np.array(
        [any(word in series for word in LOOSE_SERIES) for series in rows.series]
    )
    return Design(
        z=(filled - centre) / scale,
        centre=centre,
        scale=scale,
        parts=parts,
        part_names=names,
        gpu=np.unique(rows.gpu, return_inverse=True)[1],
        series=np.unique(rows.series, return_inverse=True)[1],
        cell=np.unique(rows.cell, return_inverse=True)[1],
        batch=log_batch(rows),
        y=log_efficiency(rows, gpus),
        noise=NOISE + np.where(loose, LOOSE_NOISE, 0.0),
        gpu_names=tuple(str(g) for g in rows.gpu),
    )


def covariance(of: Design, *, response_only: bool = False) -> FloatArray:
    """Return the (N, N) covariance of the rows, without noise.

    Parameters
    ----------
    of : the rows
    response_only : leave out the intercepts of cells and machines
    """

    def weight(scales: Mapping[str, float]) -> FloatArray:
        total = np.zeros((len(of.y), len(of.y)))
        for kind, variance in scales.items():
            total[_same(of.parts[kind])] += variance
        return total

    same_gpu = _same(of.gpu)
    total = of.z @ of.z.T / len(FEATURES) * weight(LINEAR)
    total += rbf(of.z, of.z, LENGTH) * weight(SMOOTH)
    total += same_gpu * weight(SAME_GPU)
    total += np.outer(of.batch, of.batch) * weight(BATCH)
    if not response_only:
        total += MACHINE * (same_gpu & _same(of.series))
        total += INTERCEPT * _same(of.cell)
    return total


def fit(kernel: FloatArray, y: FloatArray, noise: FloatArray) -> tuple[Any, float]:
    """Fit the mean of the process; return scikit-learn's estimator and the offset.

    Kernel ridge regression on a given kernel, a weight of 1 / noise for each row,
    is the posterior mean of the Gaussian process.
    """
    from sklearn.kernel_ridge import KernelRidge  # noqa: PLC0415 (training alone)

    offset = float(y.mean())
    estimator = KernelRidge(alpha=1.0, kernel="precomputed")
    estimator.fit(kernel, y - offset, sample_weight=1.0 / noise)
    return estimator, offset


def held_out(
    kernel: FloatArray, y: FloatArray, noise: FloatArray, folds: IntArray
) -> FloatArray:
    """Return (N,) errors of y when a row's whole fold is held out of the fit.

    Exact and without refitting: with Q the inverse of the covariance, the errors of
    fold B are inverse(Q_BB) (Q y)_B (Rasmussen and Williams 2006, eq. 5.12, for
    blocks).
    """
    inverse = np.linalg.inv(kernel + np.diag(noise))
    pulled = inverse @ (y - y.mean())
    errors = np.empty(len(y))
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        errors[rows] = np.linalg.solve(inverse[np.ix_(rows, rows)], pulled[rows])
    return errors


def _same(codes: IntArray) -> Any:
    return codes[:, None] == codes[None, :]
