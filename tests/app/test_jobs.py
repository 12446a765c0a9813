"""Jobs are kept whole, and those that an older version kept are read."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.app.constraints import Constraints
from advisor.app.job import JobSpec
from advisor.app.jobs import load_job
from advisor.app.rent import RentSpec
from advisor.app.run import RunSpec
from advisor.base.errors import UsageError
from advisor.rental.jobs import JobRecord, job_file, save_job

SPEC = RunSpec(
    rent=RentSpec(
        job=JobSpec("resnet50", settings=(("dataset_gb", "1"),), image="me/mine:3"),
        offers=Constraints(gpus=("A100",), where=("cpu_ram>=48",)),
        name="mine",
        budget_usd=3.0,
        lease_s=900.0,
    ),
    argv=("python", "train.py"),
    folder="/somewhere",
    includes=("data/",),
    excludes=("*.tmp",),
)
PREDICTED = {
    "workload": "resnet50",
    "gpu": "RTX 4090",
    "num_gpus": 1,
    "cpu": None,
    "threads": 16.0,
    "cpu_ghz": None,
    "batch_size": 256,
    "precision": "amp",
    "samples_per_s": 1200.0,
}
JOB = JobRecord(
    name="mine",
    spec=SPEC,
    before={"checkpoints/a\udcff": (3, 10**18)},
    predicted=PREDICTED,
)

OPTIONS: dict[str, Any] = {
    "workload": "resnet50",
    "settings": ["dataset_gb=1"],
    "fit_batch": False,
    "epochs": 2,
    "disk": 40.0,
    "rental": "interruptible",
    "assumed": ["repair_h=4"],
    "image": None,
    "gpus": ["A100"],
    "num_gpus": [1, 2],
    "min_reliability": 0.9,
    "max_price": 2.5,
    "regions": ["europe"],
    "verified": True,
    "min_duration": 86400.0,
    "market": "vast",
    "name": "old",
    "max_epoch_cost": 0.4,
    "deadline": 90000.0,
    "budget": 30.0,
    "day_budget": 100.0,
    "max_lifetime": 7200.0,
    "attempts": 5,
    "start_timeout": 600.0,
    "yes": True,
}
"""Options as `advisor run` kept them before it kept conditions."""

OLD: dict[str, Any] = {
    "name": "old",
    "argv": ["python", "train.py"],
    "folder": "/somewhere",
    "results": "results",
    "checkpoints": "out/ckpt",
    "options": OPTIONS,
    "predicted": PREDICTED,
}
"""A job as it was kept before there were patterns and exit codes."""


def written(data: Path, document: object, name: str = "old") -> Path:
    path = job_file(data, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def test_a_job_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    """With its patterns, and the checkpoints that it has found; nobody else reads it."""
    save_job(tmp_path, JOB)
    assert load_job(tmp_path, "mine") == (JOB, SPEC)
    assert JOB.asked.written == "checkpoints"
    assert stat.S_IMODE(job_file(tmp_path, "mine").stat().st_mode) == 0o600


def test_a_job_of_the_first_version_goes_on(tmp_path: Path) -> None:
    """Each option of it is the field that it was; all checkpoints are its own."""
    written(tmp_path, OLD)
    job, spec = load_job(tmp_path, "old")
    assert spec == RunSpec(
        rent=RentSpec(
            job=JobSpec(
                "resnet50",
                settings=(("dataset_gb", "1"),),
                epochs=2,
                disk_gb=40.0,
                rental="interruptible",
                assumptions=(("repair_h", 4.0),),
            ),
            offers=Constraints(
                gpus=("A100",),
                num_gpus=(1, 2),
                min_reliability=0.9,
                max_usd_per_hour=2.5,
                regions=("europe",),
                verified=True,
                min_duration_s=86400.0,
            ),
            name="old",
            max_epoch_usd=0.4,
            deadline_s=90000.0,
            budget_usd=30.0,
            day_budget_usd=100.0,
            max_lifetime_s=7200.0,
            start_timeout_s=600.0,
        ),
        argv=("python", "train.py"),
        folder="/somewhere",
        checkpoints="out/ckpt",
    )
    assert (job.before, job.predicted, job.exit_code) == ({}, PREDICTED, None)
    assert spec.grace_s == spec.rent.lease_s == 3600.0


def test_a_job_of_the_first_version_is_backed_up_before_it_is_replaced(
    tmp_path: Path,
) -> None:
    """For an advisor of that version; what replaces it is no such."""
    path = written(tmp_path, OLD)
    text = path.read_bytes()
    job, _ = load_job(tmp_path, "old")
    for code in (None, 3):
        save_job(tmp_path, replace(job, exit_code=code))
    backup = path.with_name("job.json.v1.bak")
    assert backup.read_bytes() == text
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert load_job(tmp_path, "old")[0].exit_code == 3


def test_what_the_first_version_kept_at_last_is_read_too(tmp_path: Path) -> None:
    """Conditions, patterns, what was found, and how the command ended."""
    later = {"exclude_gpus": ["H100"], "min_ram": 64.0, "min_vram": 24.0}
    later |= {"datacenter": True, "where": ["cpu_ram>=48"], "memory_margin": 0.1}
    document = {**OLD, "options": OPTIONS | later, "exit_code": 9}
    document |= {"includes": ["a"], "excludes": ["b"], "before": {"c": [1, 2]}}
    written(tmp_path, document)
    job, spec = load_job(tmp_path, "old")
    assert spec.rent.offers.exclude_gpus == ("H100",)
    assert (spec.rent.offers.min_ram_gb, spec.rent.offers.min_vram_gb) == (64.0, 24.0)
    assert spec.rent.offers.datacenter
    assert spec.rent.offers.where == ("cpu_ram>=48",)
    assert spec.rent.job.memory_margin == 0.1
    assert (spec.includes, spec.excludes, job.exit_code) == (("a",), ("b",), 9)
    assert job.before == {"c": (1, 2)}


@pytest.mark.parametrize("name", sorted(OPTIONS.keys() - {"yes"}))
def test_an_old_job_without_an_option_is_torn(tmp_path: Path, name: str) -> None:
    """One that is lost may have been a cap."""
    left = {key: value for key, value in OPTIONS.items() if key != name}
    written(tmp_path, {**OLD, "options": left})
    with pytest.raises(UsageError, match=f"is torn .*{name} is missing"):
        load_job(tmp_path, "old")


@pytest.mark.parametrize("part", [(), ("spec",)])
def test_a_job_of_a_newer_advisor_is_told_from_a_torn_one(
    tmp_path: Path, part: tuple[str, ...]
) -> None:
    """What it asks for cannot be known here."""
    save_job(tmp_path, JOB)
    document = json.loads(job_file(tmp_path, "mine").read_bytes())
    place = document
    for key in part:
        place = place[key]
    place["version"] = 99
    written(tmp_path, document, "mine")
    with pytest.raises(UsageError, match="a newer advisor wrote it"):
        load_job(tmp_path, "mine")


def test_a_field_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    """A cap that is dropped would be none."""
    save_job(tmp_path, JOB)
    document = json.loads(job_file(tmp_path, "mine").read_bytes())
    document["spec"]["rent"]["week_budget_usd"] = 3
    written(tmp_path, document, "mine")
    with pytest.raises(UsageError, match="'week_budget_usd' is not known"):
        load_job(tmp_path, "mine")


def test_changes_are_checked_with_what_they_do_not_change(tmp_path: Path) -> None:
    """As if all of it were typed anew."""
    save_job(tmp_path, JOB)
    changes = {"rent": {"budget_usd": 9.0, "offers": {"gpus": ()}}, "excludes": ("x",)}
    _, spec = load_job(tmp_path, "mine", changes)
    offers = replace(SPEC.rent.offers, gpus=())
    rent = replace(SPEC.rent, budget_usd=9.0, offers=offers)
    assert spec == replace(SPEC, rent=rent, excludes=("x",))
    with pytest.raises(UsageError, match="contradict"):
        load_job(tmp_path, "mine", {"rent": {"offers": {"exclude_gpus": ("A100",)}}})


def test_what_no_face_takes_any_more_can_be_replaced(tmp_path: Path) -> None:
    """Such as a lifetime of the first version that is none."""
    written(tmp_path, {**OLD, "options": OPTIONS | {"max_lifetime": 1e15}})
    with pytest.raises(UsageError, match=r"=1000.*give another to go on"):
        load_job(tmp_path, "old")
    _, spec = load_job(tmp_path, "old", {"rent": {"max_lifetime_s": 7200.0}})
    assert spec.rent.max_lifetime_s == 7200.0


@pytest.mark.parametrize("before", [[1], {"a": 3}, {"a": ["x", 1]}, "x", {"a": [1]}])
def test_a_torn_job_is_told(tmp_path: Path, before: object) -> None:
    """In one line, with what to do."""
    save_job(tmp_path, JOB)
    document = json.loads(job_file(tmp_path, "mine").read_bytes())
    written(tmp_path, {**document, "before": before}, "mine")
    with pytest.raises(UsageError, match="is torn"):
        load_job(tmp_path, "mine")


def test_a_job_of_another_name_is_not_taken(tmp_path: Path) -> None:
    """A folder that was copied would share a budget that is not its own."""
    save_job(tmp_path, JOB)
    text = job_file(tmp_path, "mine").read_text()
    written(tmp_path, json.loads(text), "other")
    with pytest.raises(UsageError, match="it is of another job"):
        load_job(tmp_path, "other")


WILD = st.sampled_from(
    (
        *(None, True, False, 0, -1, 1e308, -0.0, float("nan"), float("inf"), 2**64),
        *(10**400, "", " ", "nan", "\x1b[2J", "\x00", "\ud800", "a" * 5000, "..", "1"),
        *([], {}, [[]], [None], {"a": 1}, [1] * 2000, ["x"], [["a", "b"]]),
    )
).map(deepcopy)


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys: Any = document if isinstance(document, dict) else range(len(document))
    for key in keys:
        yield (*path, key)
        if isinstance(document[key], dict | list):
            yield from places(document[key], (*path, key))


KEPT = json.loads(
    json.dumps(
        {
            "version": 2,
            "name": "mine",
            "spec": SPEC.to_document(),
            "before": {"a": [1, 2]},
            "predicted": PREDICTED,
            "exit_code": 0,
        }
    )
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_record_is_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever is in it: it is read, or refused in one line; the file stays."""
    document = json.loads(json.dumps(data.draw(st.sampled_from((OLD, KEPT)))))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(document))))
        place = document
        with suppress(KeyError, IndexError, TypeError):
            for key in path[:-1]:
                place = place[key]
            if data.draw(st.booleans()):
                place[path[-1]] = data.draw(WILD)
            else:
                del place[path[-1]]
    name = "old" if "options" in document else "mine"
    with suppress(ValueError):  # an integer that JSON writes and does not read
        path = written(tmp_path, document, name)
        text = path.read_bytes()
        with suppress(UsageError):
            job, spec = load_job(tmp_path, name)
            assert RunSpec.from_document(spec.to_document()) == spec
            assert job.spec == spec
        assert path.read_bytes() == text
