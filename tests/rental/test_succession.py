"""One launcher has a job's machine; another one takes it only if that one is gone."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.app.jobs import load_job
from advisor.base.errors import AdvisorError
from advisor.cli.main import app
from advisor.simulator.local import LocalContainers
from tests.rental.conftest import KEY, Gateway, wait_for

pytestmark = pytest.mark.slow

if missing := LocalContainers.missing():
    pytest.skip(missing, allow_module_level=True)
if shutil.which("rsync") is None:
    pytest.skip("rsync is not installed", allow_module_level=True)

RUN = ("run", "--workload", "resnet50", "--epochs", "2", "--set", "dataset_gb=1", "--yes")
RUN += ("--no-verify",)  # what is measured here is no machine of the market's
RESUME = ("run", "--yes", "--resume", "long")
SCRIPT = "echo begun >>starts; while [ ! -e go ]; do sleep 0.1; done; mkdir results; "
SCRIPT += "cp starts results/"
SHOW = "/api/v0/instances/"


@pytest.fixture
def street(inhabited: Any) -> Any:
    """Return a calm market whose machines are there."""
    return inhabited


@pytest.fixture
def left(street: Any, begin: Callable[..., Any]) -> int:
    """Have a job at work whose launcher was killed; return its instance."""
    launcher = begin(street, SCRIPT, "--job", "long")
    launcher.work("starts")
    launcher.signal(signal.SIGKILL)
    launcher.end()
    (instance,) = street.instances()
    return int(instance["id"])


def go(street: Any) -> None:
    """Let the commands on all machines come to their end."""
    for work in (street.folder / "machines").glob("*/home/work"):
        (work / "go").touch()


def is_whole(street: Any, project: Path) -> None:
    """Check that the job goes on, is started once, and ends with its machine."""
    go(street)
    done = street.launch(*RESUME)
    assert done.exit_code == 0, done.stderr
    assert (project / "results" / "starts").read_text() == "begun\n"
    assert len(street.entries()) == 1
    assert street.instances() == []


@pytest.mark.parametrize("code", [401, 404, 429, 500])
def test_who_cannot_look_at_a_machine_leaves_it(
    street: Any, project: Path, left: int, code: int
) -> None:
    """It has the only copy of the job; a market in trouble says nothing of it."""

    def refused(_request: httpx.Request, _send: Any) -> httpx.Response:
        body = {"success": False, "error": "trouble", "msg": "no"}
        return httpx.Response(code, json=body)

    gateway = Gateway("GET", f"{SHOW}{left}/", refused)
    done = street.launch(*RESUME, gateway=gateway)
    assert gateway.seen
    assert done.exit_code in {1, 4, 5}, done.stderr
    assert f"instance {left} is left as it is: it may bill until its end" in done.stderr
    assert [one["id"] for one in street.instances()] == [left]
    is_whole(street, project)


def test_ctrl_c_while_it_is_looked_for_leaves_a_machine(
    street: Any, project: Path, left: int
) -> None:
    """Nothing is known of it then."""

    def not_shown(_request: httpx.Request, _send: Any) -> httpx.Response:
        return httpx.Response(200, json={"instances": None})

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    gateway = Gateway("GET", f"{SHOW}{left}/", not_shown)
    context = street.context(gateway=gateway)
    context = replace(context, clock=replace(context.clock, sleep=interrupted))
    done = street.run_command(RESUME, context)
    assert done.exit_code != 0
    assert f"instance {left} is left as it is" in done.stderr
    is_whole(street, project)


def test_another_computer_that_cannot_reach_a_machine_leaves_it(
    street: Any, left: int
) -> None:
    """Its launcher may well live; the network there may let no ssh out."""
    shutil.copytree(street.folder / "here", street.folder / "there")
    street.world._host.stop(left)  # it runs, says the market; ssh does not answer
    done = street.launch(*RESUME, machine="there")
    assert done.exit_code == 1
    assert "its machine cannot be reached from here" in done.stderr
    assert [one["id"] for one in street.instances()] == [left]


def test_a_machine_that_was_given_another_label_is_left(
    street: Any, project: Path, left: int
) -> None:
    """Nothing is sent to it; with its own label it is picked up."""
    (label,) = street.labels()

    def call_it(name: str) -> None:
        headers = {"Authorization": f"Bearer {KEY}"}
        url = f"{street.url}{SHOW}{left}/"
        httpx.put(url, headers=headers, json={"label": name}, trust_env=False)

    call_it("mine")
    done = street.launch(*RESUME)
    assert done.exit_code == 1
    assert f"instance {left} is called 'mine' by now: give it back" in done.stderr
    assert street.labels() == ["mine"]
    call_it(label)
    is_whole(street, project)


def test_who_has_lost_its_lease_ends_and_leaves_the_machine(
    street: Any, project: Path
) -> None:
    """Another process works on it by now: neither command nor machine is ended."""

    def take() -> None:
        machines = street.folder / "machines"
        wait_for(lambda: any(machines.glob("*/home/work/starts")))
        wait_for(lambda: street.entries()[0].state == "working")
        (entry,) = street.entries()
        now = street.world.clock.now()
        street.ledger().let_go(entry.label, entry.holder)
        street.ledger().lease(entry.label, "another", now, now + 6000.0)
        street.sleep(61.0)

    thread = threading.Thread(target=take)
    thread.start()
    done = street.run(project, SCRIPT, "--job", "long")
    thread.join()
    assert done.exit_code == 1
    assert "another process works on rental" in done.stderr
    assert "released" not in done.stderr
    (entry,) = street.entries()
    assert (entry.state, entry.holder) == ("working", "another")
    assert len(street.instances()) == 1
    is_whole(street, project)


def test_a_launcher_that_hangs_is_succeeded_and_ends_nothing_when_it_wakes(
    street: Any, project: Path, begin: Callable[..., Any]
) -> None:
    """It has its locks all the while; Ctrl-C wakes up in it, too."""
    hung = begin(street, SCRIPT, "--job", "long")
    hung.work("starts")
    hung.signal(signal.SIGSTOP)
    beside = street.launch(*RESUME)
    street.sleep(700.0)
    holder = street.entries()[0].holder
    woken: list[Any] = []

    def wake() -> None:
        try:
            wait_for(lambda: street.entries()[0].holder != holder)
        finally:
            hung.signal(signal.SIGINT)
            hung.signal(signal.SIGCONT)
        woken.append(hung.end())
        go(street)

    thread = threading.Thread(target=wake)
    thread.start()
    done = street.launch(*RESUME)
    thread.join()
    assert beside.exit_code == 1
    assert "another launcher follows long: it is not picked up" in beside.stderr
    assert done.exit_code == 0, done.stderr
    assert "the launcher of long hangs: this one takes its place" in done.stderr
    assert woken[0]["code"] == 1
    assert "another process works on rental" in woken[0]["stderr"]
    assert (project / "results" / "starts").read_text() == "begun\n"
    assert street.instances() == []


def test_a_machine_that_the_market_stops_showing_is_not_replaced_unasked(
    street: Any, project: Path
) -> None:
    """It was perhaps ended elsewhere, its job done. If it is shown again, it is ended.

    That is once the job is done on another machine, which its user has asked for.
    """

    def hidden(_request: httpx.Request, send: Callable[[], Any]) -> httpx.Response:
        if street.entries()[0].state in {"intended", "held"}:
            return send()
        return httpx.Response(200, json={"instances": None})

    gateway = Gateway("GET", SHOW, hidden)

    def later() -> None:
        machines = street.folder / "machines"
        wait_for(lambda: any(machines.glob("*/home/work/starts")))
        wait_for(lambda: street.entries()[0].state == "working")
        street.sleep(301.0)

    thread = threading.Thread(target=later)
    thread.start()
    line = (*RUN, "--sync", str(project), "--job", "long", "--", "sh", "-c", SCRIPT)
    done = street.launch(*line, gateway=gateway)
    thread.join()
    (entry,) = street.entries()
    assert done.exit_code == 1
    gone = f"the market does not show instance {entry.instance_id} any more; it was "
    resume = "'advisor run --resume long --yes' goes on on another machine"
    assert f"{gone}perhaps ended elsewhere: {resume}" in done.stderr
    assert entry.state == "gone"

    def end_anew() -> None:
        machines = street.folder / "machines"
        wait_for(lambda: len(list(machines.glob("*/home/work/starts"))) == 2)
        go(street)

    thread = threading.Thread(target=end_anew)
    thread.start()
    done = street.launch(*RESUME)
    thread.join()
    assert done.exit_code == 0, done.stderr
    assert [one.state for one in street.entries()] == ["released", "released"]
    assert street.instances() == []


def test_two_launchers_do_not_carry_out_one_job(street: Any, project: Path) -> None:
    """Also where the first one has no machine yet; its record stays as it is."""
    other = project.parent / "other"
    shutil.copytree(project, other)
    said: list[str] = []

    def meanwhile(_request: httpx.Request, send: Callable[[], Any]) -> httpx.Response:
        response: httpx.Response = send()
        line = [*RUN, "--sync", str(other), "--job", "lab", "--", "echo", "other"]
        for words in (line, ["run", "--yes", "--resume", "lab"]):
            try:
                app.main(words, "advisor", standalone_mode=False, obj=street.context())
            except AdvisorError as error:
                said.append(str(error))
        return response

    gateway = Gateway("PUT", "/asks/", meanwhile, times=1)
    line = (*RUN, "--sync", str(project), "--job", "lab", "--", "echo", "first")
    done = street.launch(*line, gateway=gateway)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == ["first"]
    assert len(said) == 2
    assert all(one.startswith("another launcher carries out job lab: ") for one in said)
    kept, _ = load_job(street.context().data_folder, "lab")
    assert kept.argv == ("echo", "first")
    assert len(street.entries()) == 1
    assert [one.name for one in other.iterdir()] == ["data.txt"]
