"""A launcher that is killed (SIGKILL) at one of its points: for the benchmark and tests.

Reads one launch a line from stdin, as JSON: ``url`` and ``key`` of the market, the
launcher's ``folder``, the ``words`` of its command line, and ``kill_at``, the point at
which it dies (null: it lives). Points are counted before and after every request to the
market and every commit of the user's file. Its process id is in ``launcher.pid``.
Answers with a line: ``code`` (-9: killed), ``points`` reached, ``stdout``, ``stderr``.
Each launch is a process of its own, forked from this one; its time is that of the
simulated market, which passes where it waits.
"""

from __future__ import annotations

import functools
import io
import json
import os
import signal
import sqlite3
import sys
import tempfile
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import httpx

import advisor.cli.reconcile
import advisor.cli.release
import advisor.cli.rent
import advisor.cli.run
import advisor.market.vast
import advisor.throughput.advice  # noqa: F401  (what the launches share is imported once)
from advisor.app.context import Environment
from advisor.cli.main import app, explain
from advisor.errors import AdvisorError
from advisor.market.keys import VARIABLE
from advisor.ranking import load_tables

load_tables()  # the operating system has the model's pages at hand from now on


class Points:
    """Counts, and ends the process at the point asked for."""

    def __init__(self, kill_at: int | None, count_file: Path) -> None:
        self.kill_at = kill_at
        self.reached = 0
        self.count_file = count_file

    def reach(self) -> None:
        """Pass a point."""
        self.reached += 1
        self.count_file.write_text(str(self.reached), encoding="ascii")
        if self.reached == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


class CountingTransport(httpx.HTTPTransport):
    """The network, with a point before and after each request."""

    def __init__(self, points: Points) -> None:
        super().__init__()
        self._points = points

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        self._points.reach()
        response = super().handle_request(request)
        self._points.reach()
        return response


def counting_connection(points: Points) -> type[sqlite3.Connection]:
    """Return a connection with a point before and after each commit."""

    class Counting(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            if sql != "COMMIT":
                return super().execute(sql, *arguments)
            points.reach()
            done = super().execute(sql, *arguments)
            points.reach()
            return done

    return Counting


class MarketTime:
    """The simulated market's time; waiting lets it pass for all."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, trust_env=False)  # no proxy

    def now(self) -> datetime:
        """Return the time (UTC)."""
        return datetime.fromtimestamp(self.monotonic(), UTC)

    def monotonic(self) -> float:
        """Return the time, s since 1970."""
        return float(self._client.get("/__clock").json()["now_unix_s"])

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._client.post("/__clock", json={"advance_s": max(seconds, 0.0)})


def launch(order: Mapping[str, Any], count_file: Path) -> int:
    """Run one command line in this process; return its exit code."""
    points = Points(order["kill_at"], count_file)
    sqlite3.connect = functools.partial(  # type: ignore[assignment]
        sqlite3.connect, factory=counting_connection(points)
    )
    time = MarketTime(order["url"])
    folder = Path(order["folder"])
    environment = Environment(
        variables={
            "VAST_URL": order["url"],
            VARIABLE: order["key"],
            "ADVISOR_DATA_DIR": str(folder / "data"),
            "ADVISOR_CACHE_DIR": str(folder / "cache"),
        },
        home=folder,
        now=time.now,
        folder=folder,
        transport=CountingTransport(points),
        monotonic=time.monotonic,
        sleep=time.sleep,
    )
    try:
        code = app.main(order["words"], "advisor", standalone_mode=False, obj=environment)
    except (AdvisorError, click.ClickException, click.Abort) as error:
        message, code = explain(error)
        print(message, file=sys.stderr)
    return int(code or 0)


def launched(order: Mapping[str, Any]) -> dict[str, Any]:
    """Launch in a process of its own; return how that ended."""
    with tempfile.TemporaryDirectory() as scratch:
        count_file, out, err = (Path(scratch) / name for name in ("count", "out", "err"))
        count_file.write_text("0", encoding="ascii")
        child = os.fork()
        if child == 0:
            sys.stdout = io.TextIOWrapper(out.open("wb"), write_through=True)
            sys.stderr = io.TextIOWrapper(err.open("wb"), write_through=True)
            code = 1
            try:
                code = launch(order, count_file)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        (Path(order["folder"]) / "launcher.pid").write_text(str(child), encoding="ascii")
        _, status = os.waitpid(child, 0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "points": int(count_file.read_text(encoding="ascii") or 0),
            "stdout": out.read_text(encoding="utf-8"),
            "stderr": err.read_text(encoding="utf-8"),
        }


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(launched(json.loads(line))), flush=True)
