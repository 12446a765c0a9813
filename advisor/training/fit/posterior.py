"""The posterior of the GPU model: on all rows, held out, and compressed.

With K the covariance of the rows (noise included) and Q its inverse, a new point with
covariances k has mean k^T Q y and variance k(x, x) - k^T Q k. The artifact keeps what
Q says of the parts that workloads share, on the few inputs that these have
(`advisor.throughput.process`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.throughput.kernel import LABELS, Inputs
from advisor.throughput.process import Process
from advisor.training.fit.design import Design
from advisor.training.fit.likelihood import Fitted, inverse_of

Names = Mapping[str, Sequence[str]]
"""Kind -> the label of each code."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """The posterior on N rows.

    Attributes
    ----------
    rows : (N,) places in the design
    inverse : (N, N) Q
    weights : (N,) Q (y - mean)
    mean : mean of y
    """

    rows: IntArray
    inverse: FloatArray
    weights: FloatArray
    mean: float


def posterior(
    of: Design,
    rows: IntArray,
    fitted: Fitted,
    *,
    extra_noise: FloatArray | None = None,
    mean: float | None = None,
) -> Posterior:
    """Invert the covariance of `rows`.

    Parameters
    ----------
    of : the design
    rows : (N,) places in it
    fitted : covariance and noise
    extra_noise : (N,) added to the noise of each row; None: nothing
    mean : of y a priori; None: that of the rows
    """
    inputs = of.inputs.take(rows)
    total = fitted.covariance.between(inputs, inputs, own=True)
    noise = fitted.noise[of.noise_group[rows]]
    if extra_noise is not None:
        noise = noise + extra_noise
    total[np.diag_indices(len(rows))] += noise
    inverse = inverse_of(total)
    if mean is None:
        mean = float(of.y[rows].mean())
    return Posterior(rows, inverse, inverse @ (of.y[rows] - mean), mean)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What the rows of one fold look like to a model that has not seen them.

    Attributes
    ----------
    places : (n,) positions of the rows in `Posterior.rows`
    error : (n,) y less its predicted mean
    covariance : (n, n) of these errors, noise included
    """

    places: IntArray
    error: FloatArray
    covariance: FloatArray


def held_out(of: Posterior, folds: IntArray, wanted: Iterable[int]) -> list[HeldOut]:
    """Return each wanted fold as predicted from all rows outside it.

    Exact and without refitting: the errors of fold B are (Q_BB)^-1 (Q y)_B, their
    covariance (Q_BB)^-1 (Rasmussen and Williams 2006, eq. 5.12, for blocks).

    Parameters
    ----------
    of : posterior on N rows
    folds : (N,) fold of each
    wanted : folds to look at
    """
    found = []
    for fold in wanted:
        places = np.flatnonzero(folds == fold)
        block = of.inverse[np.ix_(places, places)]
        covariance = np.linalg.inv(block).astype(np.float64)
        found.append(HeldOut(places, covariance @ of.weights[places], covariance))
    return found


LEFT_VARIANCE = 1e-7
"""Variance of a shared part that no inducing input need explain: rounding. The parts
are a few thousandths and more."""


def compress(of: Design, full: Posterior, fitted: Fitted) -> tuple[Process, Names]:
    """Return the posterior without its (N, N) matrix, and the names of its labels.

    Parameters
    ----------
    of : the design
    full : posterior on N rows of it
    fitted : covariance and noise that it rests on
    """
    inputs, names = _named_anew(of.inputs.take(full.rows), of.names)
    prior = fitted.covariance.between(inputs, inputs, own=True, scope="shared")
    inducing = inducing_rows(prior)
    among = prior[np.ix_(inducing, inducing)]
    projected = np.linalg.solve(among, prior[inducing])  # K_gUU^-1 K_gUX
    explained = projected @ full.inverse @ projected.T
    explained = ((explained + explained.T) / 2.0).astype(np.float32).astype(np.float64)
    process = Process(
        covariance=fitted.covariance,
        mean=full.mean,
        rows=inputs,
        noise=fitted.noise[of.noise_group[full.rows]],
        weights=full.weights,
        inducing=inducing,
        shared_weights=projected @ full.weights,
        half_explained=np.triu(explained) - np.diag(np.diag(explained)) / 2.0,
    )
    return process, names


def inducing_rows(prior: FloatArray, left: float = LEFT_VARIANCE) -> IntArray:
    """Return rows whose values tell those of all others, but for a variance `left`.

    Each is the one of which the ones before tell least: the pivots of an incomplete
    Cholesky factorization (Fine and Scheinberg 2001).

    Parameters
    ----------
    prior : (N, N) covariance
    left : variance of any row given them, at most
    """
    variance = np.diag(prior).copy()
    factor = np.zeros_like(prior)
    chosen: list[int] = []
    while len(chosen) < len(prior) and variance.max() > left:
        pivot, known = int(variance.argmax()), len(chosen)
        rest = prior[:, pivot] - factor[:, :known] @ factor[pivot, :known]
        factor[:, known] = rest / np.sqrt(variance[pivot])
        variance -= factor[:, known] ** 2
        variance[pivot] = 0.0
        chosen.append(pivot)
    return np.array(chosen, dtype=np.int64)


def _named_anew(inputs: Inputs, names: Names) -> tuple[Inputs, Names]:
    """Return inputs whose codes are those of their own labels, and their names."""
    found: dict[str, Sequence[str]] = {}
    labels = {}
    for kind, codes in inputs.labels.items():
        used, labels[kind] = np.unique(codes, return_inverse=True)
        if kind in LABELS:
            found[kind] = [names[kind][code] for code in used]
    return Inputs(inputs.z, inputs.batch, labels), found
