"""Time to finish work that failures interrupt: exact expectations and the best interval.

Failures come as a Poisson process of rate L per hour of running. A segment of s hours
must run without one; after a failure a restart of R hours goes before it, in which
failures come as well. With E[exp(-L R)] = phi over the kinds of restart,

    E[failures] = (exp(L s) - 1) / phi,    E[running hours] = E[failures] / L

(renewal argument: each further attempt succeeds with probability phi exp(-L s); the
second is Wald's identity. With one kind of restart this is the running part of the
formula of J. T. Daly, "A higher order estimate of the optimum checkpoint interval for
restart dumps", Future Generation Computer Systems 22 (2006), eq. 13.)
"""

from __future__ import annotations

import numpy as np

from advisor.base.arrays import FloatArray

_LARGEST_EXPONENT = 60.0
"""exp of it, 10^26, is as good as never, and squares of it are still numbers."""


def running_hours(
    segment_h: FloatArray, failures_per_h: FloatArray, phi: FloatArray | float = 1.0
) -> FloatArray:
    """Return the expected hours of running until a segment is done.

    Restarts are included, and waiting for the machine is not. The failures among them
    are `failures_per_h` times as many.

    Parameters
    ----------
    segment_h : hours that must run without a failure, any shape
    failures_per_h : rate of failures, of a shape that broadcasts
    phi : E[exp(-rate x restart)] over the kinds of restart; 1 where the segment itself
        starts anew
    """
    exponent = np.minimum(segment_h * failures_per_h, _LARGEST_EXPONENT)
    growth = np.ones_like(exponent)
    np.divide(np.expm1(exponent), exponent, out=growth, where=exponent > 0.0)
    hours: FloatArray = segment_h * growth / phi
    return hours


def restart_phi(
    failures_per_h: FloatArray,
    restarts_h: tuple[FloatArray, ...],
    shares: tuple[FloatArray | float, ...],
) -> FloatArray:
    """Return E[exp(-rate x restart)] over kinds of restart that come with `shares`."""
    exponents = [
        np.minimum(failures_per_h * restart, _LARGEST_EXPONENT) for restart in restarts_h
    ]
    terms = [
        share * np.exp(-exponent)
        for share, exponent in zip(shares, exponents, strict=True)
    ]
    total: FloatArray = np.sum(np.broadcast_arrays(*terms), axis=0)
    return total


def best_interval_h(cost_h: FloatArray, failures_per_h: FloatArray) -> FloatArray:
    """Return the hours of work between checkpoints that cost least on average.

    Daly's higher-order estimate (eq. 37 of the paper above), of Young's first-order
    sqrt(2 C / L): within 0.1 % of the least time where checkpoints are short.

    Parameters
    ----------
    cost_h : what a checkpoint costs, in hours of running, C
    failures_per_h : rate of failures, L; infinite hours where it is zero
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        between = 1.0 / failures_per_h
        ratio = np.sqrt(cost_h / (2.0 * between))
        root = np.sqrt(2.0 * cost_h * between)
        interval = root * (1.0 + ratio / 3.0 + ratio**2 / 9.0) - cost_h
        best = np.where(cost_h < 2.0 * between, interval, between)
    return np.where(failures_per_h > 0.0, best, np.inf)
