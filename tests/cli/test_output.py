"""What is printed, where nobody may read it any more."""

from __future__ import annotations

import io
import os
import sys

import pytest

from advisor.base.errors import AdvisorError
from advisor.cli.output import remark, result, showing


def stream_to(where: str) -> io.TextIOWrapper:
    """Return a stream to a full disk, or to a reader that has gone."""
    if where == "full":
        return io.TextIOWrapper(io.FileIO("/dev/full", "w"), write_through=True)
    reader, writer = os.pipe()
    os.close(reader)
    return io.TextIOWrapper(io.FileIO(writer, "w"), write_through=True)


def test_a_reader_that_had_enough_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command goes on to its end; what it prints after that goes nowhere."""
    with stream_to("gone") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        result("one")
        result("two", owed=True)


@pytest.mark.parametrize(
    ("where", "words"), [("gone", "Broken pipe"), ("full", "No space left")]
)
def test_what_somebody_must_have_is_an_error(
    monkeypatch: pytest.MonkeyPatch, where: str, words: str
) -> None:
    """With the reason."""
    with stream_to(where) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(AdvisorError, match=words):
            result("a machine", owed=True)


def test_a_full_disk_is_an_error_for_any_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wanted it in a file has half of it."""
    with stream_to("full") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(AdvisorError, match="No space left"):
            result("a table")


@pytest.mark.parametrize("where", ["gone", "full"])
def test_a_remark_is_never_an_error(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Nobody is there to be told."""
    with stream_to(where) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        remark("one")
        remark("two")
    remark("to a stream that is closed")


@pytest.mark.parametrize("where", ["gone", "full"])
def test_a_command_whose_output_nobody_sees_goes_on(
    capsys: pytest.CaptureFixture[str], where: str
) -> None:
    """Which is told once."""
    with stream_to(where) as stream:
        show = showing(stream)
        show(b"one\n")
        show(b"two\n")
    assert capsys.readouterr().err.count("cannot be shown any more") == 1
    show = showing(None)
    show(b"one\n")
    assert "the stream is closed" in capsys.readouterr().err


def test_what_a_command_prints_is_shown_without_what_a_terminal_obeys() -> None:
    """Also in a pipe, which may end at one; its bytes are in the log."""
    target = io.BytesIO()
    show = showing(io.TextIOWrapper(target))
    show(b"\x1b]0;title\x07 50 %\r")
    assert target.getvalue() == b" 50 %\r"
