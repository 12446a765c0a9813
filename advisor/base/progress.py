"""How far long work has come: told to a callback that is handed down to it.

Whoever works knows nothing of who looks; whoever looks (`advisor.cli.progress` does, on a
terminal) decides what is shown. Nobody does by default: `quiet`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from advisor.base.sizes import size_in_words

BYTES = "bytes"
"""Unit of what is copied; any other is a word in the plural, such as ``"offers"``."""

_BAR = 20


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


def in_words(what: str, done: float, of: float | None, unit: str) -> str:
    """Return what is done and how much of it, with a bar where the whole is known."""
    if of is None:
        return f"{what}: {_amount(done, unit)}" if done else what
    filled = "#" * int(_BAR * done / of)
    much = f"{_amount(done)} of {_amount(of, unit)}"
    if unit == BYTES:
        much = f"{size_in_words(done)} of {size_in_words(of)}"
    return f"{what} [{filled:-<{_BAR}}] {much}"


def _amount(number: float, unit: str = "") -> str:
    return size_in_words(number) if unit == BYTES else f"{number:,.0f} {unit}".rstrip()
