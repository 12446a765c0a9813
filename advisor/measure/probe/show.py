"""How far the bench has come, on stderr: a line that is written anew on a terminal."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import IO

_BAR = 20

_ECHO = len("^C")
"""Cells after the line in which a terminal shows that somebody has pressed Ctrl-C."""


class Show:
    """Says what is measured now.

    Parameters
    ----------
    stream : for people; on anything but a terminal, each thing has a line once
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._is_line = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._said: set[str] = set()
        self._length = 0

    def __call__(self, words: str, share: float) -> None:
        """Say what is measured, and how much of its part is done, 0 to 1."""
        if self._is_line:
            filled = "#" * int(_BAR * min(max(share, 0.0), 1.0))
            self._write_over(f"[{filled:-<{_BAR}}] {words}")
        elif words not in self._said:
            self._write(f"{words}\n")
        self._said.add(words)

    def wipe(self) -> None:
        """Leave an empty line for what comes next, also of what Ctrl-C shows."""
        if self._length:
            self._write_over(" " * (self._length + _ECHO))
            self._write("\r")
            self._length = 0

    def _write_over(self, text: str) -> None:
        """Write a text over all that the line has had, without escape codes."""
        text = text[: shutil.get_terminal_size().columns - 1].ljust(self._length)
        self._write(f"\r{text}")
        self._length = len(text)

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody looks any more
            self._stream.write(text)
            self._stream.flush()
