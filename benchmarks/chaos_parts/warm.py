"""The other end of `fork_server`: starts launchers, signals them, waits for them."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

_STARTS_WITHIN_S = 60.0
_REPORTS_WITHIN_S = 30.0


class WarmProcess:
    """A process that has imported everything, and forks launchers.

    Threads may share it.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos_parts.fork_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._said: dict[tuple[int, str], int] = {}
        self._ended = False
        threading.Thread(target=self._listen, daemon=True).start()
        self._wait(0, "ready", _STARTS_WITHIN_S)

    def next_number(self) -> int:
        """Return the number of a launch that is about to be started."""
        with self._changed:
            return next(self._numbers)

    def start(self, number: int, order: Mapping[str, Any]) -> int:
        """Start a launcher, see `launcher.Order`; return its process id."""
        self._send({**order, "launch": number})
        return self._wait(number, "pid", _REPORTS_WITHIN_S)

    def signal(self, number: int, signum: int) -> bool:
        """Send a signal to a launcher; return whether that was still there."""
        self._send({"signal": signum, "launch": number})
        return bool(self._wait(number, "sent", _REPORTS_WITHIN_S))

    def wait(self, number: int, limit_s: float) -> int | None:
        """Return how a launcher ended, None if it has not after so many real seconds."""
        try:
            return self._wait(number, "code", limit_s)
        except TimeoutError:
            return None

    def close(self) -> None:
        """End the process and what it started."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()

    def _send(self, order: Mapping[str, Any]) -> None:
        if self._process.stdin is None:
            raise BrokenPipeError
        with self._changed:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()

    def _wait(self, number: int, what: str, limit_s: float) -> int:
        with self._changed:
            is_said = self._changed.wait_for(
                lambda: (number, what) in self._said or self._ended, limit_s
            )
            if not is_said or (number, what) not in self._said:
                raise TimeoutError(f"launch {number}: no {what} within {limit_s} s")
            return self._said.pop((number, what))

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            report = json.loads(line)
            number = report.pop("launch")
            with self._changed:
                self._said.update({(number, what): told for what, told in report.items()})
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
