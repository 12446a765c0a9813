"""Figures of thousands of offers as JSON that stays small: columns, rounded, coded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

DIGITS = 5
"""Significant digits of a figure: no screen shows more."""


_ALL_DIGITS = 17
"""As many as a double has at most."""


def rounded(value: float | None, digits: int = DIGITS) -> float | int | None:
    """Return a figure with so many significant digits; None where it is unknown.

    Examples
    --------
    >>> rounded(3264.965646044282), rounded(0.04801958), rounded(64.0), rounded(math.inf)
    (3265, 0.04802, 64, None)
    """
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    if math.isinf(short):  # rounded up beyond the largest number
        return value
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def dollars(value: float | None, digits: int = DIGITS) -> float | int | None:
    """Return an amount with so many significant digits, and never without its cents.

    Examples
    --------
    >>> dollars(0.0480195824), dollars(4728.4034), dollars(1031.0049), dollars(None)
    (0.04802, 4728.4, 1031, None)
    """
    short = rounded(value, digits)
    if value is None or short is None or abs(short) < 10 ** (digits - 2):
        return short
    return rounded(round(value, 2), _ALL_DIGITS)


def figures(values: Iterable[float | None], digits: int = DIGITS) -> list[Any]:
    """Return a column of figures, rounded."""
    return [rounded(value, digits) for value in values]


def coded(values: Iterable[Any]) -> dict[str, list[Any]]:
    """Return a column of few different values: each once, and which one each row has.

    Examples
    --------
    >>> coded(["A100", "T4", "A100"])
    {'values': ['A100', 'T4'], 'codes': [0, 1, 0]}
    """
    place: dict[Any, int] = {}
    codes = [place.setdefault(value, len(place)) for value in values]
    return {"values": list(place), "codes": codes}


def decoded(column: Mapping[str, Sequence[Any]] | Sequence[Any], row: int) -> Any:
    """Return what a column of either kind has in a row."""
    if isinstance(column, Mapping):
        return column["values"][column["codes"][row]]
    return column[row]
