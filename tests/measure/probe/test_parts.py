"""The small parts: what is said meanwhile, what readings come to, what is left."""

from __future__ import annotations

import io
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.measure.probe.budget import Budget
from advisor.measure.probe.core import Deflate, MemoryCopy, WordPieces, text
from advisor.measure.probe.feeding import BATCH_BYTES, most_workers
from advisor.measure.probe.samples import Samples
from advisor.measure.probe.show import Show


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self) -> bool:
        return True


def shown(text: str) -> str:
    """Return what stands on a terminal's line after what was written to it."""
    line = ""
    for part in text.split("\r"):
        line = part + line[len(part) :]
    return line.rstrip()


def test_a_terminal_has_one_line_that_is_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar and what is measured; nothing of it is left, nor of what Ctrl-C shows."""
    monkeypatch.delenv("TERM", raising=False)
    stream = Terminal()
    show = Show(stream)
    show("decode, pillow, workers: 16", 0.5)
    show("disk", 0.75)
    assert shown(stream.getvalue()) == "[###############-----] disk"
    stream.write("^C")
    show.wipe()
    assert shown(stream.getvalue()) == ""
    assert "\n" not in stream.getvalue()


@pytest.mark.parametrize("term", ["dumb", ""])
def test_what_is_no_terminal_has_a_line_per_thing(
    term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log has no bars, and nothing twice."""
    monkeypatch.setenv("TERM", term)
    stream = Terminal() if term else io.StringIO()
    show = Show(stream)
    for share in (0.1, 0.2):
        show("cores", share)
        show("disk", share)
    show.wipe()
    assert stream.getvalue() == "cores\ndisk\n"


def test_a_stream_that_is_gone_disturbs_nothing() -> None:
    """Whoever looked has closed the terminal."""
    stream = io.StringIO()
    show = Show(stream)
    stream.close()
    show("cores", 0.5)
    show.wipe()


@given(st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=30))
def test_a_line_has_the_median_of_its_readings(values: list[float]) -> None:
    """Between the least and the most; the spread is that of the logarithms."""
    samples = Samples()
    for value in values:
        samples.add("x", value, "MB/s", "note")
    (line,) = samples.lines()
    assert min(values) <= line.value <= max(values)
    assert line.repeats == len(values)
    assert (line.log_sd is None) == (len(values) == 1)
    assert samples.median("x") == line.value


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_a_reading_that_tells_nothing_is_left_out(value: float) -> None:
    """A clock that stood still is no rate."""
    samples = Samples()
    samples.add("x", value, "MB/s")
    assert samples.lines() == []
    assert samples.median("x") is None


def test_the_made_up_text_is_the_same_everywhere() -> None:
    """What two machines compress is one text."""
    assert text(60) == text(60)
    assert text(60).isascii()
    assert text(1000).startswith(text(60))
    assert text(60, 1) != text(60, 2)


@pytest.mark.parametrize("made", [Deflate, WordPieces, lambda: MemoryCopy(1 << 20)])
def test_a_rate_is_of_the_cores_own_time(made: type[Deflate]) -> None:
    """What a process waits for does not count."""
    one = made()
    began = time.process_time()
    assert one.rate() > 0.0
    assert time.process_time() > began


@given(st.integers(1, 512), st.floats(0.1, 4000.0))
def test_workers_fit_into_memory(workers: int, memory_gb: float) -> None:
    """Never more than are wanted, never none, and a quarter of the memory at most."""
    most = most_workers(workers, memory_gb)
    assert 1 <= most <= workers
    assert most == 1 or most * 4 * BATCH_BYTES <= 0.25 * memory_gb * 1e9


def test_a_budget_ends_where_what_a_signal_raised_got_lost() -> None:
    """Python drops it in the hooks that it calls when it forks."""
    budget = Budget(60.0, 0.0)
    budget.check()
    budget.end()
    with pytest.raises(KeyboardInterrupt):
        budget.check()


def test_a_budget_counts_seconds_and_bytes() -> None:
    """By a clock that only rises; what is over is nothing, not less."""
    times = iter([0.0, 1.0, 3.0, 9.0])
    budget = Budget(5.0, 100.0, lambda: next(times))
    assert (budget.left(), budget.passed(), budget.left()) == (4.0, 3.0, 0.0)
    budget.write(30)
    assert (budget.written, budget.bytes_left) == (30, 70.0)
