"""Tables of columns: what every one of them can do, and how one is read from CSV.

A table is a frozen dataclass whose fields are columns of the same N rows, so that what it
holds is said once, in its class.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np

from advisor.base.arrays import BoolArray, IntArray
from advisor.base.errors import UsageError

Table = TypeVar("Table")

_SHARED = "shared"

SHARED: Mapping[str, bool] = {_SHARED: True}
"""Metadata of a field that is no column: the same for all rows."""


class Columns:
    """A frozen dataclass of N rows; its fields are columns.

    A column is an array whose last axis is that of the rows, a tuple of N objects, a
    mapping of columns, or another table. A number, and a field with the metadata
    `SHARED`, is the same for all rows.
    """

    __slots__ = ()

    def take(self, index: IntArray | BoolArray) -> Self:
        """Return the rows that `index` (positions or a mask) selects."""
        if index.dtype == np.bool_:
            if index.all():
                return self
            index = np.flatnonzero(index)
        columns = {
            one.name: _taken(getattr(self, one.name), index)
            for one in fields(self)  # type: ignore[arg-type]
            if _SHARED not in one.metadata
        }
        return replace(self, **columns)  # type: ignore[type-var]


def _taken(column: Any, index: IntArray | BoolArray) -> Any:
    if isinstance(column, np.ndarray):
        return column[..., index] if column.ndim > 1 else column[index]
    if isinstance(column, Columns):
        return column.take(index)
    if isinstance(column, Mapping):
        return {name: _taken(one, index) for name, one in column.items()}
    if isinstance(column, tuple):
        return tuple(map(column.__getitem__, index.tolist()))
    return column


def concat(parts: Sequence[Table]) -> Table:
    """Return tables of the same kind as one, the rows of the first one first.

    Parameters
    ----------
    parts : one table at least; dataclasses of columns need not be `Columns`
    """
    whole: Any = parts[0]
    if isinstance(whole, np.ndarray):
        return np.concatenate(parts, axis=-1)  # type: ignore[return-value,arg-type]
    if isinstance(whole, Mapping):
        of_key = [[part[key] for part in parts] for key in whole]  # type: ignore[index]
        return dict(zip(whole, map(concat, of_key), strict=True))  # type: ignore[return-value]
    if isinstance(whole, tuple):
        return tuple(chain.from_iterable(parts))  # type: ignore[return-value,arg-type]
    if is_dataclass(whole):
        names = [one.name for one in fields(whole) if _SHARED not in one.metadata]
        of_name = ([getattr(part, name) for part in parts] for name in names)
        changed = dict(zip(names, map(concat, of_name), strict=True))
        whole = replace(whole, **changed)  # type: ignore[type-var]
    return whole  # type: ignore[no-any-return]


def read_csv(path: Path, columns: Sequence[str]) -> list[Sequence[str]]:
    """Return the cells of a CSV file's columns, row by row, in the order of `columns`.

    Raises
    ------
    advisor.base.errors.UsageError
        if the file cannot be read, lacks one of the columns, or has a row of another
        length than its head
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        odd = [at for at, row in enumerate(rows, 2) if len(row) != len(head)]
        lacking = [name for name in columns if name not in head]
    except (OSError, UnicodeError, csv.Error, ValueError) as error:
        message = f"{path}: the table cannot be read ({error}); install or make it again"
        raise UsageError(message) from error
    if lacking:
        named = ", ".join(lacking)
        raise UsageError(f"{path}: the table has no column {named}; make it again")
    if odd:
        raise UsageError(
            f"{path}, row {odd[0]}: not as many cells as columns; make the table again"
        )
    if list(columns) == head:
        return list(rows)
    if len(columns) == 1:
        place = head.index(columns[0])
        return [(row[place],) for row in rows]
    cells = itemgetter(*map(head.index, columns))
    return [cells(row) for row in rows]


def number(cell: str) -> float:
    """Return a cell as a number; an empty one is an unknown number, NaN."""
    return float(cell or "nan")
