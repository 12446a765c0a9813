"""A process is known by its id and its beginning, as well as a system tells that."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisor.base.errors import UsageError
from advisor.rental import processes
from advisor.rental.processes import Process, process_of


@pytest.fixture
def living() -> Iterator[subprocess.Popen[bytes]]:
    """Return a process that lives until the test ends it."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


@pytest.fixture
def no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no ``/proc``, as on macOS."""
    monkeypatch.setattr(Path, "exists", lambda _: False)


@pytest.fixture
def no_ps(no_proc: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no ``ps`` either."""
    monkeypatch.setattr(processes.shutil, "which", lambda _: None)


def test_linux_tells_it_in_ticks(living: subprocess.Popen[bytes]) -> None:
    """Since the machine's start: no clock that is set changes it."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("there is no /proc")
    began_s = int(process_of(living.pid).began) / os.sysconf("SC_CLK_TCK")
    now_s = float(Path("/proc/uptime").read_text().split()[0])
    assert 0.0 <= now_s - began_s < 60.0


def test_other_systems_tell_a_moment(
    living: subprocess.Popen[bytes], no_proc: None
) -> None:
    """To the second, by ``ps``."""
    if shutil.which("ps") is None:
        pytest.skip("there is no ps")
    process = process_of(living.pid)
    assert ":" in process.began
    assert process.is_alive


def test_where_nothing_tells_it_an_id_stands_for_whoever_has_it(
    living: subprocess.Popen[bytes], no_ps: None
) -> None:
    """One that has ended and was waited for is none."""
    process = process_of(living.pid)
    assert process == Process(living.pid, "")
    assert process.is_alive
    living.kill()
    living.wait()
    assert not process.is_alive
    with pytest.raises(UsageError, match=f"there is no process {living.pid} on this"):
        process_of(living.pid)


def test_another_users_process_is_one(
    no_ps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be no more than looked at."""

    def refuse(number: int, signal: int) -> None:
        assert (number, signal) == (7, 0)
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert Process(7, "").is_alive
