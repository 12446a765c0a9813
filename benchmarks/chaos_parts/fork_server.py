"""A warm process: it has imported everything, and forks launchers.

Orders come on stdin, one JSON object a line; reports go to stdout. Two orders::

    {"launch": N, ...}               start one, see `launcher.Order`; reports {"launch",
                                     "pid"}, later {"launch", "code"}: -9 if it was killed
    {"signal": SIGNUM, "launch": N}  reports {"launch", "sent"}: 0 if it has ended by then
"""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from advisor.throughput.tables import load_tables
from chaos_parts import launcher


class ForkServer:
    """Forks launchers as they are asked for, until stdin ends."""

    def __init__(self) -> None:
        self._reports = os.fdopen(os.dup(1), "w", encoding="utf-8")
        with Path(os.devnull).open("wb") as nothing:  # nobody else reports
            os.dup2(nothing.fileno(), 1)
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._alive: dict[int, int] = {}
        self._left = b""

    def serve(self) -> None:
        """Do what is ordered."""
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._report(launch=0, ready=1)
        for order in self._orders():
            if "signal" in order:
                self._signal(order["launch"], order["signal"])
            else:
                self._fork(order)
        for pid in self._alive:
            os.kill(pid, signal.SIGKILL)

    def _orders(self) -> Iterator[Mapping[str, Any]]:
        """Yield orders as they come; tell of launchers that end meanwhile."""
        while True:
            ready, _, _ = select.select([0, self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if 0 not in ready:
                continue
            got = os.read(0, 1 << 16)
            if not got:
                return
            *lines, self._left = (self._left + got).split(b"\n")
            yield from map(json.loads, lines)

    def _reap(self) -> None:
        for pid in list(self._alive):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                self._report(launch=self._alive.pop(pid), code=code)

    def _signal(self, launch: int, signum: int) -> None:
        """Send a signal; nobody else has the id of one that is not reaped yet."""
        there = [pid for pid, number in self._alive.items() if number == launch]
        for pid in there:
            os.kill(pid, signum)
        self._report(launch=launch, sent=len(there))

    def _fork(self, order: Mapping[str, Any]) -> None:
        child = os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (self._woken, self._wake, self._reports.fileno()):
                os.close(end)
            launcher.run(order)
        self._alive[child] = order["launch"]
        self._report(launch=order["launch"], pid=child)

    def _report(self, **said: int) -> None:
        print(json.dumps(said), file=self._reports, flush=True)


if __name__ == "__main__":
    load_tables()  # the operating system has the model's pages at hand from now on
    ForkServer().serve()
