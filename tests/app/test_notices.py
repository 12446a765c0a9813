"""What is told beside the result decides nothing."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.app.notices import say


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device", text)


def test_a_line_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, whatever breaks are in it."""
    say("a\n b\tc ")
    assert capsys.readouterr() == ("", "a b c\n")


def test_a_line_is_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """A market's words are in errors, too; colors are ours alone."""
    say("no GPU \x1b]0;owned\x07\u202eRTX\x9b2J", lambda line: f"\x1b[2m{line}\x1b[0m")
    assert capsys.readouterr() == ("", "\x1b[2mno GPU ]0;ownedRTX2J\x1b[0m\n")


@pytest.mark.parametrize("kind", ["none", "closed", "full", "ascii"])
def test_nobody_has_to_listen(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that is gone, or a full disk, does not end a rental half-way."""
    closed = io.StringIO()
    closed.close()
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    streams = {"none": None, "closed": closed, "full": Full(), "ascii": ascii_only}
    monkeypatch.setattr(sys, "stderr", streams[kind])
    say("\u00e9")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk is always full")
def test_a_full_disk_does_not_change_the_exit_code() -> None:
    """Python writes what is left over at the end of the process."""
    script = "from advisor.app.notices import say; say('x'); say('y'); print('result')"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, "result\n")
