"""What jobs print is shown with their names, each byte once, and never without end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.fleet.printing import Printer

ATTEMPT = cast("Any", SimpleNamespace(key="a.1", job=SimpleNamespace(name="a")))


def shown(*pieces: tuple[int, bytes]) -> list[str]:
    """Return the lines of an attempt that has ended."""
    lines: list[str] = []
    printer = Printer(lines.append)
    for at, piece in pieces:
        printer.hear(ATTEMPT, at, piece)
    printer.end(ATTEMPT)
    return lines


@pytest.mark.slow
@given(st.text("ab\n", max_size=40), st.data())
def test_each_byte_is_shown_once_however_it_comes(text: str, data: st.DataObject) -> None:
    """In pieces that overlap what is known, as those of two threads do."""
    body, pieces, known = text.encode(), [], 0
    while known < len(body):
        at = data.draw(st.integers(0, known))
        end = data.draw(st.integers(at, len(body)))
        pieces.append((at, body[at:end]))
        known = max(known, end)
    assert shown(*pieces) == [f"a: {line}" for line in text.split("\n") if line]


def test_what_is_left_out_is_told() -> None:
    """Of a job that prints much, its log has all."""
    assert shown((0, b"one\ntw"), (20_006, b"last\n")) == [
        "a: one",
        "a: ... 20,000 bytes are in its log alone",
        "a: last",
    ]


def test_a_progress_bar_is_one_line() -> None:
    """The last of what was written over."""
    assert shown((0, b"1 %\r50 %\r100 %\ndone\r\n")) == ["a: 100 %", "a: done"]


def test_a_line_without_end_is_cut() -> None:
    """Nothing is kept for ever."""
    lines = shown((0, b"x" * 5000))
    assert [len(line) for line in lines] == [1003]
