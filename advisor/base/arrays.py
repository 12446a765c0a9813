"""The types of array that columns are made of."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

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


def distinct(values: Iterable[Value]) -> tuple[list[Value], IntArray]:
    """Return the distinct ones of N values as they come, and which each is, (N,)."""
    places: _Places[Value] = _Places()
    code = np.array([places[value] for value in values], dtype=np.int64)
    return list(places), code
