"""Which rows are trained on and evaluated: each rule, the frozen list, the outliers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from advisor.base.errors import UsageError
from advisor.base.resources import models_folder
from advisor.hardware.gpus import GpuTable
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.outliers import worst_first
from advisor.training.fit.row_use import (
    EVALUATED,
    LEFT_OUT,
    TRAINING,
    RowUse,
    choose,
    load_row_use,
    save_row_use,
)
from advisor.training.folder import ROW_USE

CARDS = ("RTX 3090", "RTX 2080 Ti", "A100-SXM4-80GB", "T4")


def rows_of(table: Benchmarks, n: int, **columns: object) -> Benchmarks:
    """Return n rows alike, some columns given, of three cards and more in turn."""
    first = table.select(np.flatnonzero(table.workload == "resnet50")[:1])
    many = first.select(np.zeros(n, dtype=np.int64))
    usual = {
        "gpu": np.array([CARDS[i % len(CARDS)] for i in range(n)]),
        "series": np.array(["somebody/script"] * n),
        "precision": np.array(["amp"] * n),
        "num_gpus": np.ones(n, dtype=np.int64),
        "host_bound": np.zeros(n, dtype=bool),
        "year": np.full(n, 2022.0),
        "unit": np.array(["samples/s"] * n),
        "task": np.array(["image-classification"] * n),
    }
    given = {k: np.array(v) for k, v in columns.items()}
    return dataclasses.replace(many, **(usual | given))


def test_plain_rows_are_evaluated(tables: Benchmarks, gpus: GpuTable) -> None:
    """Three cards in a comparison group, one GPU each, nothing odd."""
    assert set(choose(rows_of(tables, 3), gpus).use) == {EVALUATED}


@pytest.mark.parametrize(
    ("columns", "use"),
    [
        ({"host_bound": [False, False, False, True]}, ""),
        ({"num_gpus": [1, 1, 1, 2]}, ""),
        ({"year": [2022, 2022, 2022, 2016]}, ""),
        ({"gpu": [*CARDS[:3], "RX 7900 XTX"]}, ""),
        ({"gpu": [*CARDS[:3], "no such card"]}, ""),
        ({"unit": ["samples/s"] * 3 + ["it/s"]}, TRAINING),
        ({"precision": ["amp"] * 3 + [""]}, TRAINING),
        ({"task": ["image-classification"] * 3 + ["inference"]}, TRAINING),
        ({"series": ["somebody/script"] * 3 + ["x/pytorch-gpu-benchmark"]}, TRAINING),
    ],
)
def test_what_is_odd_is_not_evaluated(
    tables: Benchmarks, gpus: GpuTable, columns: dict[str, object], use: str
) -> None:
    """The last row breaks one rule; the other three stay as they are."""
    row_use = choose(rows_of(tables, 4, **columns), gpus)
    assert row_use.use.tolist() == [EVALUATED] * 3 + [use]


def test_a_group_of_two_cards_trains_but_is_not_evaluated(
    tables: Benchmarks, gpus: GpuTable
) -> None:
    """A ratio of two is no split; one card alone says nothing of ratios."""
    assert set(choose(rows_of(tables, 2), gpus).use) == {TRAINING}
    assert set(choose(rows_of(tables, 1), gpus).use) == {""}


def test_a_card_slower_than_its_share_is_left_out(
    tables: Benchmarks, gpus: GpuTable
) -> None:
    """Two GPUs ran 1.3 times as fast each: the row of one is at fault."""
    table = rows_of(
        tables,
        4,
        gpu=[*CARDS[:3], CARDS[0]],
        num_gpus=[1, 1, 1, 2],
        throughput=[100.0, 80.0, 200.0, 260.0],
    )
    row_use = choose(table, gpus)
    assert row_use.use.tolist() == [LEFT_OUT, EVALUATED, EVALUATED, ""]
    assert "1.30 times" in row_use.reason[0]
    assert row_use.would_be_evaluated[0]


def test_a_wrong_unit_is_left_out(tables: Benchmarks, gpus: GpuTable) -> None:
    """Of three sources one counts in millions."""
    series = ["a/x"] * 3 + ["b/x"] * 3 + ["c/x"] * 3
    rates = [100.0, 80.0, 200.0] * 2 + [1e-4, 0.8e-4, 2e-4]
    table = rows_of(tables, 9, gpu=[*CARDS[:3]] * 3, series=series, throughput=rates)
    row_use = choose(table, gpus)
    assert row_use.use.tolist() == [EVALUATED] * 6 + [LEFT_OUT] * 3
    assert all("unit" in reason for reason in row_use.reason[6:])


def test_the_list_round_trips(
    small: Benchmarks, small_row_use: RowUse, tmp_path: Path
) -> None:
    """Saved and read beside the same table, every row has its use and reason."""
    path = tmp_path / "row_use.csv"
    save_row_use(small_row_use, small, path)
    again = load_row_use(path, small)
    assert again.use.tolist() == small_row_use.use.tolist()
    assert again.reason.tolist() == small_row_use.reason.tolist()
    considered = small_row_use.use != ""
    assert np.array_equal(
        again.would_be_evaluated, small_row_use.would_be_evaluated & considered
    )


def test_a_list_of_another_table_is_refused(
    small: Benchmarks, small_row_use: RowUse, tmp_path: Path
) -> None:
    """A row that the tables lack says that the list is stale."""
    path = tmp_path / "row_use.csv"
    save_row_use(small_row_use, small, path)
    with pytest.raises(UsageError, match=r"in no table.*freeze it again"):
        load_row_use(path, small.select(small.workload != "resnet50"))


@pytest.mark.parametrize("text", [None, "workload,gpu\nresnet50,T4\n"])
def test_a_file_that_is_no_list_is_refused(
    small: Benchmarks, tmp_path: Path, text: str | None
) -> None:
    """Absent and foreign files are usage errors that name the file."""
    path = tmp_path / "row_use.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=r"row_use\.csv"):
        load_row_use(path, small)


def test_the_shipped_list_is_that_of_the_shipped_tables(
    tables: Benchmarks, gpus: GpuTable
) -> None:
    """The rules give what is frozen, but for the outliers."""
    frozen = load_row_use(models_folder() / ROW_USE, tables)
    chosen = choose(tables, gpus)
    outlier = np.array([str(r).startswith("outlier") for r in frozen.reason])
    assert np.array_equal(frozen.use[~outlier], chosen.use[~outlier])
    assert np.array_equal(frozen.would_be_evaluated, chosen.would_be_evaluated)
    assert 0 < outlier.sum() < 0.03 * frozen.training.sum()
    assert frozen.evaluated.sum() > 1000


def test_one_planted_outlier_is_found_and_its_neighbors_stay() -> None:
    """The row that was moved goes first; those that it dragged along do not follow."""
    draw = np.random.default_rng(3)
    n = 40
    covariance = 1.0 + 0.01 * np.eye(n)
    y = draw.multivariate_normal(np.zeros(n), covariance)
    inverse = np.linalg.inv(covariance)
    assert worst_first(inverse, y) == []
    y[17] += 1.5
    found = worst_first(inverse, y)
    assert [place for place, _ in found] == [17]
    assert found[0][1] > 4.0
