"""`advisor sweep run`, `resume`, `status` and `stop`, on machines that really run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")
pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.app.plan import rental_context_of
from advisor.app.sweep import jobs_of, load_sweep
from advisor.store.sweeps import SweepStore
from tests.fleet.conftest import host, real_time  # noqa: F401  (fixture)
from tests.rental.conftest import (  # noqa: F401  (fixtures)
    Street,
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

    def call(
        command: str,
        *options: str,
        script: str = WRITES,
        more: str = "",
        name: str = "s",
    ) -> Any:
        file = project / "sweep.toml"
        file.write_text(SWEEP.format(name=name, script=script, more=more))
        of = [str(file)] if command == "run" else [name]
        paid = ["--yes"] if command in ("run", "resume") else []
        context = real_time(inhabited.context())
        return inhabited.run_command(["sweep", command, *of, *paid, *options], context)

    return call


@pytest.mark.slow
def test_a_sweep_runs_from_its_file(
    sweep: Run,
    project: Path,  # noqa: F811
    inhabited: Street,  # noqa: F811
    conforms: Callable[[str, Any], None],
) -> None:
    """Machines by the plan, each job once, results here, all given back, status over.

    A sweep that is over is gone on with at no cost, and its name is taken.
    """
    done = sweep("run", "--json")
    assert done.exit_code == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    for event in events:
        conforms("sweep-run", event)
    assert events[0]["event"] == "sweep_begun"
    assert events[-1]["event"] == "sweep_ended"
    for number in range(4):
        out = project / "results" / f"value-{number}" / "out"
        assert out.read_text() == f"{number}\n"
    assert inhabited.instances() == []
    shown = inhabited.launch("sweep", "status", "s", "--json")
    conforms("sweep-status", json.loads(shown.stdout))
    (found,) = json.loads(shown.stdout)["sweeps"]
    assert found["counts"]["done"] == 4
    assert found["ended_at"] is not None
    for command in ("resume", "stop"):
        again = sweep(command, "--json")
        assert again.exit_code == 0, again.stderr
        for line in again.stdout.splitlines():
            conforms(f"sweep-{command}", json.loads(line))
    taken = sweep("run")
    assert taken.exit_code == 2
    assert "there is a sweep s already" in taken.stderr


def test_what_is_there_already_is_not_replaced(
    sweep: Run,
    project: Path,  # noqa: F811
) -> None:
    """Results of another run stay: nothing is rented."""
    (project / "results" / "value-2").mkdir(parents=True)
    (project / "results" / "value-2" / "mine").write_text("kept")
    done = sweep("run")
    assert done.exit_code == 2
    assert "is there already" in done.stderr
    assert (project / "results" / "value-2" / "mine").read_text() == "kept"


@pytest.mark.parametrize("command", ["resume", "stop"])
def test_a_sweep_that_nobody_began_cannot_be_gone_on_with(
    sweep: Run, command: str
) -> None:
    """One line says so."""
    done = sweep(command, name="nothing")
    assert done.exit_code == 1
    assert "there is no sweep nothing here" in done.stderr


def test_a_budget_that_is_too_small_rents_nothing(
    sweep: Run,
    inhabited: Street,  # noqa: F811
    conforms: Callable[[str, Any], None],
) -> None:
    """Exit code 6, with what would do; programs read it from one line, as all else."""
    done = sweep("run", "--json", more="budget_usd = 0.001")
    assert done.exit_code == 6
    assert inhabited.entries() == []
    (line,) = done.stdout.splitlines()
    conforms("sweep-run", json.loads(line))
    assert json.loads(line)["error"]["code"] == "over_budget"


def test_a_sweep_of_which_nobody_knows_all_jobs_is_not_done(
    sweep: Run,
    project: Path,  # noqa: F811
    inhabited: Street,  # noqa: F811
) -> None:
    """A row of it makes no sense: one line says so, however many others are done."""
    sweep("run", more="budget_usd = 0.001")
    spec = load_sweep(project / "sweep.toml", name="s")
    data = inhabited.folder / "here" / "data"
    store = SweepStore(data)
    names = [one.name for one in jobs_of(spec)]
    account = rental_context_of(inhabited.context(), "vast").account
    store.begin("s", spec.to_document(), {}, names, 1.0, market=account)
    for name in names:
        number = store.assign("s", name, "label", 2.0)
        store.end("s", name, "label", number, 0, 3.0)
        store.finish_job("s", name, "label", number, "done", "", 4.0)
    with closing(sqlite3.connect(data / "advisor.sqlite3")) as file, file:
        file.execute("UPDATE sweep_job SET state = 'lost' WHERE name = ?", names[:1])
    done = sweep("resume")
    assert done.exit_code == 1
    assert "1 rows of the sweep s make no sense" in done.stderr
    assert store.load("s").ended_at is None


def test_no_sweep_is_no_error(inhabited: Street) -> None:  # noqa: F811
    """A document without sweeps; people are told so."""
    shown = inhabited.launch("sweep", "status", "--json")
    assert json.loads(shown.stdout)["sweeps"] == []
    assert "no sweep was begun here" in shown.stderr
