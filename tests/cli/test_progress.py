"""What a search waits for is said on a terminal, and nowhere else."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from advisor.cli.progress import Progress, progress
from advisor.market.types import Answer

PROGRAM = """
import signal, sys, time
from datetime import UTC, datetime
from pathlib import Path
import httpx
from advisor.app.context import Context
from advisor.base.clock import Clock
from advisor.cli.main import run
from advisor.simulator.api import Api
from advisor.simulator.calls import Request
from advisor.simulator.clock import SimClock
from advisor.simulator.world import World

signal.signal(signal.SIGINT, signal.default_int_handler)
home, waits, *arguments = sys.argv[1:]
passed = [0.0]

def sleep(seconds):
    passed[0] += seconds
    if waits == "really":
        time.sleep(seconds)

clock = SimClock.manual(1.8e9)
world = World(200, clock=clock, calm=True, rate_limited=True, search_cap=64)
api = Api(world, monotonic=lambda: passed[0])

def answer(request):
    body, key = request.content, "some-key"
    reply = api.handle(Request(request.method, request.url.path, body=body, key=key))
    return httpx.Response(reply.status, content=reply.body)

context = Context(
    variables={"VAST_API_KEY": "some-key", "ADVISOR_CACHE_DIR": home + "/cache",
               "ADVISOR_DATA_DIR": home + "/data"},
    home=Path(home),
    folder=Path(home),
    transport=httpx.MockTransport(answer),
    clock=Clock(now=lambda: datetime.fromtimestamp(1.8e9 + passed[0], UTC),
                monotonic=lambda: passed[0], sleep=sleep),
)
words = ["rank", "--workload", "resnet50", "--market", "vast", *arguments]
sys.exit(run(words, context))
"""


@dataclass
class Terminal:
    """A terminal with a program in it, and what it shows."""

    process: subprocess.Popen[bytes]
    handle: int
    shown: str = ""

    def read_until(self, words: str) -> None:
        """Read on until the program has written some words, or ends."""
        while words not in self.shown:
            try:
                piece = os.read(self.handle, 65536)
            except OSError:  # the program has closed its end
                return
            if not piece:
                return
            self.shown += piece.decode()

    @property
    def lines(self) -> list[str]:
        """What stands on each line in the end, what was written over left out."""
        lines = []
        for line in self.shown.replace("\r\n", "\n").split("\n"):
            cells = ""
            for part in line.split("\r"):
                cells = part + cells[len(part) :]
            lines.append(cells.rstrip())
        return lines


Open = Callable[..., Terminal]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Open]:
    """Return what starts a ranking of a slow market in a terminal."""
    opened: list[Terminal] = []

    def start(*arguments: str, waits: str = "not", piped: bool = False) -> Terminal:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), waits, *arguments]
        stdout = (
            os.open(tmp_path / "piped", os.O_CREAT | os.O_WRONLY) if piped else theirs
        )
        environment = {**os.environ, "COLUMNS": "200"}
        process = subprocess.Popen(
            command, stdin=theirs, stdout=stdout, stderr=theirs, env=environment
        )
        for end in {stdout, theirs}:
            os.close(end)
        opened.append(Terminal(process, ours))
        return opened[-1]

    yield start
    for one in opened:
        one.process.kill()
        one.process.wait()
        os.close(one.handle)


def tables(text: str) -> int:
    """Return how many rankings are shown."""
    return len(re.findall(r"\$/epoch", text))


def test_a_terminal_shows_what_is_there_and_what_is_awaited(terminal: Open) -> None:
    """The first ranking comes while the market makes us wait, the whole one later."""
    shown = terminal()
    shown.read_until("the end")
    before, reading_on, _ = shown.shown.partition("reading on")
    assert reading_on
    assert "asking console.vast.ai" in before
    assert "page 1, 64 offers so far" in before
    assert tables(before) == 0
    assert shown.process.wait(timeout=60) == 0
    assert tables(shown.shown) == 2
    assert re.search(
        r"page \d, \d+ offers so far; the market asks to wait 6 s", shown.shown
    )
    assert sum("may hold back more offers; reading on" in one for one in shown.lines) == 1
    assert not any("offers so far" in line for line in shown.lines)
    (final,) = [line for line in shown.lines if "offers read" in line][1:]
    assert "may hold back" not in final


@pytest.mark.parametrize("arguments", [["--format", "json"], ["--format", "csv"]])
def test_programs_get_one_result(terminal: Open, arguments: list[str]) -> None:
    """JSON and CSV are not shown before they are whole."""
    shown = terminal(*arguments)
    shown.read_until("the end")
    assert shown.process.wait(timeout=60) == 0
    assert "page 1, 64 offers so far" in shown.shown
    assert "reading on" not in shown.shown


def test_a_pipe_gets_the_last_ranking_alone(terminal: Open, tmp_path: Path) -> None:
    """Who looks at stderr sees the line; who reads stdout sees one table."""
    shown = terminal(piped=True)
    shown.read_until("the end")
    assert shown.process.wait(timeout=60) == 0
    assert "page 1, 64 offers so far" in shown.shown
    assert tables(shown.shown) == 0
    assert tables((tmp_path / "piped").read_text()) == 1


def test_ctrl_c_while_the_market_makes_us_wait_ends_the_search(terminal: Open) -> None:
    """130 and one word, on a line of its own; the first ranking stays on the screen."""
    shown = terminal(waits="really")
    shown.read_until("asks to wait")
    time.sleep(0.3)  # a signal just before the sleep begins would be heard after it
    shown.process.send_signal(signal.SIGINT)
    shown.read_until("the end")
    assert shown.process.wait(timeout=60) == 130
    assert "advisor: interrupted" in shown.lines
    assert "Traceback" not in shown.shown
    assert tables(shown.shown) == 1


def test_nobody_is_told_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal there is no line."""
    with progress("console.vast.ai") as watcher:
        assert watcher is None
    assert capsys.readouterr() == ("", "")


def part(offers: int) -> Answer:
    records = [{"id": number} for number in range(offers)]
    return Answer(records, "vast", "console.vast.ai", None, complete=False)


def test_the_line_is_written_over_and_wiped() -> None:
    """Each text replaces the one before, none is wider than the terminal."""
    stream = io.StringIO()
    line = Progress(stream, "a" * 500)
    line.comes(1, part(1200))
    line.waits(0.2, "the market asks to wait")
    line.waits(4.4, "the market asks to wait")
    line.wipe()
    asking, *texts = stream.getvalue().split("\r")[1:]
    assert len(asking) < 500
    assert [text.rstrip() for text in texts] == [
        *["page 1, 1,200 offers so far"],
        *["page 1, 1,200 offers so far; the market asks to wait 4 s", "", ""],
    ]


def test_the_first_ranking_is_shown_once_and_only_where_it_takes_a_while() -> None:
    """At the first wait of a second, or at a third page after two seconds."""
    passed, seen = [0.0], []

    def line() -> Progress:
        seen.clear()
        return Progress(
            io.StringIO(), "x", lambda a: seen.append(len(a.records)), lambda: passed[0]
        )

    quick = line()
    for page in range(1, 6):
        quick.comes(page, part(page))
    assert seen == []
    slow = line()
    slow.waits(5.0, "the market asks to wait")  # nothing is there yet
    passed[0] += 5.0
    for page in range(1, 6):
        slow.comes(page, part(page))
    assert seen == [3]
    waiting = line()
    waiting.comes(1, part(64))
    waiting.waits(5.0, "the market asks to wait")
    waiting.waits(5.0, "the market asks to wait")
    assert seen == [64]
