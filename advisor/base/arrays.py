"""The types of array that columns are made of, and what is done with any of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Value = TypeVar("Value", bound=Hashable)
Table = TypeVar("Table")

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


def joined(parts: Sequence[Table]) -> Table:
    """Return tables of the same kind as one, the rows of the first one first.

    A table is a dataclass or mapping of arrays whose last axis is that of the rows, or
    of such tables; what is none of these (a number, say) is taken to be the same in all.
    """
    whole: Any = parts[0]
    if isinstance(whole, np.ndarray):
        return np.concatenate(parts, axis=-1)  # type: ignore[return-value,arg-type]
    if isinstance(whole, Mapping):
        of_key = [[part[key] for part in parts] for key in whole]  # type: ignore[index]
        return dict(zip(whole, map(joined, of_key), strict=True))  # type: ignore[return-value]
    if is_dataclass(whole):
        names = [one.name for one in fields(whole)]
        of_name = ([getattr(part, name) for part in parts] for name in names)
        changed = dict(zip(names, map(joined, of_name), strict=True))
        whole = replace(whole, **changed)  # type: ignore[type-var]
    return whole  # type: ignore[no-any-return]


def taken(table: Table, places: IntArray) -> Table:
    """Return the rows of a table at these places; see `joined` for what a table is."""
    part: Any = table
    if isinstance(part, np.ndarray):
        return part[..., places]  # type: ignore[return-value]
    if isinstance(part, Mapping):
        return {key: taken(one, places) for key, one in part.items()}  # type: ignore[return-value]
    if is_dataclass(part):
        changed = {
            one.name: taken(getattr(part, one.name), places) for one in fields(part)
        }
        part = replace(part, **changed)  # type: ignore[type-var]
    return part  # type: ignore[no-any-return]
