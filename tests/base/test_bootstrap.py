"""Bootstrap intervals: whole clusters are drawn, and the sums are right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.bootstrap import (
    clustered_interval,
    weighted_mean,
    weighted_median,
)

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12)


@given(values=VALUES, data=st.data())
def test_weights_are_repetitions(values: list[float], data: st.DataObject) -> None:
    """A value of weight k counts as k equal values, in mean and median."""
    weights = data.draw(
        st.lists(st.integers(0, 4), min_size=len(values), max_size=len(values)).filter(
            any
        )
    )
    repeated = np.repeat(values, weights)
    drawn = np.array([weights], dtype=np.float64)
    mean = weighted_mean(np.array(values), drawn)
    median = weighted_median(np.array(values), drawn)
    assert mean == pytest.approx([repeated.mean()], abs=1e-9)
    assert median == pytest.approx([np.median(repeated)], abs=1e-9)


@given(values=VALUES, times=st.integers(2, 5))
def test_repeating_the_rows_of_a_cluster_tells_nothing_new(
    values: list[float], times: int
) -> None:
    """What one GPU says ten times over makes the interval no narrower."""
    names = np.arange(len(values))
    once = clustered_interval(np.array(values), names, weighted_mean, 1, 50)
    often = clustered_interval(
        np.repeat(values, times), np.repeat(names, times), weighted_mean, 1, 50
    )
    assert often == pytest.approx(once, abs=1e-9)


def test_the_interval_of_a_mean_is_about_the_normal_one() -> None:
    """Without clusters its half width is 1.645 standard errors."""
    values = np.random.default_rng(3).normal(5.0, 2.0, 400)
    low, high = clustered_interval(values, np.arange(400), weighted_mean, 4)
    assert low < values.mean() < high
    assert 0.5 * (high - low) == pytest.approx(1.645 * 2.0 / 20.0, rel=0.15)


def test_clusters_whose_rows_agree_widen_the_interval() -> None:
    """Ten GPUs with forty equal errors each are ten observations, not four hundred."""
    values = np.repeat(np.random.default_rng(5).normal(size=10), 40)
    clustered = clustered_interval(
        values, np.repeat(np.arange(10), 40), weighted_median, 6
    )
    alone = clustered_interval(values, np.arange(400), weighted_median, 6)
    assert np.ptp(clustered) > 3.0 * np.ptp(alone)


def test_rows_that_are_not_evaluated_do_not_count() -> None:
    """NaN values and their clusters leave the interval as it is."""
    values, names = np.array([0.1, 0.4, 0.2]), np.array(["A10", "L4", "T4"])
    more = np.append(values, np.nan), np.append(names, "K80")
    expected = clustered_interval(values, names, weighted_mean, 7)
    assert clustered_interval(*more, weighted_mean, 7) == expected


@pytest.mark.parametrize("values", [[], [np.nan, np.nan], [0.1, 0.3]])
def test_one_cluster_has_no_interval(values: list[float]) -> None:
    """With fewer than two clusters nobody can say how much they differ."""
    names = np.array(["T4"] * len(values))
    ends = clustered_interval(np.array(values), names, weighted_mean, 8)
    assert np.isnan(ends).all()
