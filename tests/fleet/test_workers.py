"""Dask's workers of a machine: started anew, ended with their scheduler, not public."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")
pytest.importorskip("cryptography", reason="the extra 'fleet' is not installed")

import cloudpickle
from distributed import wait

from advisor.base.errors import RemoteError, UnreachableError
from advisor.fleet.scheduler import FleetScheduler, open_scheduler
from advisor.fleet.workers import Workers
from tests.fleet.machines import (  # noqa: F401  (fixtures)
    Machines,
    OwnPython,
    cut_connections,
    made_apart,
    made_here,
    processes,
    wait_until,
)
from tests.rental.remote.greps import as_of_busybox

pytestmark = pytest.mark.slow

# What a task runs is sent along: the machines do not have the tests.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(params=[True, False], ids=["guarded", "believed"])
def scheduler(request: pytest.FixtureRequest) -> Iterator[FleetScheduler]:
    """Return a scheduler, one that believes its workers and one that does not."""
    with open_scheduler(guarded=request.param) as made:
        yield made


@pytest.fixture
def believing() -> Iterator[FleetScheduler]:
    """Return a scheduler that believes its workers."""
    with open_scheduler(guarded=False) as made:
        yield made


def visible() -> tuple[str | None, str | None]:
    return os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("PYTHONPATH")


def detached(path: str) -> int:
    """Start what lives on when its worker ends, as a job's supervisor does."""
    script = f"echo here >{path}; exec sleep 60"
    return subprocess.Popen(["setsid", "sh", "-c", script]).pid


def programs(machines: Machines, number: int) -> list[int]:
    """Return the workers that run on a machine."""
    return processes("at_work.py", str(machines.home(number)))


def submitted(scheduler: FleetScheduler, what: Callable[..., Any], *given: Any) -> Any:
    # A lambda is sent by value, and takes along what is registered above.
    work = lambda: what(*given)  # noqa: E731
    task = scheduler.client.submit(work, resources={"one": 1}, pure=False)
    wait(task, timeout=20)
    return task


def listens_publicly(process: int) -> set[str]:
    """Return the addresses that a process listens on and others can reach."""
    sockets = set()
    for one in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            sockets.add(str(one.readlink()).removeprefix("socket:[").removesuffix("]"))
    rows = [
        row.split()
        for table in ("tcp", "tcp6")
        for row in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]
    ]
    heard = {
        row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in sockets
    }
    assert heard
    return heard - {"0100007F"}


def test_workers_join_and_work(machines: Machines, scheduler: FleetScheduler) -> None:
    """One for each slot, which sees the slot's GPUs, and only the loopback address."""
    number, endpoint = machines.start()
    slots = [(0, 1), (2, 3)]
    door, python = scheduler.door, OwnPython()
    workers = Workers(machines.tunnel(endpoint), python, door, "one", slots)
    assert workers.start() == ("one-0", "one-1")
    assert door.joined(workers.names)
    task = submitted(scheduler, visible)
    assert task.status == "finished"
    if not door.guarded:
        assert task.result()[0] in {"0,1", "2,3"}
    found = programs(machines, number)
    assert len(found) == 2
    assert not any(map(listens_publicly, found))
    assert not listens_publicly(os.getpid())
    folder = machines.home(number) / ".advisor" / "workers" / "one"
    assert folder.stat().st_mode & 0o077 == 0
    assert not list(folder.glob("*.json"))  # they had the keys
    workers.stop()
    assert not programs(machines, number)
    assert not door.joined(["one-0"])


def test_a_second_start_ends_the_first(
    machines: Machines, scheduler: FleetScheduler
) -> None:
    """The names are the same, and no worker is left of before."""
    number, endpoint = machines.start()
    tunnel = machines.tunnel(endpoint)
    workers = Workers(tunnel, OwnPython(), scheduler.door, "one", [(0,)])
    workers.start()
    first = programs(machines, number)
    assert workers.start() == ("one-0",)
    second = programs(machines, number)
    assert len(second) == 1
    assert second != first
    assert submitted(scheduler, visible).status == "finished"


def test_they_are_found_where_grep_is_that_of_busybox(
    machines: Machines, scheduler: FleetScheduler, tmp_path: Path
) -> None:
    """They may be slow to join, and are ended with the rest."""
    number, endpoint = machines.start()
    slow = tmp_path / "python"
    slow.write_text(f'#!/bin/sh\n[ "$1" = -c ] || sleep 3\nexec {sys.executable} "$@"\n')
    slow.chmod(0o755)
    with as_of_busybox(machines.home(number).parent / "enter", tmp_path):
        tunnel = machines.tunnel(endpoint)
        python = OwnPython(str(slow))
        workers = Workers(tunnel, python, scheduler.door, "one", [(0,)])
        assert workers.start() == ("one-0",)
        workers.stop()
    assert not programs(machines, number)


def test_a_job_outlives_its_worker(
    machines: Machines, believing: FleetScheduler, tmp_path: Path
) -> None:
    """What was started detached is none of the worker's."""
    _, endpoint = machines.start()
    tunnel = machines.tunnel(endpoint)
    workers = Workers(tunnel, OwnPython(), believing.door, "one", [(0,)])
    workers.start()
    process = submitted(believing, detached, str(tmp_path / "mark")).result()
    wait_until((tmp_path / "mark").exists)
    workers.stop()
    os.kill(process, 0)
    os.kill(process, 9)


def test_workers_come_again_after_a_broken_connection(
    machines: Machines, scheduler: FleetScheduler
) -> None:
    """They end by themselves; a new tunnel brings new ones of the same names."""
    number, endpoint = machines.start()
    tunnel = machines.tunnel(endpoint)
    workers = Workers(tunnel, OwnPython(), scheduler.door, "one", [(0,)])
    workers.start()
    cut_connections(machines.home(number).parent)
    wait_until(lambda: not programs(machines, number))
    wait_until(lambda: not scheduler.door.joined(["one-0"]))
    with pytest.raises(UnreachableError):
        workers.start()
    again = Workers(machines.tunnel(endpoint), OwnPython(), scheduler.door, "one", [(0,)])
    again.start()
    assert submitted(scheduler, visible).status == "finished"


def test_a_machine_that_was_out_of_reach_gets_new_workers(
    apart: Machines, scheduler: FleetScheduler
) -> None:
    """Its old ones, which know nothing of that, are ended first."""
    number, endpoint = apart.start()
    tunnel = apart.tunnel(endpoint)
    Workers(tunnel, OwnPython(), scheduler.door, "one", [(0,)]).start()
    apart.host.cut(number)
    (old,) = programs(apart, number)
    tunnel.close()
    apart.host.restore(number)
    again = Workers(apart.tunnel(endpoint), OwnPython(), scheduler.door, "one", [(0,)])
    again.start()
    (new,) = programs(apart, number)
    assert new != old
    assert submitted(scheduler, visible).status == "finished"


@pytest.mark.parametrize(
    ("python", "complaint"),
    [
        ("/no/python", "finding ports failed on the machine: .*/no/python"),
        (f"{sys.executable} -S", "do not join: ModuleNotFoundError: No module named"),
    ],
)
def test_a_machine_that_cannot_run_them_is_told(
    machines: Machines, believing: FleetScheduler, python: str, complaint: str
) -> None:
    """At once, with what it says itself."""
    _, endpoint = machines.start()
    tunnel = machines.tunnel(endpoint)
    workers = Workers(tunnel, OwnPython(python), believing.door, "one", [(0,)])
    with pytest.raises(RemoteError, match=complaint):
        workers.start()


def test_a_machine_that_names_no_ports_is_told(
    machines: Machines, believing: FleetScheduler
) -> None:
    """Whatever it says instead."""
    _, endpoint = machines.start()
    tunnel = machines.tunnel(endpoint)
    workers = Workers(tunnel, OwnPython("echo 99999"), believing.door, "one", [(0,)])
    with pytest.raises(RemoteError, match="names no ports"):
        workers.start()
