"""The evaluation of set-ups: what is drawn, and what plain scaling is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from advisor.throughput.set_up import Errors
from advisor.training.evaluate.set_up import OTHER_WORKLOADS, Draws, draw, summary


def set_up(count: int, level: float, seed: int = 0) -> tuple[Errors, np.ndarray]:
    """Return errors of rows of two workloads that share a level, and those errors."""
    chance = np.random.default_rng(seed)
    workload = np.arange(count) % 2
    covariance = 0.05 + 0.003 * np.eye(count)
    off = level + chance.normal(0.0, math.sqrt(0.003), count)
    return Errors(covariance, np.diag(covariance).copy(), workload), off


def test_one_run_of_a_set_up_with_a_level_says_it() -> None:
    """At 2.5 times the predicted rates, the rest errs by what single rows differ by."""
    errors, off = set_up(40, math.log(2.5))
    own, plain = summary(draw(np.arange(40), errors, off, 1, 1.0))
    assert own["n"] == plain["n"] == 40
    assert own["mape"] == pytest.approx(plain["mape"], rel=0.1)
    assert own["mape"] < 0.09


def test_a_row_is_never_its_own_run() -> None:
    """No draw predicts what it was given: plain scaling would err by nothing."""
    errors, off = set_up(6, 0.5)
    draws = draw(np.arange(6), errors, off, 3, 1.0)
    assert np.all(np.abs(draws.plain) > 0.0)
    assert len(draws.row) == 6 * 3


def test_three_runs_tell_more_than_one() -> None:
    """The error of the level is that of a mean."""
    errors, off = set_up(60, 1.0)
    one, three = (
        summary(draw(np.arange(60), errors, off, runs, 1.0))[0]["mape"] for runs in (1, 3)
    )
    assert three < one


def test_too_few_rows_are_no_set_up() -> None:
    """Where the runs are all there is, nothing is left to predict."""
    errors, off = set_up(3, 1.0)
    own, plain = summary(draw(np.arange(3), errors, off, 3, 1.0))
    assert own == {"n": 0, OTHER_WORKLOADS: {"n": 0}}
    assert plain == {"n": 0, OTHER_WORKLOADS: {"n": 0}}


def test_the_error_of_a_row_is_the_mean_over_its_draws() -> None:
    """Of those with a run of its workload; NaN where there is none."""
    draws = Draws(
        row=np.array([2, 0, 2, 2]),
        same=np.array([True, False, True, False]),
        error=np.array([0.1, 0.5, 0.3, 9.0]),
        log_sd=np.ones(4),
        plain=np.zeros(4),
    )
    assert draws.mean_error(3) == pytest.approx([np.nan, np.nan, 0.2], nan_ok=True)
