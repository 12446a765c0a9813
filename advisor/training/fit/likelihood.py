"""Fit the covariance: the maximum of its posterior, with analytic gradients.

The logarithms of variances, length scales and noises have normal priors around
starting values (standard deviation `PRIOR_SD`); data are Gaussian given them
(Rasmussen and Williams 2006, eq. 5.9). The prior keeps parts that a subset says
little about from running away.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from advisor.base.arrays import FloatArray, IntArray
from advisor.base.progress import Progress, quiet
from advisor.throughput.kernel import (
    OWN_PARTS,
    PARTS,
    Covariance,
    Inputs,
    same,
    similarities,
)
from advisor.training.fit.design import NOISE_GROUPS, Design

PRIOR_SD = 1.0
"""Standard deviation of the prior of each logarithm: a factor of 2.7 either way."""

START_LENGTH = 3.0
"""Length scale that the fit starts from, in standard deviations of a feature."""

START_NOISE = 0.003
"""Variance of the noise that the fit starts from: 5 % of a throughput."""

MAX_ROWS = 1100
"""Rows that the covariance is fitted on: whole comparison groups drawn at random, as the
cost grows with the cube. The mean and the spread use all rows."""

ITERATIONS = 30
SEED = 20261125

_ALL = (*PARTS, *OWN_PARTS)
_FREE_INTERCEPT = next(i for i, p in enumerate(_ALL) if p[:2] == ("one", "workload"))


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted covariance and noise.

    Attributes
    ----------
    covariance : see `Covariance`
    noise : (G,) variance of the error of a row, of each of `NOISE_GROUPS`
    """

    covariance: Covariance
    noise: FloatArray


def fit_covariance(
    of: Design,
    rows: IntArray,
    max_rows: int = MAX_ROWS,
    progress: Progress = quiet,
) -> Fitted:
    """Fit on (a random choice of the comparison groups of) `rows`."""
    chosen = choose_groups(of.comparison_group, rows, max_rows)
    inputs, y = of.inputs.take(chosen), of.y[chosen]
    objective = _Objective(inputs, y - y.mean(), of.noise_group[chosen])
    start = objective.start
    free = np.ones(len(start), dtype=bool)
    free[_FREE_INTERCEPT] = False

    def loss(values: FloatArray) -> tuple[float, FloatArray]:
        theta = start.copy()
        theta[free] = values
        value, gradient = objective(theta)
        return value, gradient[free]

    steps = itertools.count(1)

    def tell(_: FloatArray) -> None:
        progress("fitting the covariance", next(steps), ITERATIONS, "steps at most")

    progress("fitting the covariance", 0, ITERATIONS, "steps at most")
    found = minimize(
        loss,
        start[free],
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": ITERATIONS, "maxls": 15},
        bounds=[(v - 6.0, v + 6.0) for v in start[free]],
        callback=tell,
    )
    progress("")
    theta = start.copy()
    theta[free] = found.x
    return unpack(theta, of.inputs.z.shape[1])


def choose_groups(comparison_group: IntArray, rows: IntArray, most: int) -> IntArray:
    """Return about `most` of `rows`: whole comparison groups, in a fixed random order."""
    order = np.random.default_rng(SEED).permutation(np.unique(comparison_group[rows]))
    place = np.empty(int(comparison_group.max()) + 1, dtype=np.int64)
    place[order] = np.arange(len(order))
    by_group = rows[np.argsort(place[comparison_group[rows]], kind="stable")]
    if len(by_group) <= most:
        return np.sort(by_group)
    last = comparison_group[by_group[most]]
    whole = np.flatnonzero(comparison_group[by_group[:most]] != last)
    chosen = by_group[whole] if len(whole) else by_group[:most]
    return np.sort(chosen)


def unpack(theta: FloatArray, features: int) -> Fitted:
    """Read the logarithms: parts, own parts, lengths, noises."""
    ends = np.cumsum([len(PARTS), len(OWN_PARTS), features])
    variances, own, lengths, noise = np.split(np.exp(theta), ends)
    return Fitted(Covariance(variances, own, lengths), noise)


class _Objective:
    """Negative log posterior of the logarithms, and its gradient."""

    def __init__(self, inputs: Inputs, y: FloatArray, group: IntArray) -> None:
        self.inputs, self.y, self.group = inputs, y, group
        self.features = inputs.z.shape[1]
        lengths = np.full(self.features, START_LENGTH)
        noise = np.full(len(NOISE_GROUPS), START_NOISE)
        starts = [part.start for part in _ALL]
        self.start = np.log(np.concatenate([starts, lengths, noise]))
        kinds = {part.kind for part in _ALL} | {"gpu"}
        # Most kinds are shared by few pairs of rows: places are quicker than masks.
        self.shared = {k: np.flatnonzero(same(inputs, inputs, k)) for k in kinds}
        self.fixed = {
            sort: similarities(sort, inputs, inputs, lengths)
            for sort in ("linear", "batch", "gpu")
        }

    def __call__(self, theta: FloatArray) -> tuple[float, FloatArray]:
        fitted = unpack(theta, self.features)
        lengths = fitted.covariance.lengths
        smooth = similarities("smooth", self.inputs, self.inputs, lengths)
        sims = {**self.fixed, "smooth": smooth, "one": 1.0}
        variances = np.exp(theta[: len(_ALL)])
        n = len(self.y)
        weights = self._weights(variances)
        total = sum((w * sims[s] for s, w in weights.items()), np.zeros((n, n)))
        total[np.diag_indices(n)] += fitted.noise[self.group]
        factor = cho_factor(total, lower=True, check_finite=False)
        inverse = _inverse(factor[0])
        alpha = inverse @ self.y
        away = (theta - self.start) / PRIOR_SD
        value = 0.5 * self.y @ alpha + np.log(np.diag(factor[0])).sum()
        pull = inverse - np.outer(alpha, alpha)
        gradient = self._gradient(
            pull=pull,
            sims=sims,
            weights=weights,
            variances=variances,
            lengths=lengths,
            noise=fitted.noise,
        )
        return float(value + 0.5 * away @ away), gradient + away / PRIOR_SD

    def _weights(self, variances: FloatArray) -> dict[str, FloatArray]:
        """Return similarity -> what it is multiplied with, summed over its parts."""
        weights: dict[str, FloatArray] = {}
        for part, variance in zip(_ALL, variances, strict=True):
            n = len(self.y)
            weight = weights.setdefault(part.similarity, np.zeros((n, n)))
            weight.reshape(-1)[self.shared[part.kind]] += variance
        return weights

    def _gradient(
        self,
        *,
        pull: FloatArray,
        sims: dict[str, FloatArray | float],
        weights: dict[str, FloatArray],
        variances: FloatArray,
        lengths: FloatArray,
        noise: FloatArray,
    ) -> FloatArray:
        """Return the gradient of the likelihood; `pull` is K^-1 - alpha alpha^T."""
        pulled = {sort: (pull * sims[sort]).ravel() for sort in weights}
        parts = [
            0.5 * variance * pulled[part.similarity][self.shared[part.kind]].sum()
            for part, variance in zip(_ALL, variances, strict=True)
        ]
        smooth = pull * sims["smooth"] * weights["smooth"]
        rows = smooth.sum(axis=1)
        scaled = self.inputs.z / lengths
        along = [rows @ x**2 - x @ smooth @ x for x in scaled.T]
        diagonal = np.diag(pull)
        noises = [
            0.5 * noise[g] * diagonal[self.group == g].sum() for g in range(len(noise))
        ]
        return np.array([*parts, *along, *noises])


def inverse_of(matrix: FloatArray) -> FloatArray:
    """Return the inverse of a positive definite matrix, symmetric to the bit.

    Half the work of what does not know that it is one.
    """
    return _inverse(cho_factor(matrix, lower=True, check_finite=False)[0])


def _inverse(factor: FloatArray) -> FloatArray:
    """Return the inverse of a matrix from its lower Cholesky factor.

    A third of the work of solving for the identity.
    """
    lower, _ = dpotri(factor, lower=1)
    lower = np.tril(lower)
    inverse: FloatArray = lower + np.tril(lower, -1).T
    return inverse
