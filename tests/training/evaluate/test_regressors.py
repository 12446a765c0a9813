"""Off-the-shelf regressors: they see what they may, and nothing of what is held out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from advisor.hardware.gpus import GpuTable
from advisor.training.evaluate.regressors import (
    REGRESSORS,
    Problem,
    held_out_errors,
    mean_of_others,
)
from advisor.training.evaluate.splits import SPLITS, Group, Rows, groups_of
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.row_use import RowUse


@pytest.fixture(scope="module")
def rows(small: Benchmarks, small_row_use: RowUse, gpus: GpuTable) -> Rows:
    """Return what is evaluated of the small tables."""
    return Rows.choose(small, small_row_use, gpus)


@pytest.fixture(scope="module")
def problem(rows: Rows, gpus: GpuTable) -> Problem:
    """Return what is learned from it."""
    return Problem.of(rows, gpus)


def test_the_mean_of_others_by_hand() -> None:
    """Of the other rows of a code that tell; a row alone has none."""
    values = np.array([[1.0], [2.0], [6.0], [9.0]])
    counts = np.array([True, True, False, True])
    means = mean_of_others(values, np.array([0, 0, 0, 1]), counts)
    assert means[:3, 0] == pytest.approx([2.0, 1.0, 1.5])
    assert np.isnan(means[3, 0])


@pytest.mark.parametrize("split", SPLITS)
def test_nothing_that_is_held_out_trains(
    rows: Rows, problem: Problem, gpus: GpuTable, split: str
) -> None:
    """What the rows of a fold measured changes neither the lesson nor the questions.

    Where a comparison group is held out whole its own rows give its intercept, to the
    model as well: then all that they share is moved, and the answers stay.
    """
    group = groups_of(rows, gpus, [split])[0]
    codes = group.folds[split]
    out = codes == codes[np.flatnonzero(group.rows & problem.evaluated)[0]]
    moved = dataclasses.replace(problem, y=problem.y + 0.7 * out)
    features, target, training, asked = problem.fold(split, out)
    again = moved.fold(split, out)
    assert not np.any(training & out)
    assert np.all(asked <= out)
    assert again[0] == pytest.approx(features, nan_ok=True)
    assert again[1][training] == pytest.approx(target[training])
    assert np.array_equal(again[2], training)


def test_the_one_run_is_the_reference(problem: Problem) -> None:
    """After one run of a user's, the difference is to that run alone."""
    out = (
        problem.comparison_group
        == problem.comparison_group[np.flatnonzero(problem.evaluated)[0]]
    )
    _, target, _, asked = problem.fold("model_one_run", out)
    run = problem.partner[asked]
    assert asked.any()
    assert target[asked] == pytest.approx(problem.y[asked] - problem.y[run])


@pytest.mark.parametrize("name", list(REGRESSORS))
def test_each_learns_more_than_the_intercept(
    rows: Rows, problem: Problem, gpus: GpuTable, name: str
) -> None:
    """On cards held out, differences are better than saying there are none."""
    whole = groups_of(rows, gpus, ["gpu"])[0]
    group = Group(whole.rows, {"gpu": whole.folds["gpu"]})
    error = held_out_errors(problem, group, name)["gpu"]
    known = np.isfinite(error)
    assert known.any()
    assert np.all(known <= (group.rows & problem.evaluated))
    nothing = []
    for code in np.unique(group.folds["gpu"][known]):
        _, target, _, asked = problem.fold("gpu", group.folds["gpu"] == code)
        nothing += target[asked].tolist()
    assert np.abs(error[known]).mean() < 0.95 * np.abs(nothing).mean()
