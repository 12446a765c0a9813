"""A job's record is for its user alone, and an older advisor's stays beside it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from advisor.app.job import JobSpec
from advisor.app.rent import RentSpec
from advisor.app.run import RunSpec
from advisor.base.errors import ArgumentError, UsageError
from advisor.rental.jobs import JobRecord, job_file, job_folder, save_job

SPEC = RunSpec(RentSpec(JobSpec("resnet50")), argv=("true",), folder="/x")
JOB = JobRecord("mine", SPEC, before={"a": (1, 2)})


def test_a_record_is_for_its_user_alone(tmp_path: Path) -> None:
    """A command line may hold secrets: file and folder are closed to others."""
    save_job(tmp_path, JOB)
    path = job_file(tmp_path, "mine")
    assert path == tmp_path / "jobs" / "mine" / "job.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    document = json.loads(path.read_text())
    assert document["version"] == 2
    assert document["name"] == "mine"
    assert document["before"] == {"a": [1, 2]}
    assert document["exit_code"] is None
    assert document["spec"] == json.loads(json.dumps(SPEC.to_document()))


@pytest.mark.parametrize("name", ["..", "a/b", ""])
def test_no_record_lies_outside_its_folder(tmp_path: Path, name: str) -> None:
    """Its name is checked before it becomes a path."""
    with pytest.raises(UsageError):
        job_folder(tmp_path, name)


@pytest.mark.parametrize(
    ("body", "is_stored"),
    [
        (b'{"options": {}}', True),
        (b'{"version": 2}', False),
        (b"no json", False),
        (b"5", False),
        (b"[" * 100_000, False),
    ],
)
def test_what_the_first_version_wrote_stays_beside_it(
    tmp_path: Path, body: bytes, is_stored: bool
) -> None:
    """As it was; what is no record of that version is replaced."""
    path = job_file(tmp_path, "mine")
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    save_job(tmp_path, JOB)
    save_job(tmp_path, JOB)
    before = path.with_name("job.json.v1.bak")
    assert before.exists() is is_stored
    if is_stored:
        assert before.read_bytes() == body
        assert stat.S_IMODE(before.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["name"] == "mine"


def test_a_job_asks_for_what_its_spec_says() -> None:
    """What goes to its next machine is the user's folder, as the user said it."""
    asked = JOB.asked
    assert (asked.folder, asked.written) == (Path("/x"), SPEC.checkpoints)
    assert (asked.includes, asked.excludes) == (SPEC.includes, SPEC.excludes)
    assert asked.before == {"a": (1, 2)}
    assert JOB.with_prediction({"samples_per_s": 3.0}).predicted == {"samples_per_s": 3.0}


def test_fifty_offers_are_the_most_that_are_tried() -> None:
    """More is a slip of the keyboard: each may be paid for."""
    assert RentSpec(JobSpec("resnet50"), attempts=50).attempts == 50
    with pytest.raises(ArgumentError, match="from 1 to 50"):
        RentSpec(JobSpec("resnet50"), attempts=51)
