"""The renewal formulas: by hand, at their limits, and against each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.cost.renewal import best_interval_h, restart_phi, running_hours

hours = st.floats(1e-3, 30.0)
rates = st.floats(1e-6, 0.5)


def one(value: float) -> np.ndarray:
    return np.array([value])


def test_without_failures_a_stretch_takes_its_length() -> None:
    """At a rate of zero not even a rounding error is added."""
    assert running_hours(one(3.7), one(0.0))[0] == 3.7
    assert running_hours(one(0.0), one(0.3))[0] == 0.0


@given(hours, rates, hours)
def test_one_kind_of_restart_is_dalys_formula(s: float, rate: float, r: float) -> None:
    """Running time is e^(L R) (e^(L s) - 1) / L, as published."""
    phi = restart_phi(one(rate), (one(r),), (1.0,))
    by_hand = math.exp(rate * r) * math.expm1(rate * s) / rate
    assert running_hours(one(s), one(rate), phi)[0] == pytest.approx(by_hand)


@given(hours, rates, rates)
def test_more_failures_never_take_less(s: float, one_rate: float, other: float) -> None:
    """The expected time does not fall when the rate rises."""
    low, high = sorted((one_rate, other))
    at = [running_hours(one(s), one(rate))[0] for rate in (low, high)]
    assert at[0] <= at[1] * (1 + 1e-12)


def test_a_hopeless_job_has_a_finite_cost() -> None:
    """A stretch that no machine survives takes very long, but is a number."""
    phi = restart_phi(one(1e3), (one(50.0),), (1.0,))
    assert np.isfinite(running_hours(one(1e3), one(1e3), phi)[0])


@given(st.floats(1e-3, 0.2), st.floats(1e-4, 0.05))
def test_the_best_interval_is_the_best(cost: float, rate: float) -> None:
    """No other interval takes noticeably less time per hour of work."""
    best = float(best_interval_h(one(cost), one(rate))[0])

    def waste(interval: float) -> float:
        return float(running_hours(one(interval + cost), one(rate))[0]) / interval

    others = min(waste(best * factor) for factor in np.geomspace(0.3, 3.0, 61))
    assert waste(best) <= others * 1.001


def test_without_failures_no_checkpoint_is_needed() -> None:
    """The best interval is endless where nothing fails."""
    assert best_interval_h(one(0.1), one(0.0))[0] == math.inf


def test_the_first_order_of_the_best_interval_is_youngs() -> None:
    """Where checkpoints are cheap it is sqrt(2 C / L)."""
    found = best_interval_h(one(1e-6), one(1e-4))[0]
    assert found == pytest.approx(math.sqrt(2 * 1e-6 / 1e-4), rel=1e-3)
