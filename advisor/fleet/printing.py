"""What the jobs of one machine print is shown line by line, with the job's name in front.

What is printed while a job runs is asked for every few seconds; the rest comes with its
log, which has all of it. Of a job that prints much, parts are shown.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from advisor.base.errors import RemoteError
from advisor.fleet.board import Attempt
from advisor.fleet.running import Hands

LOOK_S = 5.0
"""Seconds between two looks at what running jobs print."""

MOST_BYTES = 1 << 14
"""Shown of an attempt at each look, the last of it; its log has all."""

_LONGEST_LINE = 1000


@dataclass(slots=True)
class _Shown:
    """How far an attempt has been shown.

    Attributes
    ----------
    offset : bytes of what it has printed that were shown, or are in `begun`
    begun : a line that is not over
    """

    offset: int = 0
    begun: bytes = b""


class Printer:
    """Shows what attempts print, each byte once, from whatever thread it comes.

    Parameters
    ----------
    show : takes a line
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._shown: dict[str, _Shown] = {}
        self._turn = threading.Lock()

    def offset(self, attempt: Attempt) -> int:
        """Return how many bytes of what an attempt has printed are known."""
        with self._turn:
            return self._shown.get(attempt.key, _Shown()).offset

    def hear(self, attempt: Attempt, at: int, piece: bytes) -> None:
        """Show what is new in a piece of what an attempt has printed.

        Parameters
        ----------
        at : offset of the piece in all that was printed
        """
        with self._turn:
            shown = self._shown.setdefault(attempt.key, _Shown())
            new = piece[max(shown.offset - at, 0) :]
            if at + len(piece) <= shown.offset:
                return
            left_out = at - shown.offset
            shown.offset = at + len(piece)
            name = attempt.job.name
            if left_out > 0:
                self._show(f"{name}: ... {left_out:,} bytes are in its log alone")
                shown.begun = b""
            *lines, shown.begun = (shown.begun + new).split(b"\n")
            self._show_lines(name, lines)
            if len(shown.begun) > _LONGEST_LINE:
                self._show_lines(name, [shown.begun])
                shown.begun = b""

    def end(self, attempt: Attempt) -> None:
        """Show the last line of an attempt that has ended, and forget it."""
        with self._turn:
            shown = self._shown.pop(attempt.key, _Shown())
            if shown.begun:
                self._show_lines(attempt.job.name, [shown.begun])

    def _show_lines(self, name: str, lines: Iterable[bytes]) -> None:
        for line in lines:
            # Of a progress bar, which a carriage return begins anew, the last is left.
            text = line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace")
            if text.strip():
                self._show(f"{name}: {text[:_LONGEST_LINE]}")


def look(hands: Hands, printer: Printer) -> None:
    """Show what the jobs that run on a machine have printed since the last look.

    What cannot be asked for now is shown later: it is no reason to give a machine up.
    """
    with suppress(RemoteError):
        for one in list(hands.running.values()):
            if one.is_first and one.is_placed:
                offset = printer.offset(one.attempt)
                printed = hands.held(one.attempt).printed(offset, MOST_BYTES)
                printer.hear(one.attempt, *printed)
