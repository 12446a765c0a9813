"""A plan as a file: read with its sweep, refused where it is torn or of other jobs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.app.job import JobSpec
from advisor.app.sweep import SweepSpec, jobs_of
from advisor.app.sweep_file import read_sweep
from advisor.app.sweep_plan import PlannedMachine, Rate, SweepPlan, TradeOff
from advisor.base.errors import UsageError
from advisor.report.sweep import plan_document

SPEC = SweepSpec(
    job=JobSpec("resnet18"),
    command="python train.py --rate {rate}",
    folder="/work",
    grid=(("rate", (0.1, 0.01)),),
    budget_usd=5.0,
)
MACHINE = PlannedMachine(
    offer_id=7,
    machine_id=8,
    gpu_name="RTX 4090",
    num_gpus=1,
    label="",
    slots=1,
    usd_per_h=0.4,
    jobs=tuple(one.name for one in jobs_of(SPEC)),
    setup_h=0.5,
    setup_usd=0.2,
    hours=2.5,
    hours_high=3.0,
    usd=1.0,
    lifetime_h=4.0,
    rates=(Rate("a", 1.0, 0.4, 0.1, 0.0),),
)
PLAN = SweepPlan(
    machines=(MACHINE,),
    usd=1.0,
    hours=2.5,
    deadline_h=None,
    deadline_probability=None,
    bound_usd=1.0,
    separate_usd=1.4,
    pareto=(TradeOff(3.0, 1.0, 2.5, 1),),
    market="sample",
    simulated=True,
    offers=10,
)


def saved(folder: Path, plan: SweepPlan = PLAN) -> Path:
    path = folder / "plan.json"
    path.write_text(json.dumps(plan_document(SPEC, plan)), encoding="utf-8")
    return path


def test_a_plan_is_read_with_its_sweep(tmp_path: Path) -> None:
    """As they were, so that what was looked at is what is rented."""
    found = read_sweep(saved(tmp_path))
    assert (found.spec, found.plan) == (SPEC, PLAN)
    found.check(jobs_of(found.spec))


def test_a_plan_does_not_count_where_more_is_asked_for(tmp_path: Path) -> None:
    """Another budget or deadline is another plan; a name is not."""
    path = saved(tmp_path)
    assert read_sweep(path, name="rates").plan == PLAN
    other = read_sweep(path, budget_usd=9.0)
    assert (other.plan, other.spec.budget_usd) == (None, 9.0)


def test_a_file_of_toml_has_no_plan(tmp_path: Path) -> None:
    """It is yet to be made."""
    path = tmp_path / "sweep.toml"
    path.write_text(
        'command = "t {rate}"\nworkload = "resnet18"\n[grid]\nrate = [1]\n',
        encoding="utf-8",
    )
    assert read_sweep(path).plan is None


@pytest.mark.parametrize(
    "jobs", [MACHINE.jobs[:1], (*MACHINE.jobs, "x"), MACHINE.jobs * 2]
)
def test_a_plan_of_other_jobs_is_refused(tmp_path: Path, jobs: tuple[str, ...]) -> None:
    """One that it lacks, one besides, one twice."""
    plan = replace(PLAN, machines=(replace(MACHINE, jobs=jobs),))
    found = read_sweep(saved(tmp_path, plan))
    with pytest.raises(UsageError, match="of other jobs"):
        found.check(jobs_of(found.spec))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("usd_per_h", "0.4", "usd_per_h"),
        ("usd_per_h", float("nan"), "usd_per_h"),
        ("lifetime_h", -1.0, "lifetime_h"),
        ("slots", 1.5, "slots"),
        ("jobs", "all", "jobs"),
        ("jobs", [1], "jobs"),
        ("rates", [{}], "kind is missing"),
        ("odd", 1, "'odd' is not known"),
        ("gpu_name", None, "gpu_name"),
    ],
)
def test_a_machine_that_cannot_be_is_refused(
    tmp_path: Path, key: str, value: Any, words: str
) -> None:
    """With the file and the key, in one line."""
    path = saved(tmp_path)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["plan"]["machines"][0][key] = value
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(UsageError) as found:
        read_sweep(path)
    assert "plan.json: " in str(found.value)
    assert words in str(found.value)


@pytest.mark.parametrize("text", ["{}", "[1]", '{"sweep": ', "[" * 100_000, "\0"])
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    """Whatever a file of that name holds."""
    path = tmp_path / "plan.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"plan\.json: "):
        read_sweep(path)
    with pytest.raises(UsageError, match=r"none\.json: "):
        read_sweep(tmp_path / "none.json")
