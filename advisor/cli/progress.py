"""What long work is at: one line on stderr where that is a terminal, nothing elsewhere.

The line is written over and wiped: what else is printed begins on an empty one, and when
a command ends, however it does, nothing of it is left.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

import click

from advisor.app.context import Context
from advisor.base.progress import Progress, in_words, quiet
from advisor.base.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE
from advisor.market.told import WORTH_TELLING_S, Told

if TYPE_CHECKING:
    from advisor.market.types import Answer, Watcher

_LINE = "advisor.line"
_DRAWN_EVERY_S = 0.1
_FORETOLD_AFTER_S = 3.0
"""Seconds after which there is enough to tell from how much is left."""

_CTRL_C = 2  # characters that a terminal shows for it, behind the text

_PATIENCE_S = 2.0
_PAGES = 3

ShowFirst = Callable[["Answer"], None]
"""Shows what has come so far, while the rest is read."""


class Line:
    """A line that is written anew as work goes on: a `Progress`.

    Parameters
    ----------
    stream : a terminal
    monotonic : seconds that only rise
    """

    def __init__(
        self, stream: TextIO, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream, self._monotonic = stream, monotonic
        self._what, self._length = "", 0
        self._began = self._drawn = monotonic()

    def __call__(
        self, what: str, done: float = 0.0, of: float | None = None, unit: str = ""
    ) -> None:
        """Show how far something has come, ten times a second at most."""
        now = self._monotonic()
        if not what or (of is not None and done >= of):
            self._what = ""
            self.wipe()
        elif what != self._what:
            self._what, self._began = what, now
            self._draw(in_words(what, done, of, unit), now)
        elif now - self._drawn >= _DRAWN_EVERY_S:
            left = _left(now - self._began, done, of)
            self._draw(in_words(what, done, of, unit) + left, now)

    def wipe(self) -> None:
        """Leave an empty line for what is printed next."""
        if self._length:
            most = max(_columns(self._stream) - 1, 0)  # one more would begin a line
            self._write(f"\r{' ' * min(self._length + _CTRL_C, most)}\r")
            self._length = 0

    def _draw(self, text: str, now: float) -> None:
        """Write a text over the one before, without escape codes."""
        text = "".join(c if c.isprintable() else "?" for c in text)
        text = text[: _columns(self._stream) - 1]
        self._write(f"\r{text.ljust(self._length)}")
        self._length, self._drawn = len(text), now

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody looks any more
            self._stream.write(text)
            self._stream.flush()


def _left(passed_s: float, done: float, of: float | None) -> str:
    """Return how long it may take yet, if what is done takes its share of the time."""
    if of is None or done <= 0.0 or passed_s < _FORETOLD_AFTER_S:
        return ""
    seconds = passed_s * (of - done) / done
    for unit, length in (("h", SECONDS_PER_HOUR), ("min", SECONDS_PER_MINUTE)):
        if seconds >= 2.0 * length:
            return f", about {seconds / length:.0f} {unit} left"
    return f", about {seconds:.0f} s left"


def _columns(stream: TextIO) -> int:
    """Return how wide the terminal of a stream is."""
    with contextlib.suppress(OSError, ValueError):
        if columns := os.get_terminal_size(stream.fileno()).columns:
            return columns
    return shutil.get_terminal_size().columns


def watched(ctx: click.Context, context: Context) -> Context:
    """Return a command's context with a line for how far it has come, on a terminal.

    One that cannot go back to the start of a line (``TERM=dumb``) has none.

    Parameters
    ----------
    ctx : at whose end the line is wiped
    context : whose notices begin on an empty line from then on
    """
    if not is_written_over(sys.stderr, context.variables):
        return context
    line, notify = Line(sys.stderr), context.notify
    ctx.meta[_LINE] = line
    ctx.call_on_close(line.wipe)

    def notify_below(text: str) -> None:
        line.wipe()
        notify(text)

    return replace(context, notify=notify_below, progress=line)


def wipe_line() -> None:
    """Leave an empty line for what is printed next, if a command's line is in use."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None and _LINE in ctx.meta:
        ctx.meta[_LINE].wipe()


class Search(Told):
    """Tells how a search comes on, and shows what there is where that takes a while.

    Parameters
    ----------
    tell : is told
    place : who is asked
    show_first : is called once, with what has come so far
    monotonic : seconds that only rise
    """

    def __init__(
        self,
        tell: Progress,
        place: str,
        show_first: ShowFirst | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(tell, place)
        self._show_first = show_first
        self._monotonic, self._began = monotonic, monotonic()
        self._so_far: Answer | None = None

    def waits(self, seconds: float, why: str) -> None:
        """Say for what the next request waits, and show what there is meanwhile."""
        if seconds >= WORTH_TELLING_S:
            self._show()
        super().waits(seconds, why)

    def comes(self, pages: int, so_far: Answer) -> None:
        """Say how much was read."""
        self._so_far = so_far
        if pages >= _PAGES and self._monotonic() - self._began >= _PATIENCE_S:
            self._show()
        super().comes(pages, so_far)

    def _show(self) -> None:
        """Show what there is, once."""
        if self._so_far is not None and self._show_first is not None:
            show_first, self._show_first = self._show_first, None
            self._tell("")
            show_first(self._so_far)


@contextlib.contextmanager
def searching(
    tell: Progress, place: str | None, show_first: ShowFirst | None = None
) -> Iterator[Watcher | None]:
    """Return what tells how a search comes on; None: nobody would see it.

    Parameters
    ----------
    tell : is told
    place : who is asked; None: nobody that takes a while
    show_first : see `Search`; only called where stdout is a terminal too
    """
    if place is None or tell is quiet:
        yield None
        return
    try:
        yield Search(tell, place, show_first if is_terminal(sys.stdout) else None)
    finally:
        tell("")


def is_written_over(stream: TextIO | None, variables: Mapping[str, str]) -> bool:
    """Say whether a stream is a terminal on which what stands there can change."""
    return is_terminal(stream) and variables.get("TERM") != "dumb"


def is_terminal(stream: TextIO | None) -> bool:
    """Say whether somebody looks at a stream, which may have been closed."""
    return stream is not None and stream.isatty()
