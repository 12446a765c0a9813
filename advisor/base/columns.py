"""Tables of columns: what every one of them can do, and how one is read from CSV.

A table is a frozen dataclass whose fields are columns of the same N rows, so that what it
holds is said once, in its class.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from advisor.base.arrays import BoolArray, IntArray
from advisor.base.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

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
    head, rows = _read(path)
    lacking = [name for name in columns if name not in head]
    if lacking:
        named = ", ".join(lacking)
        raise UsageError(f"{path}: the table has no column {named}; make it again")
    if list(columns) == head:
        return rows
    if len(columns) == 1:
        place = head.index(columns[0])
        return [(row[place],) for row in rows]
    cells = itemgetter(*map(head.index, columns))
    return [cells(row) for row in rows]


def read_records(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, each as column -> cell.

    Raises
    ------
    advisor.base.errors.UsageError
        if the file cannot be read, or has a row of another length than its head
    """
    head, rows = _read(path)
    return [dict(zip(head, row, strict=True)) for row in rows]


def _read(path: Path) -> tuple[list[str], list[Sequence[str]]]:
    """Return the names of a CSV file's columns, and its rows."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *rows = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeError, csv.Error, ValueError) as error:
        message = f"{path}: the table cannot be read ({error}); install or make it again"
        raise UsageError(message) from error
    if not head:
        raise UsageError(f"{path}: the table is empty; install or make it again")
    width = len(head)
    odd = next((at for at, row in enumerate(rows, 2) if len(row) != width), None)
    if odd is not None:
        message = f"{path}, row {odd}: not as many cells as columns; make the table again"
        raise UsageError(message)
    return head, list(rows)


def number(cell: str) -> float:
    """Return a cell as a number; an empty one is an unknown number, NaN."""
    return float(cell or "nan")


_CELLS: Mapping[str, Callable[[str], Any]] = {
    "str": str,
    "float": number,
    "int": int,
    "bool": "1".__eq__,
    "tuple[str, ...]": lambda cell: tuple(filter(None, cell.split(";"))),
}
"""Type of a field -> what its cell is read with."""


def typed(
    kind: type[DataclassInstance], record: Mapping[str, str], *left_out: str
) -> dict[str, Any]:
    """Return a record's cells as the fields of a dataclass are typed, by field.

    Parameters
    ----------
    kind : a dataclass whose annotations are texts; each field has a column of its name
    left_out : fields that have none
    """
    return {name: read(record[name]) for name, read in _readers(kind, left_out)}


@cache
def _readers(
    kind: type[DataclassInstance], left_out: tuple[str, ...]
) -> list[tuple[str, Callable[[str], Any]]]:
    """Return the fields of a dataclass, and what the cell of each is read with."""
    there = (one for one in fields(kind) if one.name not in left_out)
    return [(one.name, _CELLS[str(one.type)]) for one in there]
