"""Runs that the user measured are kept whole; a row that makes no sense is told."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from advisor.base.errors import StoreTornError, UsageError
from advisor.store.database import open_store
from advisor.store.runs import (
    delete_run,
    recorded_runs,
    store_run,
    stored_run,
    stored_runs,
)
from advisor.throughput.user_runs import UserRun

RUN = UserRun("resnet50", "RTX 4090", 2, 1268.0, "EPYC 7702", 12.0, 2.5, 128, "amp")
AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
EVIDENCE = {"parts": [{"from": "log"}], "marks": ["tqdm"]}


def test_a_run_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    """With its number, its evidence, and what is not known of its machine."""
    bare = replace(RUN, cpu=None, threads=None, cpu_ghz=None)
    with open_store(tmp_path) as store:
        assert store_run(store, RUN, "tqdm", AT, EVIDENCE) == 1
        assert store_run(store, bare, "given", AT, {}) == 2
        first, second = stored_runs(store)
        assert (first.run, first.source, first.at, first.evidence) == (
            RUN,
            "tqdm",
            AT,
            EVIDENCE,
        )
        assert (second.number, second.run, second.evidence) == (2, bare, {})
        store.execute("UPDATE run SET evidence = NULL WHERE number = 1")
        assert stored_run(store, 1).evidence is None  # as older advisors kept it
    assert recorded_runs(tmp_path, "resnet50") == (RUN, bare)


WRONG = [
    ("workload", b"x"),
    ("gpu", "a\x1b"),
    ("num_gpus", 0),
    ("num_gpus", "x"),
    ("samples_per_s", 0.0),
    ("samples_per_s", math.inf),
    ("cpu", b"x"),
    ("threads", 0.0),
    ("cpu_ghz", -1.0),
    ("batch_size", 0),
    ("precision", "int8"),
    ("source", b"x"),
    ("at", "x"),
    ("evidence", "[1"),
    ("evidence", "[" * 100_000),
    ("evidence", "[]"),
    ("evidence", b"{}"),
]


@pytest.mark.parametrize(("column", "value"), WRONG)
def test_a_run_that_makes_no_sense_is_told_and_can_be_deleted(
    tmp_path: Path, column: str, value: object
) -> None:
    """Predictions do not quietly rest on less than they are said to."""
    with open_store(tmp_path) as store:
        for _ in range(2):
            store_run(store, RUN, "given", AT, EVIDENCE)
        store.execute(f"UPDATE run SET {column} = ? WHERE number = 1", (value,))  # noqa: S608
        message = f"record 1 makes no sense, its {column} is .*records delete 1'"
        with pytest.raises(StoreTornError, match=message) as told:
            stored_runs(store)
        assert str(told.value).isprintable()
        assert stored_run(store, 2).run == RUN
        delete_run(store, 1)
        assert [one.number for one in stored_runs(store)] == [2]


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    """Neither shown nor deleted; without a file there is none."""
    assert recorded_runs(tmp_path, "resnet50") == ()
    assert not list(tmp_path.iterdir())
    with open_store(tmp_path) as store:
        with pytest.raises(UsageError, match="no record 7"):
            stored_run(store, 7)
        with pytest.raises(UsageError, match="no record 7"):
            delete_run(store, 7)
