"""The task of Dask: it starts an attempt or joins it, and its own end means nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from advisor.fleet import task
from advisor.fleet.task import run_job
from advisor.rental.remote.held_job import HeldJob, HeldState
from tests.rental.remote.conftest import machine, soon  # noqa: F401  (fixtures)

Soon = Callable[..., bool]

WORKER = """
import json, pickle, sys
run_job = pickle.load(open(sys.argv[1], "rb"))
print(json.dumps(run_job(json.loads(sys.argv[2]), 0.1)))
assert not any(name.partition(".")[0] == "advisor" for name in sys.modules)
"""


def scripts_of(job: HeldJob, argv: Sequence[str], **more: Any) -> dict[str, str]:
    """Return what a task is given."""
    return asdict(job.task_scripts(argv, folder="work", **more))


@pytest.fixture
def there(machine: Any, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: F811
    """Return the machine; what is run here is run as on it."""
    monkeypatch.setenv("HOME", str(machine.home))
    for line in (machine.home.parent / "enter").read_text().splitlines():
        if line.startswith("export ADVISOR_SIMULATED_INSTANCE="):
            monkeypatch.setenv("ADVISOR_SIMULATED_INSTANCE", str(machine.home.parent))
    return machine


def held(there: Any, name: str, lease_s: float = 600.0) -> HeldJob:
    return HeldJob(there.ssh, f"{name}.1", name, lease_s)


def test_a_task_runs_an_attempt_to_its_end(there: Any) -> None:
    """Its phase and its exit code are what the machine would say over ssh."""
    job = held(there, "task")
    assert run_job(scripts_of(job, ["sh", "-c", "echo hi; exit 7"]), 0.1) == ("ended", 7)
    assert b"".join(job.follow()) == b"hi\n"
    assert job.state() == HeldState("ended", 7)


def test_a_task_that_is_run_again_runs_nothing_again(there: Any) -> None:
    """Dask may lose it, and does not know what it has done."""
    scripts = scripts_of(held(there, "again"), ["sh", "-c", "echo begun >>../again"])
    for _ in range(3):
        assert run_job(scripts, 0.1) == ("ended", 0)
    assert (there.home / "again").read_text() == "begun\n"


def test_it_is_shipped_by_value_to_a_python_without_advisor(
    there: Any, tmp_path: Path
) -> None:
    """All that it needs is in it."""
    cloudpickle = pytest.importorskip("cloudpickle")
    cloudpickle.register_pickle_by_value(task)
    try:
        shipped = cloudpickle.dumps(run_job)
    finally:
        cloudpickle.unregister_pickle_by_value(task)
    (tmp_path / "task").write_bytes(shipped)
    scripts = json.dumps(scripts_of(held(there, "shipped"), ["sh", "-c", "exit 3"]))
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(tmp_path / "task"), scripts],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == ["ended", 3]


RUN = """
import json, sys
from advisor.fleet.task import run_job
print("up", flush=True)
run_job(json.loads(sys.argv[1]), 0.1)
"""


def test_a_worker_that_is_killed_takes_nothing_along(there: Any, soon: Soon) -> None:  # noqa: F811
    """With all of its session: the attempt goes on, and the next task joins it."""
    job = held(there, "killed")
    script = "echo up; while [ ! -e ../killed.go ]; do sleep 0.05; done; exit 5"
    scripts = scripts_of(job, ["sh", "-c", script])
    with subprocess.Popen(
        [sys.executable, "-c", RUN, json.dumps(scripts)],
        start_new_session=True,
        stdout=subprocess.PIPE,
    ) as worker:
        assert soon(lambda: job.state() == HeldState("running"))
        os.killpg(worker.pid, 9)
        worker.wait()
    assert job.state() == HeldState("running")
    (there.home / "killed.go").touch()
    assert run_job(scripts, 0.1) == ("ended", 5)
    assert b"".join(job.follow()) == b"up\n"


def test_a_command_has_nothing_of_its_worker(
    there: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its Python nor its threads; its GPUs are what the launcher says."""
    of_the_worker = {
        "PYTHONPATH": "/brought",
        "PYTHONSAFEPATH": "1",
        "LD_LIBRARY_PATH": "/brought/lib",
        "DASK_DISTRIBUTED__WORKER__X": "1",
        "OMP_NUM_THREADS": "1",
        "_ADVISOR_WORKER": "1",
        "CUDA_VISIBLE_DEVICES": "0",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }
    monkeypatch.setenv("HOME", "/of/the/worker")
    for name, value in of_the_worker.items():
        monkeypatch.setenv(name, value)
    job = held(there, "clean")
    gpus = {"CUDA_VISIBLE_DEVICES": "2,3"}
    assert run_job(scripts_of(job, ["env"], env=gpus), 0.1) == ("ended", 0)
    lines = b"".join(job.follow()).decode().splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    assert {name: found[name] for name in of_the_worker if name in found} == gpus


@pytest.mark.slow
def test_an_attempt_that_may_not_begin_is_told(there: Any) -> None:
    """Another one lives there; the task does not wait for it."""
    first = held(there, "busy")
    first.start(["sleep", "600"], folder="work")
    second = HeldJob(there.ssh, "busy.2", "busy", 600.0)
    assert run_job(scripts_of(second, ["true"]), 0.1) == ("not_started", None)
    first.stop()
    assert run_job(scripts_of(second, ["true"]), 0.1) == ("ended", 0)


def test_an_attempt_that_its_machine_ended_is_told(there: Any) -> None:
    """The task itself is no sign of life."""
    job = held(there, "lapsing", lease_s=1.0)
    assert run_job(scripts_of(job, ["sleep", "600"]), 0.1) == ("lapsed", None)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", ("", None)),
        ("ended x", ("ended", None)),
        ("ended 1 2", ("ended", None)),
        ("nonsense 3", ("nonsense", None)),
    ],
)
def test_nonsense_is_passed_on_and_no_code_is_made_up(
    said: str, told: tuple[str, int | None]
) -> None:
    """The launcher believes none of it anyway."""
    assert run_job({"start": "true", "state": f"echo {said}"}, 0.1) == told
