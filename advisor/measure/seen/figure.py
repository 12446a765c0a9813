"""One figure of a profile, and how it is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

How = Literal["measured", "stated", "estimated", "unseen"]
"""``measured``: seen, counted or clocked in the training itself; ``stated``: by the user;
``estimated``: follows from what was seen by a formula, or was seen on other hardware than
it is of; ``unseen``: taken from the profile that is extended, or assumed."""

KNOWN: Mapping[How, str] = {
    "measured": "measured",
    "stated": "stated",
    "estimated": "estimated",
    "unseen": "not seen",
}
"""How a figure is known, for people."""

_SOURCE: Mapping[How, str] = {
    "measured": "measured",
    "stated": "stated",
    "estimated": "estimated",
    "unseen": "assumption: not seen",
}
"""What the source of a figure begins with."""


class Figure(NamedTuple):
    """A value, how it is known, and in words from what."""

    value: Any
    how: How
    words: str

    @property
    def source(self) -> str:
        """What the profile says of it."""
        return f"{_SOURCE[self.how]}; {self.words}"


Figures = Mapping[str, Figure]
"""Field of a `Workload` -> what it is."""


def measured(value: Any, words: str) -> Figure:
    """Return a figure that was seen."""
    return Figure(value, "measured", words)


def stated(value: Any, words: str) -> Figure:
    """Return a figure that the user said."""
    return Figure(value, "stated", words)


def estimated(value: Any, words: str) -> Figure:
    """Return a figure that follows from what was seen."""
    return Figure(value, "estimated", words)


def unseen(value: Any, words: str) -> Figure:
    """Return a figure that is assumed."""
    return Figure(value, "unseen", words)


def seen_on_gpu(is_on_gpu: bool, value: Any, words: str) -> Figure:
    """Return what a GPU shows and a CPU lets guess."""
    if is_on_gpu:
        return measured(value, words)
    return estimated(value, f"{words}; seen on a CPU, a GPU may differ")
