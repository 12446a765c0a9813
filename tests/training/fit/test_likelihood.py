"""The fit of the covariance: its gradient, its choice of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.hardware.gpus import GpuTable
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.design import NOISE_GROUPS, Design, design, noise_group
from advisor.training.fit.likelihood import _Objective, choose_groups, fit_covariance
from advisor.training.fit.row_use import RowUse


@pytest.fixture(scope="module")
def few(small: Benchmarks, small_row_use: RowUse, gpus: GpuTable) -> Design:
    """Return the design of forty rows."""
    return design(small.select(np.flatnonzero(small_row_use.training)[:40]), gpus)


def test_the_gradient_is_that_of_the_value(few: Design) -> None:
    """Each derivative agrees with the difference of two values beside it."""
    objective = _Objective(few.inputs, few.y - few.y.mean(), few.noise_group)
    away = np.random.default_rng(0).normal(0.0, 0.3, len(objective.start))
    at = objective.start + away
    _, gradient = objective(at)
    step = 1e-5
    for place in range(len(at)):
        shift = np.zeros(len(at))
        shift[place] = step
        slope = (objective(at + shift)[0] - objective(at - shift)[0]) / (2 * step)
        assert gradient[place] == pytest.approx(slope, abs=1e-5, rel=1e-5)


def test_a_fit_is_better_than_its_start(few: Design) -> None:
    """The fitted covariance explains the rows better than the starting values."""
    fitted = fit_covariance(few, np.arange(len(few)))
    objective = _Objective(few.inputs, few.y - few.y.mean(), few.noise_group)
    of = fitted.covariance
    found = np.log(
        np.concatenate([of.variances, of.own_variances, of.lengths, fitted.noise])
    )
    assert objective(found)[0] < objective(objective.start)[0]


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=60),
    st.integers(1, 60),
)
def test_chosen_groups_are_whole(codes: list[int], most: int) -> None:
    """Of a group all rows are taken or none, unless the first alone is too large."""
    comparison_group = np.array(codes)
    chosen = choose_groups(comparison_group, np.arange(len(comparison_group)), most)
    assert len(chosen) <= most or len(chosen) == len(comparison_group)
    assert np.array_equal(
        chosen, choose_groups(comparison_group, np.arange(len(comparison_group)), most)
    )
    whole = [
        np.sum(comparison_group[chosen] == c) in {0, np.sum(comparison_group == c)}
        for c in set(codes)
    ]
    assert all(whole) or len(set(comparison_group[chosen].tolist())) == 1


def test_every_series_has_a_noise_group() -> None:
    """Names are told by how they start; the rest is one group."""
    names = list(NOISE_GROUPS)
    assert names[noise_group("lambda/pytorch-1.13.0a0")] == "lambda"
    assert names[noise_group("lambda-tf/2.2.0/plain/synthetic")] == "lambda-tf"
    assert names[noise_group("siasosp23/artifacts")] == "correlated"
    assert names[noise_group("nobody knows")] == "other"
