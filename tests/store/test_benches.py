"""Machines that the user measured are kept whole; a row that makes no sense is told."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from advisor.base.errors import StoreTornError, UsageError
from advisor.hardware.measured import Figure, MeasuredMachine
from advisor.store.benches import (
    MOST_MACHINES,
    delete_bench,
    has_bench,
    measured_machines,
    store_bench,
    stored_bench,
    stored_benches,
)
from advisor.store.database import open_store
from advisor.store.runs import delete_run, store_run, stored_runs
from advisor.throughput.user_runs import UserRun

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
FIGURES = {"core.zlib": Figure(20.0, 0.02), "gpu0.matmul.bf16": Figure(160.0)}
MACHINE = MeasuredMachine("vast", 7, "RTX 4090", 2, "AMD EPYC 7702", 16.0, FIGURES)
BARE = MeasuredMachine("", None, "", 0, "", None, {})
RUN = UserRun("resnet50", "RTX 4090", 1, 900.0, None, None, None, 128, "amp")
DOCUMENT = {"kind": "advisor-bench", "lines": []}


def test_a_machine_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    """With its number and the whole document, and what nobody knows of it."""
    with open_store(tmp_path) as store:
        assert store_bench(store, MACHINE, "file", AT, DOCUMENT) == 1
        assert store_bench(store, BARE, "bench", AT, {}) == 2
        first, second = stored_benches(store)
        assert first.machine == replace(MACHINE, number=1)
        assert (first.source, first.at, first.document) == ("file", AT, DOCUMENT)
        assert second.machine == replace(BARE, number=2)
        assert stored_bench(store, 2) == second
    assert measured_machines(tmp_path) == (first.machine, second.machine)


def test_the_latest_machines_count(tmp_path: Path) -> None:
    """A store that is years old does not slow every ranking; all of it is kept."""
    with open_store(tmp_path) as store:
        for _ in range(MOST_MACHINES + 2):
            store_bench(store, MACHINE, "file", AT, DOCUMENT)
        assert len(stored_benches(store)) == MOST_MACHINES + 2
    numbers = [one.number for one in measured_machines(tmp_path)]
    assert numbers == [*range(3, MOST_MACHINES + 3)]


def test_runs_and_machines_share_their_numbers(tmp_path: Path) -> None:
    """A number means one record, also after it was deleted."""
    with open_store(tmp_path) as store:
        assert store_run(store, RUN, "given", AT, {}) == 1
        assert store_bench(store, MACHINE, "file", AT, DOCUMENT) == 2
        assert store_run(store, RUN, "given", AT, {}) == 3
        assert (has_bench(store, 2), has_bench(store, 3)) == (True, False)
        delete_run(store, 3)
        assert delete_bench(store, 2) == 0
        assert store_bench(store, MACHINE, "file", AT, DOCUMENT) == 4


def test_a_machine_goes_with_the_runs_that_it_made(tmp_path: Path) -> None:
    """They are of one measurement; the user's other runs stay."""
    with open_store(tmp_path) as store:
        number = store_bench(store, MACHINE, "file", AT, DOCUMENT)
        made = replace(RUN, loader="synthetic", bench=number)
        store_run(store, made, "file", AT, {})
        store_run(store, RUN, "given", AT, {})
        assert [one.run for one in stored_runs(store)] == [made, RUN]
        assert delete_bench(store, number) == 1
        assert [one.run for one in stored_runs(store)] == [RUN]
        assert stored_benches(store) == []


WRONG = [
    ("market", b"x"),
    ("machine_id", "x"),
    ("machine_id", 0),
    ("gpu", "a\x1b"),
    ("num_gpus", -1),
    ("cpu", b"x"),
    ("cores", 0.0),
    ("figures", "[1"),
    ("figures", '{"core.zlib": 20}'),
    ("figures", '{"core.zlib": [NaN, 0]}'),
    ("figures", '{"core.zlib": [-1.0, 0]}'),
    ("document", "[]"),
    ("document", "[" * 100_000),
    ("source", b"x"),
    ("at", math.inf),
]


@pytest.mark.parametrize(("column", "value"), WRONG)
def test_a_machine_that_makes_no_sense_is_told_and_can_be_deleted(
    tmp_path: Path, column: str, value: object
) -> None:
    """Predictions do not quietly rest on less than they are said to."""
    with open_store(tmp_path) as store:
        for _ in range(2):
            store_bench(store, MACHINE, "file", AT, DOCUMENT)
        store.execute(f"UPDATE bench SET {column} = ? WHERE number = 1", (value,))  # noqa: S608
        message = f"record 1 makes no sense, its {column} is .*records delete 1'"
        with pytest.raises(StoreTornError, match=message) as told:
            stored_benches(store)
        assert str(told.value).isprintable()
        assert stored_bench(store, 2).machine == replace(MACHINE, number=2)
        delete_bench(store, 1)
        assert [one.number for one in stored_benches(store)] == [2]


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    """Neither shown nor deleted; without a file there is none."""
    assert measured_machines(tmp_path) == ()
    assert not list(tmp_path.iterdir())
    with open_store(tmp_path) as store:
        with pytest.raises(UsageError, match="no record 7"):
            stored_bench(store, 7)
        with pytest.raises(UsageError, match="no record 7"):
            delete_bench(store, 7)
