"""What a user's runs say of the user's set-up, and what little of the machine that ran.

A run that is off by a factor of two says so of the set-up: the code, the compiler, the
attention kernel. It says little of the card, whose ratio to others is known within a
tenth. So the set-up has a level of its own, under one of three hypotheses:

- *usual*: it differs from the table's set-ups as these do from each other, which is part
  of the fitted covariance;
- *free, by workload*: anything goes, and workloads of one user have little in common;
- *free, by user*: anything goes, and all workloads of the user share most of it (the same
  code base, the same compiler).

Each hypothesis h is Gaussian: with the errors of the runs ``r``, their covariance ``K_h``
and that of the queries with them ``k_h``, its posterior mean is ``k_h K_h^-1 r``
(Rasmussen and Williams 2006, eq. 2.25), and it weighs as much as its prior times the
density of ``r``. A small surprise leaves the usual set-up likely, and is in part the
card's and chance's; a large one leaves a free level, and moves all GPUs alike, as a
pocket calculator would. The mixture is a prior with a heavy tail. A workload that did
not run is as unsure as the surprises were large: its free level has their mean square
for its variance.

Of a workload that ran, what one GPU is moved by beyond the free level stays within
`MOST_OF_A_CARD` after a large surprise (`LARGE`). After a small one it is what the
process says: there the machine's part counts, and a bound would hide it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.throughput.kernel import INTERCEPT_VARIANCE
from advisor.throughput.spread import Z90


class Hypothesis(NamedTuple):
    """What the level of a set-up may be, see the module.

    Attributes
    ----------
    prior : probability before any run
    variance : of the level, beside that of the fitted covariance
    alike : share of that variance which all workloads of a user have in common
    """

    prior: float
    variance: float
    alike: float


HYPOTHESES = (
    Hypothesis(0.5, 0.0, 0.0),
    Hypothesis(0.25, INTERCEPT_VARIANCE, 0.3),
    Hypothesis(0.25, INTERCEPT_VARIANCE, 0.95),
)
"""Usual, free by workload, free by user (assumption: as likely usual as not)."""

LARGE = math.log(2.0)
"""A surprise, in ln, that is the set-up's (assumption: what a compiler, a precision or an
attention kernel change a rate by)."""

MOST_OF_A_CARD = 0.03
"""By how much at most, in ln, a GPU moves beyond the free level of the set-up after a
surprise of `LARGE` or more: so that the ratio of two GPUs moves by less than a tenth of
it. The ratios themselves err by about as much (split ``gpu`` of the model card)."""

MORE_ROOM = 0.9
"""By how much this bound is wider for each unit that a surprise is smaller than `LARGE`.
Below 1, the slope of the level itself, so that what was measured faster is not predicted
slower; at no surprise the bound is far beyond what cards differ by."""

_HALVINGS = 40  # of the range in which a quantile is: down to 1e-9 of it
_WIDEST_SD = 8.0


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of N predictions for one user, before any run: of ln samples/s.

    Attributes
    ----------
    shared : (N, N) covariance between different machines
    variance : (N,) of one machine, more than the diagonal
    workload : (N,) codes of the workloads
    """

    shared: FloatArray
    variance: FloatArray
    workload: IntArray

    def take(self, rows: IntArray) -> Errors:
        """Return those of `rows`; a row that comes twice stands for two machines."""
        shared = self.shared[np.ix_(rows, rows)]
        return Errors(shared, self.variance[rows], self.workload[rows])


class _Given(NamedTuple):
    """One hypothesis given R runs, of Q queries.

    Attributes
    ----------
    weight : log of its probability, up to a constant
    level : variance of the level of the set-up
    cross : (Q, R) covariance of the queries with the runs
    gain : (Q, R) what a query is moved by for each unit that a run is off by
    """

    weight: float
    level: float
    cross: FloatArray
    gain: FloatArray


def learn(
    errors: Errors, residual: FloatArray, noise: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return what runs change of predictions, and how sure these are then.

    Parameters
    ----------
    errors : of Q queries and, after them, R runs
    residual : (R,) ln(measured / predicted) of the runs
    noise : (R,) variance of it beside the model's

    Returns
    -------
    shift : (Q,) to add to ln samples/s
    sd : (Q,) standard deviation of a normal error with the same 90 % interval
    """
    given = _given(errors, residual, noise)
    odds, before = _odds(given), errors.variance[: len(given[0].gain)]
    mean = np.array([one.gain @ residual for one in given])
    asked, ran = np.split(errors.workload, [len(before)])
    here = np.isin(asked, ran)
    variance = _variances(given, before)
    if not here.all():
        seen = float(np.square(residual).mean())
        of_others = _variances(_given(errors, residual, noise, seen), before)
        variance = np.where(here, variance, of_others)
    sd = np.sqrt(np.maximum(variance, _LEAST))
    shift = np.where(here, _bounded(odds, mean), odds @ mean)
    return shift, _equivalent_sd(odds, mean, sd)


def differences(errors: Errors, residual: FloatArray, noise: FloatArray) -> FloatArray:
    """Return the (Q, Q) variance of how far two machines differ in their errors.

    The machines are of one workload, so that the level of the set-up is not part of it.
    Parameters are those of `learn`.
    """
    given = _given(errors, residual, noise)
    total = np.zeros((len(given[0].gain),) * 2)
    for share, one in zip(_odds(given), given, strict=True):
        count = len(one.gain)
        shared = errors.shared[:count, :count] - one.gain @ one.cross.T
        each = errors.variance[:count] - (one.gain * one.cross).sum(axis=1)
        total += share * (each[:, None] + each[None, :] - 2.0 * shared)
    return np.maximum(total, 0.0)


def _variances(given: Sequence[_Given], before: FloatArray) -> FloatArray:
    """Return the (H, Q) variances of queries that had those `before`, by hypothesis."""
    return np.array(
        [before + one.level - (one.gain * one.cross).sum(axis=1) for one in given]
    )


def _given(
    errors: Errors, residual: FloatArray, noise: FloatArray, widest: float = math.inf
) -> list[_Given]:
    """Return each hypothesis given the runs, no level of more variance than `widest`."""
    count = len(errors.variance) - len(residual)
    own = (errors.variance - np.diag(errors.shared))[count:] + noise
    same = errors.workload[:, None] == errors.workload[None, count:]
    found = []
    for one in HYPOTHESES:
        level = min(one.variance, widest)
        with_runs = errors.shared[:, count:] + level * np.where(same, 1.0, one.alike)
        cross, among = with_runs[:count], with_runs[count:] + np.diag(own)
        gain = np.asarray(np.linalg.solve(among, cross.T).T, dtype=np.float64)
        weight = math.log(one.prior) + _log_density(residual, among)
        found.append(_Given(weight, level, cross, gain))
    return found


def _odds(given: Sequence[_Given]) -> FloatArray:
    """Return the probabilities of the hypotheses."""
    weight = np.array([one.weight for one in given])
    odds: FloatArray = np.exp(weight - weight.max())
    odds /= odds.sum()
    return odds


_LEAST = 1e-6  # variance: nothing is known exactly


def _log_density(residual: FloatArray, covariance: FloatArray) -> float:
    """Return the log density of a residual, less a constant of its length."""
    _, log_determinant = np.linalg.slogdet(covariance)
    distance = residual @ np.linalg.solve(covariance, residual)
    return -0.5 * float(log_determinant + distance)


def _bounded(odds: FloatArray, mean: FloatArray) -> FloatArray:
    """Return the (Q,) mean of a mixture, within a bound of the free level."""
    free = np.array([one.variance > 0.0 for one in HYPOTHESES])
    level = odds[free] @ mean[free] / odds[free].sum()
    beyond = odds @ mean - level
    most = MOST_OF_A_CARD + MORE_ROOM * np.maximum(LARGE - np.abs(level), 0.0)
    bounded: FloatArray = level + np.clip(beyond, -most, most)
    return bounded


def _equivalent_sd(odds: FloatArray, mean: FloatArray, sd: FloatArray) -> FloatArray:
    """Return (Q,) half the 90 % interval of a mixture, in deviates of the normal."""
    low, high = (_quantile(p, odds, mean, sd) for p in (0.05, 0.95))
    half: FloatArray = (high - low) / (2.0 * Z90)
    return half


def _quantile(
    share: float, odds: FloatArray, mean: FloatArray, sd: FloatArray
) -> FloatArray:
    """Return a (Q,) quantile of mixtures of normals, by bisection."""
    low = (mean - _WIDEST_SD * sd).min(axis=0)
    high = (mean + _WIDEST_SD * sd).max(axis=0)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        below = odds @ _normal_cdf((middle - mean) / sd) < share
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    found: FloatArray = 0.5 * (low + high)
    return found


def _normal_cdf(deviate: FloatArray) -> FloatArray:
    below: FloatArray = 0.5 * (1.0 + _erf(deviate / math.sqrt(2.0)))
    return below


_erf = np.vectorize(math.erf, otypes=[np.float64])
