"""The evaluation of set-ups: what is drawn, and what plain scaling is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from advisor.throughput.set_up import Errors
from advisor.training.evaluate.set_up import (
    AS_IT_RAN,
    OTHER_PRECISION,
    OTHER_SERIES,
    OTHER_WORKLOADS,
    PARTS,
    Draws,
    SetUp,
    by_name,
    draw,
    summary,
)


def set_up(count: int, level: float, seed: int = 0) -> SetUp:
    """Return rows of two workloads, each as one series ran it, that share a level."""
    chance = np.random.default_rng(seed)
    workload = np.arange(count) % 2
    covariance = 0.05 + 0.003 * np.eye(count)
    off = level + chance.normal(0.0, math.sqrt(0.003), count)
    errors = Errors(covariance, np.diag(covariance).copy(), workload)
    series = np.zeros(count, dtype=np.int64)
    return SetUp(np.arange(count), errors, off, series, comparison_group=workload)


def test_one_run_of_a_set_up_with_a_level_says_it() -> None:
    """At 2.5 times the predicted rates, the rest errs by what single rows differ by."""
    own, plain = summary(draw(set_up(40, math.log(2.5)), 1, 1.0))
    assert own["n"] == plain["n"] == 40
    assert own["mape"] == pytest.approx(plain["mape"], rel=0.1)
    assert own["mape"] < 0.09


def test_a_row_is_never_its_own_run() -> None:
    """No draw predicts what it was given: plain scaling would err by nothing."""
    draws = draw(set_up(6, 0.5), 3, 1.0)
    assert np.all(np.abs(draws.plain) > 0.0)
    assert len(draws.row) == 6 * 3


def test_three_runs_tell_more_than_one() -> None:
    """The error of the level is that of a mean."""
    held = set_up(60, 1.0)
    one, three = (summary(draw(held, runs, 1.0))[0]["mape"] for runs in (1, 3))
    assert three < one


def test_too_few_rows_are_no_set_up() -> None:
    """Where the runs are all there is, nothing is left to predict."""
    own, plain = summary(draw(set_up(3, 1.0), 3, 1.0))
    assert own == {"n": 0, OTHER_WORKLOADS: {"n": 0}}
    assert plain == {"n": 0, OTHER_WORKLOADS: {"n": 0}}


def test_the_error_of_a_row_is_the_mean_over_its_draws() -> None:
    """Of those with a run of its workload; NaN where there is none."""
    draws = Draws(
        row=np.array([2, 0, 2, 2]),
        part=np.array([0, 3, 2, 3]),
        error=np.array([0.1, 0.5, 0.3, 9.0]),
        log_sd=np.ones(4),
        plain=np.zeros(4),
    )
    assert draws.mean_error(3) == pytest.approx([np.nan, np.nan, 0.2], nan_ok=True)


def test_rows_are_told_apart_by_what_they_share_with_the_nearest_run() -> None:
    """As it ran, in another precision, in another series, another workload."""
    held = SetUp(
        rows=np.arange(5),
        errors=Errors(np.eye(5), np.ones(5), workload=np.array([0, 0, 0, 0, 1])),
        off=np.zeros(5),
        series=np.array([0, 0, 0, 1, 0]),
        comparison_group=np.array([0, 0, 1, 2, 3]),
    )
    asked = np.array([1, 2, 3, 4])
    one = held.part(asked, np.array([0]))
    names = [AS_IT_RAN, OTHER_PRECISION, OTHER_SERIES, OTHER_WORKLOADS]
    assert [PARTS[place] for place in one] == names
    nearest = held.part(np.array([1]), np.array([3, 0]))
    assert PARTS[nearest[0]] == AS_IT_RAN


def test_the_figures_of_the_workload_are_those_of_its_parts() -> None:
    """Each row is in the whole, and in the part that it belongs to."""
    draws = Draws(
        row=np.array([0, 1, 2]),
        part=np.array([0, 1, 3]),
        error=np.log([1.1, 1.3, 2.0]),
        log_sd=np.ones(3),
        plain=np.log([1.2, 1.4, 3.0]),
    )
    own, plain = summary(draws)
    assert own["mape"] == pytest.approx(0.2)
    assert own[AS_IT_RAN]["mape"] == pytest.approx(0.1)
    assert own[OTHER_PRECISION]["mape"] == pytest.approx(0.3)
    assert own[OTHER_WORKLOADS]["mape"] == pytest.approx(1.0)
    assert plain[OTHER_PRECISION]["mape"] == pytest.approx(0.4)
    assert OTHER_SERIES not in own
    sources = by_name(draws, np.array(["a", "b", "b"]))
    assert sources["b"]["mape"] == pytest.approx(0.3)
    assert sources["b"]["n"] == 1
