"""Processes of this computer: which one an id stands for, and whether it still runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from advisor.base.errors import UsageError

_STARTED = 19  # of the fields after the name in /proc/PID/stat: proc(5), "starttime"
_ENDED = frozenset("ZXx")  # a zombie's id is still taken


@dataclass(frozen=True, slots=True)
class Process:
    """One process, which no other is that gets its id later.

    Attributes
    ----------
    number : its id
    began : when it began, as the system has it; ``""`` where that does not tell
    """

    number: int
    began: str

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return _began(self.number) == self.began


def process_of(number: int) -> Process:
    """Return the process that has an id now.

    Raises
    ------
    UsageError
        if there is none
    """
    began = _began(number)
    if began is None:
        message = f"there is no process {number} on this computer"
        raise UsageError(message)
    return Process(number, began)


def _began(number: int) -> str | None:
    """Return when the process began that has an id; None if there is none."""
    if Path("/proc/self/stat").exists():  # Linux
        return _by_proc(number)
    if shutil.which("ps"):  # the other systems of the kind
        return _by_ps(number)
    return "" if _answers(number) else None


def _by_proc(number: int) -> str | None:
    try:
        text = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()  # the name may hold anything
    return None if state in _ENDED else fields[_STARTED - 1]


def _by_ps(number: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(number)]
    done = subprocess.run(  # noqa: S603  (our own words, no shell)
        command,
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
    )
    state, _, began = done.stdout.decode(errors="replace").strip().partition(" ")
    return None if not state or state[0] in _ENDED else began.strip()


def _answers(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return True
