"""Tables of the folder of models: frames for what is grouped and joined, arrays to fit.

Each kind of table declares its columns once, as a dataclass of arrays; pandas reads it
from its file, and gives it as a frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from advisor.base.errors import UsageError

_DTYPES: Mapping[str, Any] = {
    "StrArray": str,
    "FloatArray": np.float64,
    "IntArray": np.int64,
    "BoolArray": bool,
}


@dataclass(frozen=True, slots=True)
class Columns:
    """A table as arrays, one entry per row."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def select(self, rows: npt.NDArray[Any]) -> Self:
        """Return the rows of a mask or of an array of indices."""
        return type(self)(**{name: column[rows] for name, column in self._items()})

    def __add__(self, other: Self) -> Self:
        """Return the rows of both."""
        return type(self)(
            **{
                name: np.concatenate([column, getattr(other, name)])
                for name, column in self._items()
            }
        )

    def frame(self) -> pd.DataFrame:
        """Return the table as a frame, its rows numbered from 0."""
        return pd.DataFrame(dict(self._items()))

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Self:
        """Return a frame's columns; one that it lacks is unknown (empty, NaN, 0)."""
        return cls(
            **{name: _column(frame, name, _DTYPES[kind]) for name, kind in _kinds(cls)}
        )

    def _items(self) -> list[tuple[str, npt.NDArray[Any]]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]


Table = TypeVar("Table", bound=Columns)


def read_table(path: Path, kind: type[Table], what: str) -> Table:
    """Read a table that a program of the project wrote.

    An empty cell is an empty text or an unknown number.

    Parameters
    ----------
    path : of a CSV file that has the columns of `kind`, among others
    kind : of table
    what : it should be, for the message, such as ``"benchmark table"``

    Raises
    ------
    advisor.base.errors.UsageError
        if the file cannot be read, is not such a table or has no row
    """
    columns = dict(_kinds(kind))
    try:
        frame = pd.read_csv(
            path,
            usecols=list(columns),
            dtype={name: _DTYPES[of] for name, of in columns.items()},
            keep_default_na=False,
            na_values={n: [""] for n, of in columns.items() if of == "FloatArray"},
        )
    except (OSError, ValueError) as error:
        message = f"{path}: not a {what} ({error}); compile it again"
        raise UsageError(message) from error
    if frame.empty:
        message = f"{path}: the {what} is empty; compile it again"
        raise UsageError(message)
    return kind.from_frame(frame)


def _kinds(kind: type[Columns]) -> list[tuple[str, str]]:
    return [(field.name, str(field.type)) for field in fields(kind)]


def _column(frame: pd.DataFrame, name: str, dtype: Any) -> npt.NDArray[Any]:
    if name in frame.columns:
        # Texts of NumPy's own type, which compare and sort faster than objects.
        return np.array(frame[name].tolist(), dtype=np.str_ if dtype is str else dtype)
    unknown = {str: np.str_(""), np.float64: np.nan}.get(dtype, dtype(0))
    return np.full(len(frame), unknown)
