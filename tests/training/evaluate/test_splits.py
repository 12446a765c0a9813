"""The splits: what is held out is not seen; intercepts come from where they may."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from advisor.hardware.gpus import GpuTable
from advisor.training.evaluate.group_intercepts import (
    intercept_from_one,
    intercept_from_others,
    partners,
)
from advisor.training.evaluate.metrics import covered, metrics
from advisor.training.evaluate.splits import SPLITS, Rows, deal, gpu_splits, groups_of
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.intercepts import training_gflops
from advisor.training.fit.row_use import RowUse


@pytest.fixture(scope="module")
def rows(small: Benchmarks, small_row_use: RowUse, gpus: GpuTable) -> Rows:
    """Return what is evaluated of the small tables."""
    return Rows.choose(small, small_row_use, gpus)


@pytest.mark.slow
@pytest.mark.parametrize("split", ["gpu", "family", "source"])
def test_what_is_held_out_is_not_seen(rows: Rows, gpus: GpuTable, split: str) -> None:
    """Whatever the rows of a fold measured, what is predicted for them is the same.

    That holds for the tuned covariance too: the splits are nested. Two folds are
    evaluated, since each group of them costs a fit; all rows train. Only what was asked
    for is computed. What is left if the level of a set-up were known does not see it.
    """
    folds = rows.fold_codes(split, gpus)
    code, *_, last = folds[rows.evaluated]
    two = rows.evaluated & np.isin(folds, (code, last))
    few = dataclasses.replace(rows, evaluated=two, left_out=rows.left_out & two)
    here = (folds == code) & two
    moved = dataclasses.replace(
        few, of=dataclasses.replace(rows.of, y=rows.of.y + 0.5 * (folds == code))
    )
    found, _ = gpu_splits(few, groups_of(few, gpus, [split]))
    (held_out,) = found.values()
    (other,) = gpu_splits(moved, groups_of(moved, gpus, [split]))[0].values()
    assert set(found) == {split}
    predicted = held_out.error + rows.of.y
    again = other.error + moved.of.y
    assert np.isfinite(predicted[here]).any()
    # What is moved by 0.5 is taken off again: 0.5 N eps cond(K) of it is lost, 2e-7.
    assert again[here] == pytest.approx(predicted[here], abs=1e-6, nan_ok=True)
    assert other.log_sd[here] == pytest.approx(
        held_out.log_sd[here], abs=1e-6, nan_ok=True
    )
    left = held_out.ratio_error[here]
    assert other.ratio_error[here] == pytest.approx(left, abs=1e-6, nan_ok=True)
    assert np.isfinite(left).any() == (split == "source")


def test_folds_hold_whole_what_they_name(rows: Rows, gpus: GpuTable) -> None:
    """A GPU, a die, a workload, a source is in one fold; a pair is a GPU's part."""
    table = rows.table
    names = {
        "gpu": table.gpu,
        "family": np.array([gpus[str(n)].die for n in table.gpu]),
        "model": table.workload,
        "series": table.series,
        "source": np.array([str(s).split(":")[0] for s in table.source]),
    }
    for split, labels in names.items():
        folds = rows.fold_codes(split, gpus)
        for label in np.unique(labels):
            assert len(set(folds[labels == label])) == 1
        assert len(set(folds)) == len(set(labels))
    pairs = set(zip(table.gpu, table.workload, strict=True))
    assert len(set(rows.fold_codes("pair", gpus))) == len(pairs)
    assert len(set(SPLITS)) == len(SPLITS)


def test_groups_keep_folds_together() -> None:
    """Dealt out at random, the same each time; sources stand alone."""
    codes = np.array([3, 3, 1, 2, 1, 0])
    evaluated = np.array([True, True, True, False, True, True])
    dealt = deal(codes, 2, evaluated)
    assert dealt[0] == dealt[1]
    assert dealt[2] == dealt[4]
    assert np.array_equal(dealt, deal(codes, 2, evaluated))
    alone = deal(codes, None, evaluated)
    assert alone[3] == -1
    assert len({alone[0], alone[2], alone[5]}) == 3


def test_intercepts_of_a_comparison_group_by_hand() -> None:
    """Three rows; the first two share a group, of which only training rows count."""
    error = np.array([0.2, 0.5, 9.0])
    covariance = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 0.0], [0.0, 0.0, 1.0]])
    comparison_group = np.array([0, 0, 1])
    is_training = np.array([True, True, True])
    others, spread = intercept_from_others(
        error, covariance, comparison_group, is_training
    )
    assert others[:2] == pytest.approx([0.3, -0.3])
    assert spread[:2] == pytest.approx([2.0 + 3.0 - 2.0] * 2)
    assert np.isnan(others[2])
    run = partners(comparison_group, is_training)
    assert run.tolist() == [1, 0, -1]
    one, variance = intercept_from_one(error, covariance, run)
    assert one[0] == pytest.approx(0.5 / 3.0 - 0.2)
    assert variance[0] == pytest.approx(2.0 - 1.0 / 3.0)
    silent, _ = intercept_from_others(
        error, covariance, comparison_group, np.array([True, False, True])
    )
    assert np.isnan(silent[0])


def test_a_workload_that_nobody_measured_has_a_guessed_level(
    rows: Rows, gpus: GpuTable
) -> None:
    """Its rows are judged where the operations are known, with doubt of the level."""
    found, _ = gpu_splits(rows, groups_of(rows, gpus, ["model_absolute"]))
    split = found["model_absolute"]
    known = np.isfinite(split.error) & rows.evaluated
    assert known.any()
    assert np.isfinite(training_gflops(rows.table)[known]).all()
    assert np.all(split.log_sd[known] > 0.1)


def test_metrics_by_hand() -> None:
    """Errors of 10 % up and 20 % up, and one that is not evaluated."""
    error = np.array([np.log(1.1), np.log(1.2), np.nan])
    result = metrics(error, np.array([0.1, 0.1, 0.1]))
    assert result["mape"] == pytest.approx(0.15)
    assert result["median_ape"] == pytest.approx(0.15)
    assert result["n"] == 2
    assert result["coverage90"] == pytest.approx(0.5)
    assert covered(np.array([0.1]), np.array([0.1])).all()


def test_metrics_of_nothing_say_so() -> None:
    """Without an evaluated row there is a count of nought and no error figure."""
    assert metrics(np.array([np.nan])) == {"n": 0}
