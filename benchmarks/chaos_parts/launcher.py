"""A launcher: the whole command line on simulated time, in a process that was forked.

It is what a shell would start, but for three things: its time is that of the market, its
requests say whose they are (header ``X-Launch``), and it may be told to meet a fault of
its file, or a signal at a certain line.
"""

from __future__ import annotations

import atexit
import functools
import http.client
import json
import mmap
import os
import signal
import sqlite3
import struct
import sys
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

import advisor
import advisor.__main__
import advisor.app.rented
import advisor.cli.hosts
import advisor.cli.main
import advisor.cli.reconcile
import advisor.cli.release
import advisor.cli.rent
import advisor.cli.rentals
import advisor.cli.run
import advisor.market.vast.client
import advisor.throughput.advice
from advisor.app.context import Context
from advisor.base.clock import Clock
from advisor.base.errors import AdvisorError
from advisor.market.vast.key import VARIABLE

Order = Mapping[str, Any]
"""``launch`` (its number), ``url`` and ``key`` of the market, ``clock`` (file with its
time), ``folder`` (home of the computer), ``skew_s`` (error of its wall clock), ``words``
of the command line, ``out`` and ``err`` (files), ``waits`` (whether it stops itself
before the first step). It may have ``line`` (n, and a file for where that was: the driver
is told there), ``file`` (see `FailingFile`), and ``rented``: keywords of `advisor.rented`
and a ``script``, in place of words."""

ROOT = Path(advisor.__file__).parent
ROOMS = tuple(
    str(ROOT / room)
    for room in (
        "app",
        "launch.py",
        "rental",
        "store",
        "market/http.py",
        "market/vast",
        "cli",
    )
)


class MarketTime:
    """The market's time: read from a file that all have; to wait is to ask for it."""

    def __init__(self, order: Order) -> None:
        with Path(order["clock"]).open("rb") as file:
            self._memory = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
        self._skew_s = float(order["skew_s"])
        self._launch = int(order["launch"])
        self._address = urllib.parse.urlsplit(order["url"]).netloc

    def now(self) -> datetime:
        """Return the time by the computer's own clock (UTC)."""
        return datetime.fromtimestamp(self.monotonic() + self._skew_s, UTC)

    def monotonic(self) -> float:
        """Return the market's time, s since 1970."""
        return float(struct.unpack("d", self._memory[:8])[0])

    def sleep(self, seconds: float) -> None:
        """Wait until the time has come; threads beside the main one wait, too."""
        if not seconds > 0:
            return
        alone = threading.current_thread() is threading.main_thread()
        body = json.dumps({"launch": self._launch, "seconds": seconds, "main": alone})
        _ask(self._address, "/__sleep", body)


def _ask(address: str, path: str, body: str) -> None:
    """Ask the driver for something, and wait until it is done."""
    connection = http.client.HTTPConnection(address)
    try:
        connection.request("POST", path, body)
        connection.getresponse().read()
    finally:
        connection.close()


class Marked(httpx.HTTPTransport):
    """The network, with requests that say whose they are."""

    def __init__(self, launch: int) -> None:
        super().__init__()
        self._launch = str(launch)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        request.headers["X-Launch"] = self._launch
        return super().handle_request(request)


_FAULTS = {
    "full": (sqlite3.SQLITE_FULL, "SQLITE_FULL", "database or disk is full"),
    "io": (sqlite3.SQLITE_IOERR, "SQLITE_IOERR", "disk I/O error"),
    "locked": (sqlite3.SQLITE_BUSY, "SQLITE_BUSY", "database is locked"),
}


class FailingFile:
    """Faults of the user's file: at the n-th point of a kind, or from it on.

    Parameters
    ----------
    fault : ``point`` ("begin", "write" or "commit"), ``at`` (n), ``what`` ("full", "io",
        "locked", or "kill", which ends the process there), ``lasting``
    """

    def __init__(self, fault: Mapping[str, Any]) -> None:
        self._fault = fault
        self._reached = 0

    def meet(self, connection: sqlite3.Connection, point: str) -> None:
        """Pass a point of the file, or fail there."""
        if point != self._fault["point"]:
            return
        self._reached += 1
        late = self._fault["lasting"] and self._reached > self._fault["at"]
        if self._reached != self._fault["at"] and not late:
            return
        if self._fault["what"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if connection.in_transaction and self._fault["what"] != "locked":
            sqlite3.Connection.execute(connection, "ROLLBACK")  # what SQLite does then
        code, name, text = _FAULTS[self._fault["what"]]
        error = sqlite3.OperationalError(text)
        error.sqlite_errorcode, error.sqlite_errorname = code, name
        raise error


_POINTS = {
    "BEGIN ": "begin",
    "COMMIT": "commit",
    "INSERT": "write",
    "UPDATE": "write",
    "DELETE": "write",
}


def failing_connection(file: FailingFile) -> type[sqlite3.Connection]:
    """Return a connection whose statements meet the faults of a file."""

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            point = _POINTS.get(sql.lstrip()[:6].upper())
            if point is not None:
                file.meet(self, point)
            return super().execute(sql, *arguments)

    return Failing


def signal_at_line(order: Order) -> None:
    """Let this process get a signal at the n-th line that it runs in `ROOMS`.

    Its driver sends it: who is stopped could not say so.
    """
    number, where = order["line"]
    address = urllib.parse.urlsplit(order["url"]).netloc
    body = json.dumps({"launch": order["launch"]})
    reached = 0

    def on_line(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
        nonlocal reached
        if event == "line":
            reached += 1
            if reached == number:
                place = Path(frame.f_code.co_filename).relative_to(ROOT)
                Path(where).write_text(f"{place}:{frame.f_lineno}", encoding="utf-8")
                _ask(address, "/__signal", body)
        return on_line

    def on_call(frame: FrameType, _: str, __: Any) -> Callable[..., Any] | None:
        return on_line if frame.f_code.co_filename.startswith(ROOMS) else None

    atexit.register(sys.settrace, None)  # when modules are torn down, globals are None
    sys.settrace(on_call)


def run(order: Order) -> None:
    """Be the launcher that an order asks for; leaves by `SystemExit`."""
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    for name, target in (("out", 1), ("err", 2)):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.dup2(os.open(order[name], flags, 0o600), target)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "file" in order:
        sqlite3.connect = functools.partial(  # type: ignore[assignment]
            sqlite3.connect, factory=failing_connection(FailingFile(order["file"]))
        )
    time, folder = MarketTime(order), Path(order["folder"])
    os.chdir(folder)
    context = Context(
        variables={
            "VAST_URL": order["url"],
            VARIABLE: order["key"],
            "ADVISOR_DATA_DIR": str(folder / "data"),
            "ADVISOR_CACHE_DIR": str(folder / "cache"),
        },
        home=folder,
        folder=folder,
        transport=Marked(order["launch"]),
        clock=Clock(now=time.now, monotonic=time.monotonic, sleep=time.sleep),
    )
    # The whole command, its last line of defense included, and not a part of it.
    Context.of_this_process = classmethod(lambda _: context)  # type: ignore[method-assign,assignment]
    sys.argv = ["advisor", *order["words"]]
    if order["waits"]:
        os.kill(os.getpid(), signal.SIGSTOP)
    if "line" in order:
        signal_at_line(order)
    if "rented" in order:
        sys.exit(_rented(order["rented"]))
    advisor.__main__.main()


def _rented(asked: Mapping[str, Any]) -> int:
    """Use the Python face as a program would; return how that ended."""
    keywords = {name: value for name, value in asked.items() if name != "script"}
    try:
        with advisor.rented(**keywords) as machine:
            machine.run(asked["script"])
    except AdvisorError as error:
        print(error, file=sys.stderr)
        return int(error.exit_status)
    except KeyboardInterrupt:
        return 130
    return 0
