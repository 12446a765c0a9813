"""A launcher that ends early never ends a machine that has the only copy of results."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.simulator.local import LocalContainers
from tests.rental.conftest import Gateway, wait_for

pytestmark = pytest.mark.slow

if missing := LocalContainers.missing():
    pytest.skip(missing, allow_module_level=True)

WRITES = "mkdir -p results && echo 1 >results/model"


@pytest.fixture
def street(inhabited: Any) -> Any:
    """Return a calm market whose machines are there."""
    return inhabited


@pytest.fixture
def stuck(street: Any, sending: Callable[[str], None]) -> Path:
    """Have the machines send nothing, for ever; return the file that says they try."""
    tried = Path(street.folder / "tried")
    sending(f"touch '{tried}'; sleep 100; exit 1")
    return tried


def is_kept(street: Any) -> bool:
    return any((street.folder / "machines").glob("*/home/.advisor/keep"))


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_results_that_are_being_copied_stay_if_that_is_interrupted(
    street: Any,
    project: Path,
    begin: Callable[..., Any],
    stuck: Path,
    sending: Callable[[str], None],
    number: int,
) -> None:
    """It is told what bills, until when, and what to type; that brings them."""
    launcher = begin(street, WRITES, "--job", "long", "--max-lifetime", "20h")
    wait_for(stuck.exists)
    launcher.signal(number)
    ended = launcher.end()
    assert ended["code"] == 1
    (instance,) = street.instances()
    left = f"they stay on instance {instance['id']}, which bills, until its end at 2026-"
    said = f"interrupted before the command's results were here; {left}"
    assert said in ended["stderr"]
    assert "'advisor run --resume long --yes' goes on" in ended["stderr"]
    assert is_kept(street)
    sending("true")
    done = street.launch("run", "--yes", "--resume", "long")
    assert done.exit_code == 0, done.stderr
    assert (project / "results" / "model").read_text() == "1\n"
    assert street.instances() == []


def test_ctrl_c_ends_a_command_and_a_second_one_leaves_its_results(
    street: Any, begin: Callable[..., Any], stuck: Path
) -> None:
    """The first one stops and copies; who will not wait for that loses nothing."""
    launcher = begin(street, f"{WRITES}; touch begun; sleep 600", "--job", "long")
    launcher.work("begun")
    launcher.signal(signal.SIGINT)
    wait_for(stuck.exists)
    launcher.signal(signal.SIGINT)
    ended = launcher.end()
    assert ended["code"] == 1
    assert "interrupted before the command's results were here" in ended["stderr"]
    assert len(street.instances()) == 1
    assert is_kept(street)


def test_ctrl_c_ends_a_command_and_its_machine(
    street: Any, project: Path, begin: Callable[..., Any]
) -> None:
    """What it has written comes back before that."""
    launcher = begin(street, f"{WRITES}; touch begun; sleep 600")
    launcher.work("begun")
    launcher.signal(signal.SIGINT)
    assert launcher.end()["code"] == 130
    assert (project / "results" / "model").read_text() == "1\n"
    assert street.instances() == []


def test_results_that_cannot_be_copied_stay_after_ctrl_c(
    street: Any, begin: Callable[..., Any], sending: Callable[[str], None]
) -> None:
    """The machine answers, and has the only copy."""
    sending("echo 'read errors mapping' >&2; exit 23")
    launcher = begin(street, f"{WRITES}; touch begun; sleep 600")
    launcher.work("begun")
    launcher.signal(signal.SIGINT)
    ended = launcher.end()
    assert ended["code"] == 1
    assert "what the command wrote could not be copied back: copying" in ended["stderr"]
    assert len(street.instances()) == 1
    assert is_kept(street)


def test_a_market_that_refuses_the_key_for_once_ends_no_command(
    street: Any, project: Path
) -> None:
    """It runs on, and its results come."""

    def refused_once(request: httpx.Request, send: Callable[[], Any]) -> httpx.Response:
        if street.entries()[0].state != "working" or refused:
            return send()
        refused.append(request)
        return httpx.Response(401, json={"success": False, "error": "auth_error"})

    refused: list[httpx.Request] = []
    gateway = Gateway("GET", "/api/v0/instances/", refused_once)

    def later() -> None:
        machines = street.folder / "machines"
        wait_for(lambda: any(machines.glob("*/home/work/begun")))
        wait_for(lambda: street.entries()[0].state == "working")
        street.sleep(61.0)
        wait_for(lambda: bool(refused))
        (work,) = machines.glob("*/home/work")
        (work / "go").touch()

    thread = threading.Thread(target=later)
    thread.start()
    script = f"touch begun; while [ ! -e go ]; do sleep 0.1; done; {WRITES}"
    done = run_through(street, project, script, gateway)
    thread.join()
    assert done.exit_code == 0, done.stderr
    assert "; the job goes on" in done.stderr
    assert (project / "results" / "model").exists()
    assert len(street.entries()) == 1


def test_what_a_command_that_is_lost_has_written_comes_back(
    street: Any, project: Path
) -> None:
    """Nobody knows how it ended; its machine answers all the same, and is replaced."""
    dies = 'read boot id rest <"$HOME/.advisor/jobs/lost/owner"; kill -9 $id; sleep 600'
    script = f"if [ -e results/model ]; then exit 0; fi; {WRITES}; {dies}"
    done = street.run(project, script, "--job", "lost")
    assert done.exit_code == 0, done.stderr
    assert "machine lost: the command is lost" in done.stderr
    assert (project / "results" / "model").exists()
    assert [one.state for one in street.entries()] == ["released", "released"]
    assert street.instances() == []


def run_through(street: Any, project: Path, script: str, gateway: Any) -> Any:
    """Run a script with something between the launcher and the market."""
    words = ("run", "--workload", "resnet50", "--epochs", "2", "--set", "dataset_gb=1")
    line = (*words, "--yes", "--sync", str(project), "--", "sh", "-c", script)
    return street.launch(*line, gateway=gateway)
