"""How far work has come is said on a terminal, and nowhere else."""

from __future__ import annotations

import codecs
import io
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.progress import BYTES, quiet
from advisor.cli.progress import Line, Search, searching
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


NOTICES = """
import signal, sys, time
import click
from advisor.base.errors import AdvisorError
from advisor.cli.main import app, run
from advisor.cli.output import aside, remark, result

signal.signal(signal.SIGINT, signal.default_int_handler)

@click.command("told")
@click.pass_obj
def told(context):
    for say in (context.notify, remark, result, aside):
        for number in range(3):
            context.progress("counting", number, 10, "notices")
        if sys.argv[-1] == "error":
            raise AdvisorError("it failed")
        if sys.argv[-1] == "ctrl-c":
            time.sleep(60)
        words = {context.notify: "notice", remark: "remark", result: "result"}
        say(f"an aside" if say is aside else f"a {words[say]}")
    context.progress("counting", 1, 10, "notices")

app.get_command = lambda ctx, name: told
sys.exit(run(["told"]))
"""


@dataclass
class Terminal:
    """A terminal with a program in it, and what it shows."""

    process: subprocess.Popen[bytes]
    handle: int
    shown: str = ""
    decoder: codecs.IncrementalDecoder = field(
        default_factory=codecs.getincrementaldecoder("utf-8")
    )

    def read_until(self, words: str) -> None:
        """Read on until the program has written some words, or ends."""
        while words not in self.shown:
            try:
                piece = os.read(self.handle, 65536)
            except OSError:  # the program has closed its end
                return
            if not piece:
                return
            # a piece may end within a character: a terminal hands out 4,095 bytes
            self.shown += self.decoder.decode(piece)

    @property
    def lines(self) -> list[str]:
        """What stands on each line in the end, what was written over left out."""
        return self.of(self.shown)

    @staticmethod
    def of(shown: str) -> list[str]:
        """Return the lines of what was written to a terminal."""
        lines = []
        for line in shown.replace("\r\n", "\n").split("\n"):
            cells = ""
            for part in line.split("\r"):
                cells = part + cells[len(part) :]
            lines.append(cells.rstrip())
        return lines


Open = Callable[..., Terminal]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Open]:
    """Return what starts a program in a terminal: a ranking of a slow market."""
    opened: list[Terminal] = []

    def start(
        *arguments: str, waits: str = "not", piped: bool = False, program: str = PROGRAM
    ) -> Terminal:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-c", program, str(tmp_path), waits, *arguments]
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
    with searching(quiet, "console.vast.ai") as watcher:
        assert watcher is None
    assert capsys.readouterr() == ("", "")


def part(offers: int) -> Answer:
    records = [{"id": number} for number in range(offers)]
    return Answer(records, "vast", "console.vast.ai", None, complete=False)


def test_the_line_is_written_over_and_wiped() -> None:
    """Each text replaces the one before, none is wider than the terminal."""
    stream = io.StringIO()
    line = Line(stream)
    search = Search(line, "a" * 500)
    search.comes(1, part(1200))
    search.waits(0.2, "the market asks to wait")
    search.waits(4.4, "the market asks to wait")
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

    def line() -> Search:
        seen.clear()
        return Search(
            quiet, "x", lambda a: seen.append(len(a.records)), lambda: passed[0]
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


@dataclass
class Work:
    """Work that tells a line how far it has come, and the time that passes meanwhile."""

    line: Line
    stream: io.StringIO
    passed: list[float]

    @classmethod
    def begin(cls) -> Work:
        stream, passed = io.StringIO(), [0.0]
        return cls(Line(stream, lambda: passed[0]), stream, passed)

    def text_after(self, seconds: float, *told: Any, unit: str = "fits") -> str | None:
        """Return what is shown anew once something is told; None: nothing is."""
        self.passed[0] += seconds
        before = len(self.stream.getvalue())
        self.line("holding out", *told, unit)
        shown = self.stream.getvalue()[before:]
        return shown.strip() if shown else None


def test_a_known_whole_has_a_bar_and_an_end() -> None:
    """How long it takes is told once there is something to tell it from."""
    work = Work.begin()
    assert work.text_after(0.0, 0, 40) == f"holding out [{'-' * 20}] 0 of 40 fits"
    assert work.text_after(2.0, 10, 40) == f"holding out [{'#' * 5:-<20}] 10 of 40 fits"
    half = f"holding out [{'#' * 10:-<20}] 20 of 40 fits, about"
    assert work.text_after(60.0, 20, 40) == f"{half} 62 s left"
    assert work.text_after(940.0, 20, 40) == f"{half} 17 min left"
    assert work.text_after(10_000.0, 20, 40) == f"{half} 3 h left"
    assert work.text_after(1.0, 40, 40) == ""  # wiped


def test_a_line_is_drawn_ten_times_a_second_at_most() -> None:
    """However often it is told; what is new is shown at once."""
    work = Work.begin()
    shown = [work.text_after(0.01, number, 1000) for number in range(100)]
    assert 8 <= sum(one is not None for one in shown) <= 11
    before = len(work.stream.getvalue())
    work.line("another thing")
    assert "another thing" in work.stream.getvalue()[before:]


def test_bytes_are_told_as_sizes() -> None:
    """Also where nobody knows how many come."""
    work = Work.begin()
    empty = f"holding out [{'-' * 20}] 0 bytes of 4 GB"
    assert work.text_after(0.0, 0, 4e9, unit=BYTES) == empty
    half = f"holding out [{'#' * 10:-<20}] 2 GB of 4 GB"
    assert work.text_after(1.0, 2e9, 4e9, unit=BYTES) == half
    assert work.text_after(1.0, 2.5e6, None, unit=BYTES) == "holding out: 2.5 MB"


@given(
    told=st.lists(
        st.tuples(
            st.sampled_from(["", "sending", "x" * 300]),
            st.floats(0.0, 50.0),
            st.none() | st.floats(0.0, 50.0),
        )
    )
)
def test_nothing_of_a_line_is_left(told: list[tuple[str, float, float | None]]) -> None:
    """Whatever was told, no text wraps, and wiping leaves blanks at the line's start."""
    stream = io.StringIO()
    line = Line(stream)
    for what, done, of in told:
        line(what, done, of)
    line.wipe()
    shown = Terminal.of(stream.getvalue())
    assert shown == [""]
    columns = shutil.get_terminal_size().columns
    texts = stream.getvalue().split("\r")
    assert all(len(text) < columns for text in texts)


def test_notices_begin_on_an_empty_line(terminal: Open) -> None:
    """What a command says stands alone on its line, whatever was told before it."""
    shown = terminal(program=NOTICES)
    shown.read_until("the end")
    assert shown.process.wait(timeout=60) == 0
    assert [line for line in shown.lines if line] == [
        "a notice",
        "a remark",
        "a result",
        "an aside",
    ]
    assert "counting [" in shown.shown


@pytest.mark.parametrize(
    ("end", "code", "said"), [("error", 1, "advisor: it failed"), ("ctrl-c", 130, "")]
)
def test_an_end_leaves_nothing_of_the_line(
    terminal: Open, end: str, code: int, said: str
) -> None:
    """An error and Ctrl-C wipe it, and are said on a line of their own."""
    shown = terminal(end, program=NOTICES)
    shown.read_until("counting [")
    if end == "ctrl-c":
        time.sleep(0.3)
        shown.process.send_signal(signal.SIGINT)
    shown.read_until("the end")
    assert shown.process.wait(timeout=60) == code
    assert (said or "advisor: interrupted") in shown.lines
    assert not any("counting" in line for line in shown.lines)
    assert "Traceback" not in shown.shown


def test_stderr_that_is_no_terminal_gets_nothing(
    advisor: Callable[..., Any], tmp_path: Path
) -> None:
    """No line, no escape, no carriage return: a log has whole lines alone."""
    outcome = advisor("sample", "-o", str(tmp_path / "s.json.gz"), "--offers", "50")
    assert outcome.exit_code == 0
    assert "\r" not in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
