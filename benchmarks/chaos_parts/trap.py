"""Faults inside system calls of a launcher, by strace, attached before the first."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_ATTACHES_WITHIN_S = 20.0
_LEDGER = "advisor.sqlite3"

What = Literal["kill", "ENOSPC", "EIO"]


@dataclass(frozen=True, slots=True)
class Trap:
    """The n-th call of a kind fails, or kills.

    Attributes
    ----------
    syscall : name; of openat only what concerns the ledger
    at : n, from 1
    what : "kill" or an error
    lasting : whether all later ones fail, too
    """

    syscall: str
    at: int
    what: What
    lasting: bool = False

    @property
    def injection(self) -> str:
        """The option of strace."""
        what = "signal=SIGKILL" if self.what == "kill" else f"error={self.what}"
        return f"{self.syscall}:{what}:when={self.at}{'+' if self.lasting else ''}"


class Strace:
    """A strace at work on a process that has stopped itself, until that ends.

    Parameters
    ----------
    pid : of the process
    data : its data folder
    syscalls : to watch
    log : file that strace writes
    trap : what it injects; None to watch alone
    """

    def __init__(
        self, pid: int, data: Path, syscalls: Sequence[str], log: Path, trap: Trap | None
    ) -> None:
        self._log = log
        _wait_until(lambda: _status(pid, "State").startswith("T"))
        words = [
            "strace",
            "-f",
            "-qq",
            "-o",
            str(log),
            "-e",
            f"trace={','.join(syscalls)}",
        ]
        if syscalls == ["openat"]:
            for end in ("", "-wal", "-shm", "-journal"):
                words += ["-P", str(data / f"{_LEDGER}{end}")]
        if trap is not None:
            words += ["-e", f"inject={trap.injection}"]
        self._process = subprocess.Popen(
            [*words, "-p", str(pid)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _wait_until(lambda: _status(pid, "TracerPid") not in ("0", ""))

    def close(self) -> Counter[str]:
        """Wait for the process's end; return how often each call was made."""
        try:
            self._process.wait(_ATTACHES_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
        calls: Counter[str] = Counter()
        for line in self._log.read_text(encoding="utf-8", errors="replace").splitlines():
            name = line.split(None, 1)[-1].split("(", 1)[0]
            calls[name] += 1
            calls["injected"] += "INJECTED" in line or "killed by SIGKILL" in line
        return calls


def can_trap() -> bool:
    """Say whether strace is installed."""
    return shutil.which("strace") is not None


def _status(pid: int, name: str) -> str:
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return "gone"
    lines = [line for line in text.splitlines() if line.startswith(f"{name}:")]
    return lines[0].split(":", 1)[1].strip() if lines else ""


def _wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + _ATTACHES_WITHIN_S
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.005)
