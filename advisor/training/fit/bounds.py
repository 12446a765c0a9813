"""Rows that input or launch limits: the GPU is at least as fast as they say."""

from __future__ import annotations

import numpy as np

from advisor.base.arrays import IntArray
from advisor.training.fit.design import Design
from advisor.training.fit.likelihood import Fitted
from advisor.training.fit.posterior import Posterior, posterior

BOUND_ROUNDS = 20
"""Rounds at most of the search for the binding lower bounds; it settles in three."""


def with_binding_bounds(of: Design, training: IntArray, fitted: Fitted) -> Posterior:
    """Return the posterior given that the GPU is at least as fast as each bound.

    A bound that lies above what the rest expects counts as a measurement, the others
    not at all: the maximum of the posterior under one-sided errors, found by trying
    until the set of binding bounds stays.

    Parameters
    ----------
    of : the design
    training : places in it of the measurements; all others are lower bounds
    fitted : covariance and noise
    """
    bounds = np.setdiff1d(np.arange(len(of)), training)
    full = posterior(of, training, fitted)
    binding = np.empty(0, dtype=np.int64)
    for _ in range(BOUND_ROUNDS if len(bounds) else 0):
        shared = fitted.covariance.between(
            of.inputs.take(bounds), of.inputs.take(full.rows), own=True
        )
        expected = full.mean + shared @ full.weights
        now = bounds[of.y[bounds] > expected]
        if np.array_equal(now, binding):
            break
        binding = now
        full = posterior(of, np.concatenate([training, binding]), fitted)
    return full
