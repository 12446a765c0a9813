"""Jobs are kept whole, and those that an older version kept are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from advisor.errors import UsageError
from advisor.rental.jobs import JobRecord, job_folder, load_job, save_job

JOB = JobRecord(
    name="mine",
    argv=("python", "train.py"),
    folder="/somewhere",
    results="results",
    checkpoints="checkpoints",
    options={"gpus": ("A100",), "budget": 3.0},
    includes=("data/",),
    excludes=("*.tmp",),
    before={"checkpoints/a\udcff": (3, 10**18)},
)


def test_a_job_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    """With its patterns, and the checkpoints that it has found."""
    save_job(tmp_path, JOB)
    assert load_job(tmp_path, "mine") == JOB
    assert JOB.asked.written == "checkpoints"


def test_of_an_older_job_all_checkpoints_are_its_own(tmp_path: Path) -> None:
    """It did not say what it had found: its next machine gets them all."""
    save_job(tmp_path, JOB)
    path = job_folder(tmp_path, "mine") / "job.json"
    kept = json.loads(path.read_text())
    for name in ("includes", "excludes", "before"):
        del kept[name]
    path.write_text(json.dumps(kept))
    found = load_job(tmp_path, "mine")
    assert (found.includes, found.excludes, found.before) == ((), (), {})


@pytest.mark.parametrize("before", [[1], {"a": 3}, {"a": ["x", 1]}, "x"])
def test_a_torn_job_is_told(tmp_path: Path, before: object) -> None:
    """In one line, with what to do."""
    save_job(tmp_path, JOB)
    path = job_folder(tmp_path, "mine") / "job.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "before": before}))
    with pytest.raises(UsageError, match="is torn"):
        load_job(tmp_path, "mine")
