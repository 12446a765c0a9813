"""Text in the cells of a terminal: how wide it is, and what of it has room.

A letter of East Asia takes two cells and an accent of its own none, so that characters
are not counted; see Unicode Standard Annex 11, East Asian Width.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata

from advisor.market.values import read_text

ELLIPSIS = "…"
"""Stands for what is cut off."""

LONGEST = 120
"""Cells of a stranger's text in a table that no width bounds: no name is longer, and a
longer one would move all else out of sight."""

_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_STACK = re.compile(
    r"([\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u064b-\u065f])[\u0300-\u065f]+"
)
"""Accents upon accents, which reach into the lines above; letters need no two."""


def clean(text: object) -> str:
    """Return what somebody wrote as one line that a terminal shows and does not obey."""
    line = read_text(text if isinstance(text, str) else str(text))
    if line.isascii():
        return line
    return _STACK.sub(r"\1", unicodedata.normalize("NFC", line))


def width_of(text: str) -> int:
    """Return the cells that a line takes, colors aside."""
    if text.isascii():
        return len(text if "\x1b" not in text else _COLOR.sub("", text))
    return sum(map(_width, _COLOR.sub("", text)))


def cut(text: str, width: int, *, at_start: bool = False) -> str:
    """Return a line without colors that takes no more than `width` cells, at least 1.

    Parameters
    ----------
    at_start : its end is what says most, of a name that ends in the model's number
    """
    if width_of(text) <= width:
        return text
    if at_start:
        words = text.split()
        ends = (" ".join(words[at:]) for at in range(1, len(words)))
        fits = next((end for end in ends if width_of(end) <= width), None)
        if fits is not None:  # a word more says more than the mark
            return fits if width_of(fits) == width else ELLIPSIS + fits
    room, kept = width - 1, ""
    for one in text[:width]:
        room -= _width(one)
        if room < 0:
            break
        kept += one
    return kept.rstrip() + ELLIPSIS


def wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a text, at least one, none of which takes more than `width`.

    It is broken between words, and within one that is too long for a line.
    """
    if width_of(text) <= width:
        return [text]
    lines = list[str]()
    for line in textwrap.wrap(
        text, width, break_long_words=False, break_on_hyphens=False
    ) or [""]:
        rest = line
        while width_of(rest) > width:
            begun = cut(rest, width).removesuffix(ELLIPSIS)
            lines.append(begun or rest[0])
            rest = rest[len(lines[-1]) :].lstrip()
        lines.append(rest)
    return lines


def pad(text: str, width: int, align: str) -> str:
    """Return a line filled up with blanks; `align` is ``"left"`` or ``"right"``."""
    blanks = " " * (width - width_of(text))
    return blanks + text if align == "right" else text + blanks


def _width(one: str) -> int:
    if unicodedata.combining(one) or unicodedata.category(one) in {"Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(one) in {"W", "F"} else 1
