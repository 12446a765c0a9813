"""The posterior of the GPU model: on all rows, held out, and compressed.

With K the covariance of the rows (noise included) and Q its inverse, a new point with
covariances k has mean k^T Q y and variance k(x, x) - k^T Q k. Rows that a profile
cannot tell apart (same GPU, precision, batch, workload, framework, format) share k, so
Q and Q y can be summed over them without loss: that is what the artefact keeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.throughput.kernel import LABELS, Inputs
from advisor.training.fit.design import Design
from advisor.training.fit.likelihood import Fitted


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
    inverse = np.linalg.inv(total)
    inverse = (inverse + inverse.T) / 2.0
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


@dataclass(frozen=True, slots=True)
class Compressed:
    """The posterior on the M distinct points of its rows.

    Attributes
    ----------
    points : M inputs, with the labels of a profile
    inverse : (M, M) sums of Q
    weights : (M,) sums of Q (y - mean)
    mean : mean of y
    first : (M,) position in the design of one row of each point
    """

    points: Inputs
    inverse: FloatArray
    weights: FloatArray
    mean: float
    first: IntArray


def compress(of: Design, full: Posterior) -> Compressed:
    """Sum over rows that no profile can tell apart."""
    inputs = of.inputs.take(full.rows)
    codes = [inputs.labels[kind] for kind in LABELS]
    key = np.column_stack([inputs.z, inputs.batch, *codes])
    _, first, place = np.unique(key, axis=0, return_index=True, return_inverse=True)
    place = place.reshape(-1)
    rows = np.zeros((len(first), len(full.rows)))
    np.add.at(rows, place, full.inverse)
    inverse, weights = np.zeros((len(first), len(first))), np.zeros(len(first))
    np.add.at(inverse.T, place, rows.T)
    np.add.at(weights, place, full.weights)
    points = inputs.take(first)
    return Compressed(
        points=Inputs(points.z, points.batch, {k: points.labels[k] for k in LABELS}),
        inverse=inverse,
        weights=weights,
        mean=full.mean,
        first=full.rows[first],
    )
