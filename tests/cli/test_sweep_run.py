"""`advisor sweep run`, `resume`, `status` and `stop`, on machines that really run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")
pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from tests.fleet.conftest import real_time
from tests.rental.conftest import (  # noqa: F401  (fixtures)
    Street,
    host,
    inhabited,
    make_street,
    project,
)

SWEEP = """\
name = "{name}"
command = "sh -c '{script}'"
verify = false
retries = 0
{more}
[job]
workload = "resnet50"
epochs = 2
settings = {{ dataset_gb = 1 }}
[grid]
value = [0, 1, 2, 3]
"""
WRITES = "mkdir -p {results} && echo {value} >{results}/out"

Run = Callable[..., Any]


@pytest.fixture
def sweep(inhabited: Street, project: Path) -> Run:  # noqa: F811
    """Return what writes the file of a sweep and calls a command of it."""

    def call(command: str, script: str = WRITES, more: str = "", name: str = "s") -> Any:
        file = project / "sweep.toml"
        file.write_text(SWEEP.format(name=name, script=script, more=more))
        of = [str(file)] if command == "run" else [name]
        paid = ["--yes"] if command in ("run", "resume") else []
        context = real_time(inhabited.context())
        return inhabited.run_command(["sweep", command, *of, *paid], context)

    return call


def test_a_sweep_runs_from_its_file(sweep: Run, project: Path, inhabited: Street) -> None:  # noqa: F811
    """Machines by the plan, each job once, results here, all given back, status over."""
    done = sweep("run")
    assert done.exit_code == 0, done.stderr
    for number in range(4):
        out = project / "results" / f"value-{number}" / "out"
        assert out.read_text() == f"{number}\n"
    assert inhabited.instances() == []
    shown = inhabited.launch("sweep", "status", "s", "--json")
    (found,) = json.loads(shown.stdout)["sweeps"]
    assert found["counts"]["done"] == 4
    assert found["ended_at"] is not None
