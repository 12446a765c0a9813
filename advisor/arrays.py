"""The types of array that columns are made of, and what is done with any of them."""

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


def distinct(values: Iterable[Value]) -> tuple[list[Value], IntArray]:
    """Return the distinct ones of N values as they come, and which each is, (N,)."""
    place: dict[Value, int] = {}
    code = [place.setdefault(value, len(place)) for value in values]
    return list(place), np.array(code, dtype=np.int64)
