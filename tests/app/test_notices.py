"""What is told beside the result decides nothing."""

from __future__ import annotations

import io
import sys

import pytest

from advisor.app.notices import say


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device", text)


def test_a_line_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, whatever breaks are in it."""
    say("a\n b\tc ")
    assert capsys.readouterr() == ("", "a b c\n")


@pytest.mark.parametrize("kind", ["none", "closed", "full", "ascii"])
def test_nobody_has_to_listen(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that is gone, or a full disk, does not end a rental half-way."""
    closed = io.StringIO()
    closed.close()
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    streams = {"none": None, "closed": closed, "full": Full(), "ascii": ascii_only}
    monkeypatch.setattr(sys, "stderr", streams[kind])
    say("\u00e9")
