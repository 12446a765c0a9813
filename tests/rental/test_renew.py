"""The lease of a machine: renewed it stays, else it ends itself."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.base.errors import UsageError
from advisor.rental import processes
from advisor.rental.processes import Process, process_of


@pytest.fixture
def street(inhabited: Any) -> Any:
    """Return a calm market whose machines are there."""
    return inhabited


@pytest.fixture
def living() -> Iterator[subprocess.Popen[bytes]]:
    """Return a process that lives until the test ends it."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def beat_of(street: Any, number: int) -> Path:
    folder: Path = street.folder / "machines" / str(number)
    return folder / "home" / ".advisor" / "heartbeat"


def leased(street: Any, *words: str) -> tuple[int, Path]:
    """Rent with a lease; return the instance, and its heartbeat, which is an old one."""
    done = street.rent("--wait", "--lease", "1h", *words)
    assert done.exit_code == 0, done.stderr
    assert done.document["lease_s"] == 3600.0
    number = done.document["instance_id"]
    beat = beat_of(street, number)
    os.utime(beat, (0, 0))
    return number, beat


def test_a_machine_hears_who_renews_its_lease(street: Any) -> None:
    """By its id, by its job, or alone."""
    number, beat = leased(street, "--job", "lab")
    for words in ((str(number),), ("--job", "lab"), ()):
        os.utime(beat, (0, 0))
        done = street.launch("renew", *words)
        assert done.exit_code == 0, done.stderr
        assert f"instance {number} is renewed: it ends itself 1 h after" in done.stderr
        assert beat.stat().st_mtime > 0


def test_a_lease_is_told_to_people(make_street: Callable[..., Any]) -> None:
    """With the command that renews it."""
    street = make_street()
    words = ("rent", "--workload", "resnet50", "--epochs", "2", "--yes")
    words += ("--set", "dataset_gb=1", "--lease", "90m")
    done = street.launch(*words)
    assert done.exit_code == 0, done.stderr
    (instance,) = street.instances()
    lease = "it ends itself 1.5 h after the last renewal"
    assert f"{lease}: 'advisor renew {instance['id']}'" in done.stdout


def test_a_machine_without_a_lease_needs_nothing(
    street: Any, living: subprocess.Popen[bytes]
) -> None:
    """Which is told, and no error."""
    assert street.rent("--wait").exit_code == 0
    for words in ((), ("--while", str(living.pid))):
        done = street.launch("renew", *words)
        assert done.exit_code == 0, done.stderr
        assert "has no lease: it stays until its end" in done.stderr


@pytest.mark.slow
def test_what_cannot_be_renewed_is_refused(street: Any) -> None:
    """None, another one, several, one that has ended, a process that is none."""

    def refused(*words: str) -> str:
        done = street.launch("renew", *words)
        assert done.exit_code == 2
        return str(done.stderr)

    assert "nothing is rented" in refused()
    first, _ = leased(street, "--job", "lab")
    second, _ = leased(street, "--job", "lab")
    assert f"name one of the instances {first}, {second}" in refused()
    assert f"name one of the instances {first}, {second}" in refused("--job", "lab")
    assert "no instance 5 is rented" in refused("5")
    assert "no machine of job other is rented" in refused("--job", "other")
    assert "not both" in refused(str(first), "--job", "lab")
    assert "there is no process" in refused(str(first), "--while", "999999999")
    assert street.launch("release", str(first), "--yes").exit_code == 0
    assert "is released" in refused(str(first))
    assert street.launch("renew").exit_code == 0


def test_a_machine_with_another_label_is_not_connected(street: Any) -> None:
    """Its id may stand for somebody else's by now."""
    number, beat = leased(street)
    with street.world.looked_at():
        street.world.rentals.contracts[number].label = "another"
    done = street.launch("renew", str(number))
    assert done.exit_code == 1
    assert "has the label 'another'" in done.stderr
    assert beat.stat().st_mtime == 0


def test_a_lease_is_renewed_while_a_process_lives(
    street: Any, living: subprocess.Popen[bytes]
) -> None:
    """A machine that does not answer for a while is told once, and tried again."""
    number, beat = leased(street)

    def happen() -> None:
        wait_for(lambda: beat.stat().st_mtime > 0)
        street.world._host.stop(number)
        time.sleep(1.0)
        living.kill()

    thread = threading.Thread(target=happen)
    thread.start()
    done = street.launch("renew", str(number), "--while", str(living.pid))
    thread.join()
    assert done.exit_code == 0, done.stderr
    assert done.stderr.count("is not renewed") == 1
    assert f"process {living.pid} has ended" in done.stderr.splitlines()[-1]
    assert len(street.instances()) == 1


def test_what_was_released_meanwhile_is_renewed_no_more(
    street: Any, living: subprocess.Popen[bytes]
) -> None:
    """Though the process lives."""
    number, beat = leased(street)
    entry = street.entries()[0]

    def release() -> None:
        wait_for(lambda: beat.stat().st_mtime > 0)
        street.ledger().advance(entry.label, "releasing", entry.ends_at, "somebody")

    thread = threading.Thread(target=release)
    thread.start()
    done = street.launch("renew", str(number), "--while", str(living.pid))
    thread.join()
    assert done.exit_code == 1
    assert "is releasing: there is nothing to renew" in done.stderr
    assert living.poll() is None


@pytest.mark.slow
def test_a_machine_whose_lease_nobody_renews_ends_itself(street: Any) -> None:
    """With its own key; a minute is the shortest lease."""
    done = street.rent("--wait", "--lease", "60s")
    assert done.exit_code == 0, done.stderr
    begun = time.monotonic()
    wait_for(lambda: not street.instances(), 120.0)
    assert time.monotonic() - begun > 50.0


def test_a_process_is_not_another_that_has_its_id(
    living: subprocess.Popen[bytes],
) -> None:
    """Nor one that has ended and was not waited for."""
    process = process_of(living.pid)
    assert process.is_alive
    assert not Process(living.pid, "another time").is_alive
    living.kill()
    wait_for(lambda: not process.is_alive)
    with pytest.raises(UsageError, match="no process"):
        process_of(living.pid)
    living.wait()
    assert not process.is_alive


@pytest.mark.parametrize("way", [processes._by_proc, processes._by_ps])
def test_both_ways_to_know_a_process_agree(
    living: subprocess.Popen[bytes], way: Callable[[int], str | None]
) -> None:
    """That of Linux, and that of the others."""
    began = way(living.pid)
    assert began
    assert way(living.pid) == began
    assert way(999_999_999) is None
    living.kill()
    wait_for(lambda: way(living.pid) is None)


def wait_for(done: Callable[[], bool], within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < end, "it does not come to that"
        time.sleep(0.1)
