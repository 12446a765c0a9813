"""The types of array that columns are made of."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Scalar = TypeVar("Scalar", bound=np.generic)
Value = TypeVar("Value", bound=Hashable)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ObjectArray = npt.NDArray[np.object_]
"""Texts of any length, compared with ``==`` as strings are."""

StrArray = npt.NDArray[np.str_]
"""Texts of NumPy's own fixed-width type, for the benchmark table's many rows."""


class _Places(dict[Value, int]):
    """Numbers values as they come."""

    def __missing__(self, value: Value) -> int:
        place = self[value] = len(self)
        return place


def ascending(values: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """Return the distinct values of a column, the least first.

    `numpy.unique` without an option imports `numpy.ma`, to look for masks: a tenth of the
    time that a first answer takes.

    Examples
    --------
    >>> ascending(np.array([3, 1, 3]))
    array([1, 3])
    """
    found: npt.NDArray[Scalar] = np.unique(values, return_index=True)[0]
    return found


def among(values: npt.NDArray[Any], known: Iterable[Hashable]) -> BoolArray:
    """Say of each value whether it is a known one; as `numpy.isin`, see `ascending`."""
    listed = frozenset(known)
    return np.array([value in listed for value in values.tolist()], dtype=np.bool_)


def distinct(values: Iterable[Value]) -> tuple[list[Value], IntArray]:
    """Return the distinct ones of N values as they come, and which each is, (N,)."""
    places: _Places[Value] = _Places()
    code = np.array([places[value] for value in values], dtype=np.int64)
    return list(places), code
