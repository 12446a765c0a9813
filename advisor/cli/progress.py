"""What a search is waiting for: one line on a terminal, and nothing elsewhere."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from advisor.market.types import Answer, Watcher

_WORTH_TELLING_S = 1.0
_PATIENCE_S = 2.0
_PAGES = 3

ShowFirst = Callable[[Answer], None]
"""Shows what has come so far, while the rest is read."""


class Progress:
    """A line that is written anew for each page and each wait.

    Parameters
    ----------
    stream : a terminal
    place : who is asked
    show_first : is called once, with what has come, where the rest takes a while
    monotonic : seconds that only rise
    """

    def __init__(
        self,
        stream: TextIO,
        place: str,
        show_first: ShowFirst | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream, self._show_first = stream, show_first
        self._monotonic, self._began = monotonic, monotonic()
        self._length = 0
        self._read = f"asking {place}"
        self._so_far: Answer | None = None
        self._write(self._read)

    def waits(self, seconds: float, why: str) -> None:
        """Say for what the next request waits, and show what there is meanwhile."""
        if seconds >= _WORTH_TELLING_S:
            self._show()
            self._write(f"{self._read}; {why} {seconds:.0f} s")

    def comes(self, pages: int, so_far: Answer) -> None:
        """Say how much was read."""
        self._so_far = so_far
        self._read = f"page {pages:,}, {len(so_far.records):,} offers so far"
        if pages >= _PAGES and self._monotonic() - self._began >= _PATIENCE_S:
            self._show()
        self._write(self._read)

    def wipe(self) -> None:
        """Leave an empty line for what is printed next."""
        self._write("")

    def _show(self) -> None:
        """Show what there is, once."""
        if self._so_far is not None and self._show_first is not None:
            show_first, self._show_first = self._show_first, None
            self.wipe()
            show_first(self._so_far)

    def _write(self, text: str) -> None:
        """Write a line over the one before, without escape codes."""
        text = text[: shutil.get_terminal_size().columns - 1]
        end = "\r" if not text else ""
        with contextlib.suppress(OSError):  # nobody looks any more
            self._stream.write(f"\r{text.ljust(self._length)}{end}")
            self._stream.flush()
        self._length = len(text)


@contextlib.contextmanager
def progress(
    place: str | None, show_first: ShowFirst | None = None
) -> Iterator[Watcher | None]:
    """Return what reports on stderr how a search comes on; None: nobody would see it.

    Parameters
    ----------
    place : who is asked; None: nobody that takes a while
    show_first : see `Progress`; only called where stdout is a terminal too
    """
    if place is None or not is_terminal(sys.stderr):
        yield None
        return
    watcher = Progress(sys.stderr, place, show_first if is_terminal(sys.stdout) else None)
    try:
        yield watcher
    finally:
        watcher.wipe()


def is_terminal(stream: TextIO | None) -> bool:
    """Say whether somebody looks at a stream, which may have been closed."""
    return stream is not None and stream.isatty()
