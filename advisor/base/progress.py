"""How far long work has come: told to a callback that is handed down to it.

Whoever works knows nothing of who looks; whoever looks (`advisor.cli.progress` does, on a
terminal) decides what is shown. Nobody does by default: `quiet`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

BYTES = "bytes"
"""Unit of what is copied; any other is a word in the plural, such as ``"offers"``."""


class Progress(Protocol):
    """Who is told how far work has come. It must not raise, and takes no time."""

    def __call__(
        self, what: str, done: float = 0.0, of: float | None = None, unit: str = ""
    ) -> None:
        """Hear how far something has come; all of it is its end.

        Parameters
        ----------
        what : is being done, such as ``"copying back results"``; ``""``: nothing any
            more
        done, of : how much of how much, in `unit`; None: nobody knows
        unit : ``"bytes"`` or a word in the plural
        """
        ...


def quiet(what: str, done: float = 0.0, of: float | None = None, unit: str = "") -> None:
    """Tell nobody."""


@contextmanager
def doing(progress: Progress, what: str) -> Iterator[None]:
    """Tell that something is done, of which nobody knows how much there is."""
    progress(what)
    try:
        yield
    finally:
        progress("")
