"""What a value in the user's file may be: SQLite keeps anything in any column."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeGuard

from advisor.market.values import UNKNOWN_ID

LATEST = 253_402_300_799.0
"""The last second of the year 9999: what lies after it cannot be shown as a date."""

_MAX_INT = 2**63 - 1
"""The largest integer that SQLite keeps."""

_MAX_TEXT = 2000
"""Characters of a text for people that are stored: it may quote what a market answers."""


def plain_text(text: str) -> str:
    """Return a text that any terminal and SQLite take: no escapes, no half characters."""
    return "".join(c if c.isprintable() else " " for c in text)[:_MAX_TEXT]


def is_text(value: object) -> TypeGuard[str]:
    """Tell whether a value is any text."""
    return isinstance(value, str)


def is_name(value: object) -> TypeGuard[str]:
    """Tell whether a value names something, perhaps with an empty text."""
    # The Unicode replacement character stands for what could not be decoded.
    return isinstance(value, str) and value.isprintable() and "\ufffd" not in value


def is_filled_name(value: object) -> TypeGuard[str]:
    """Tell whether a value names something."""
    return is_name(value) and value != ""


def is_id(value: object) -> TypeGuard[int]:
    """Tell whether a value is an id of a market, or stands for an unknown one."""
    return type(value) is int and UNKNOWN_ID <= value <= _MAX_INT


def is_count(value: object) -> TypeGuard[int]:
    """Tell whether a value is an integer above zero."""
    return type(value) is int and 0 < value <= _MAX_INT


def is_amount(value: object) -> TypeGuard[float]:
    """Tell whether a value is a finite number, zero or above."""
    return is_number(value) and 0.0 <= value < math.inf


def is_time(value: object) -> TypeGuard[float]:
    """Tell whether a value is a moment, seconds since 1970."""
    return is_number(value) and 0.0 <= value <= LATEST


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def or_none(check: Callable[[object], bool]) -> Callable[[object], bool]:
    """Return a check that takes `None` too."""
    return lambda value: value is None or check(value)
