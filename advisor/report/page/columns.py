"""Figures of thousands of offers as JSON that stays small: columns, rounded, coded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

DIGITS = 5
"""Significant digits of a figure: no screen shows more."""


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
