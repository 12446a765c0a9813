"""Ctrl-C ends what this computer waits for: ssh, rsync, and what these have started."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from advisor.base.interrupts import check, deferred, shielded
from advisor.rental.remote import sync


def children() -> set[str]:
    """Return the command lines of the processes below this one."""
    parents: dict[int, int] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                stat = (place / "stat").read_text()
            except OSError:
                continue
            fields = stat.rpartition(")")[2].split()
            if fields[0] != "Z":
                parents[int(place.name)] = int(fields[1])
    found = {os.getpid()}
    while more := {one for one, parent in parents.items() if parent in found} - found:
        found |= more
    lines = set()
    for one in found - {os.getpid()}:
        with suppress(OSError):  # it has ended meanwhile
            words = Path(f"/proc/{one}/cmdline").read_bytes()
            lines.add(words.replace(b"\0", b" ").decode())
    return lines


def interrupted_once(is_there: Callable[[], bool]) -> threading.Thread:
    """Send SIGINT once what is waited for is there."""

    def interrupt() -> None:
        end = time.monotonic() + 20.0
        while not is_there() and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    return thread


def test_ssh_ends(machine: Any) -> None:
    """At once, also where the machine would go on for long."""

    def goes_on() -> bool:
        return any("ssh -F" in line for line in children())

    begun = machine.home / "waits"
    with deferred():
        thread = interrupted_once(lambda: begun.exists() and goes_on())
        with pytest.raises(KeyboardInterrupt):
            machine.ssh.run("touch waits; sleep 61", timeout_s=90.0)
        thread.join()
    assert not goes_on()


def test_ssh_goes_on_where_it_may_not_end(machine: Any) -> None:
    """The signal is heard after it."""
    with deferred():
        with shielded("asking"):
            thread = interrupted_once(lambda: True)
            assert machine.ssh.run("sleep 1; echo done").stdout == b"done\n"
            thread.join()
        with pytest.raises(KeyboardInterrupt):
            check()


def test_rsync_ends_with_its_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that it has started; it is asked first, and what does not hear is killed."""
    line = ["sh", "-c", "trap '' TERM; sleep 62 & sleep 62; sleep 62"]
    monkeypatch.setattr(sync, "_ENDS_WITHIN_S", 0.3)
    with deferred():
        thread = interrupted_once(lambda: "sleep 62 " in children())
        with pytest.raises(KeyboardInterrupt):
            sync._run(line, lambda number: None, None)
        thread.join()
    assert not any("sleep 62" in line for line in children())
