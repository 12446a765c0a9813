"""Launchers that get signals, each a process of its own, forked from this one.

Reads one launch a line from stdin, as JSON:

- ``url``, ``key`` of the market, ``folder`` of the launcher, ``words`` of its command;
- ``signals`` that it gets, and where: before the ``line``-th line of our own code that it
  runs, or in the request whose method and path match ``request`` (a pattern), before it
  is sent or, with ``late``, once the market has done it;
- ``unwritable``: state of a rental that the disk does not take;
- ``stdout``, ``stderr``: where they go, ``"full"`` (a full disk), ``"gone"`` (a reader
  that has gone), ``"closed"``, else into files.

Answers with a line: ``code``, ``lines`` that were run, ``place`` where a signal came,
``stdout`` and ``stderr``; ``launcher.pid`` in its folder names the process. Time is the
simulated market's, which passes where it waits.
"""

from __future__ import annotations

import functools
import io
import json
import os
import re
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

import advisor.cli.reconcile
import advisor.cli.release
import advisor.cli.rent
import advisor.cli.run
import advisor.market.vast.client
import advisor.throughput.advice  # what the launches share is imported once
from advisor.app.context import Context
from advisor.base.clock import Clock
from advisor.base.interrupts import to_the_end
from advisor.cli.main import run
from advisor.market.vast.key import VARIABLE
from advisor.throughput.tables import load_tables

ROOMS = tuple(
    f"{Path(advisor.__file__).parent / room}/" for room in ("rental", "store", "cli")
)

_HEARS_WITHIN_S = 0.05

load_tables()  # the operating system has the model's pages at hand from now on


class Signals:
    """Counts lines, and lets signals arrive where they are wanted."""

    def __init__(self, order: Mapping[str, Any], told: Path) -> None:
        self.numbers = order["signals"]
        self.line = order.get("line")
        self.request = re.compile(order.get("request", "$^"))
        self.late = order.get("late", False)
        self.told = told
        self.lines = 0
        self.place = ""

    def arrive(self, place: str) -> None:
        self.place = place
        for number in self.numbers:
            os.kill(os.getpid(), number)
            if self.line is None:  # the main thread waits for this one, and hears each
                time.sleep(_HEARS_WITHIN_S)

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(ROOMS):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self.line:
                name = Path(frame.f_code.co_filename).name
                self.arrive(f"{name}:{frame.f_lineno} {frame.f_code.co_qualname}")
        return self.trace

    def write(self) -> None:
        told = {"lines": self.lines, "place": self.place}
        self.told.write_text(json.dumps(told), encoding="utf-8")


class Transport(httpx.HTTPTransport):
    """The network, on which signals arrive."""

    def __init__(self, signals: Signals) -> None:
        super().__init__()
        self._signals = signals

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        signals, name = self._signals, f"{request.method} {request.url.path}"
        matches = not signals.place and signals.request.search(name)
        if matches and not signals.late:
            signals.arrive(name)
        response = super().handle_request(request)
        if matches and signals.late:
            response.read()
            signals.arrive(name)
        return response


def connection_without(state: str) -> type[sqlite3.Connection]:
    """Return a connection to a disk that takes no row of a state."""

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            if state in tuple(arguments[0] if arguments else ()):
                message = "disk I/O error"
                raise sqlite3.OperationalError(message)
            return super().execute(sql, *arguments)

    return Failing


class MarketTime:
    """The simulated market's time; waiting lets it pass for all."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, trust_env=False)  # no proxy

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.monotonic(), UTC)

    def monotonic(self) -> float:
        return float(self._client.get("/__clock").json()["now_unix_s"])

    def sleep(self, seconds: float) -> None:
        self._client.post("/__clock", json={"advance_s": max(seconds, 0.0)})


def launch(order: Mapping[str, Any], signals: Signals) -> int:
    """Do what `advisor.__main__` does, in a world of the order's."""
    market_time = MarketTime(order["url"])
    folder = Path(order["folder"])
    context = Context(
        variables={
            "VAST_URL": order["url"],
            VARIABLE: order["key"],
            "ADVISOR_DATA_DIR": str(folder / "data"),
            "ADVISOR_CACHE_DIR": str(folder / "cache"),
        },
        home=folder,
        folder=folder,
        transport=Transport(signals),
        clock=Clock(
            now=market_time.now, monotonic=market_time.monotonic, sleep=market_time.sleep
        ),
    )
    if "unwritable" in order:
        factory = connection_without(order["unwritable"])
        sqlite3.connect = functools.partial(sqlite3.connect, factory=factory)  # type: ignore[assignment]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as in the foreground
    to_the_end()
    try:
        if signals.line is not None or not signals.numbers:
            sys.settrace(signals.trace)
        return run(order["words"], context)
    except KeyboardInterrupt:
        return 130
    finally:
        sys.settrace(None)
        signals.write()


def redirect(number: int, where: str | None, file: Path) -> io.TextIOWrapper | None:
    """Send a stream of the process somewhere; return it."""
    if where == "closed":
        os.close(number)
        return None
    if where == "gone":
        reader, target = os.pipe()
        os.close(reader)
    else:
        name = "/dev/full" if where == "full" else str(file)
        target = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(target, number)
    os.close(target)
    return io.TextIOWrapper(io.FileIO(number, "w", closefd=False), write_through=True)


def launched(order: Mapping[str, Any]) -> dict[str, Any] | None:
    """Launch in a process of its own; return how that ended, None in the process."""
    with tempfile.TemporaryDirectory() as scratch:
        told, out, err = (Path(scratch) / name for name in ("told", "out", "err"))
        child = os.fork()
        if child == 0:
            sys.stdout = redirect(1, order.get("stdout"), out)  # type: ignore[assignment]
            sys.stderr = redirect(2, order.get("stderr"), err)  # type: ignore[assignment]
            os._exit(launch(order, Signals(order, told)))
        (Path(order["folder"]) / "launcher.pid").write_text(str(child), encoding="ascii")
        _, status = os.waitpid(child, 0)
        known = {"lines": 0, "place": "before it could be written"}
        if told.exists():
            known = json.loads(told.read_text(encoding="utf-8"))
        texts = [
            path.read_text(encoding="utf-8") if path.exists() else ""
            for path in (out, err)
        ]
        code = os.waitstatus_to_exitcode(status)
        return {"code": code, "stdout": texts[0], "stderr": texts[1], **known}


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(launched(json.loads(line))) + "\n")
        sys.stdout.flush()
