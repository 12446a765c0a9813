"""Colors by what they mean; which they are is up to who shows the text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Meaning = Literal["answer", "caution", "danger", "faint"]
"""``answer`` what was asked for, ``caution`` to be thought of before paying, ``danger``
likely to fail, ``faint`` of less weight than what stands beside it."""

Style = Callable[[Meaning, str], str]
"""Returns a text as its meaning looks."""


def unstyled(meaning: Meaning, text: str) -> str:  # noqa: ARG001  (a `Style`)
    """Return a text as it is."""
    return text
