"""Tables of columns: rows taken, tables one after the other, cells of a CSV file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.arrays import FloatArray
from advisor.base.columns import (
    SHARED,
    Columns,
    concat,
    number,
    read_csv,
    read_records,
    typed,
)
from advisor.base.errors import UsageError


@dataclass(frozen=True, slots=True)
class Inner(Columns):
    grid: FloatArray
    unit: str


@dataclass(frozen=True, slots=True)
class Table(Columns):
    values: FloatArray
    flags: Mapping[str, FloatArray]
    inner: Inner
    rows: tuple[str, ...]
    names: tuple[str, ...] = field(default=("a", "b"), metadata=SHARED)


def table(values: list[float]) -> Table:
    array = np.array(values, dtype=np.float64)
    inner = Inner(np.stack([array, 2 * array]), "h")
    return Table(array, {"big": array > 1}, inner, tuple(map(str, values)))


def same(one: Table, other: Table) -> None:
    assert one.values.tolist() == other.values.tolist()
    assert one.flags["big"].tolist() == other.flags["big"].tolist()
    assert one.inner.grid.tolist() == other.inner.grid.tolist()
    assert (one.inner.unit, one.names) == ("h", ("a", "b"))
    assert one.rows == other.rows


VALUES = st.lists(st.floats(0, 9), max_size=5)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_concatenated_tables_hold_all_rows(parts: list[list[float]]) -> None:
    """Columns of any depth go one after the other; what is shared stays."""
    whole = concat([table(part) for part in parts])
    same(whole, table([value for part in parts for value in part]))


@given(VALUES, st.data())
def test_a_taken_table_holds_the_rows_asked_for(
    values: list[float], data: st.DataObject
) -> None:
    """By positions in any order, or by a mask; of all columns alike."""
    places = data.draw(st.lists(st.sampled_from(range(len(values))))) if values else []
    taken = table(values).take(np.array(places, dtype=np.int64))
    same(taken, table([values[at] for at in places]))
    mask = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    taken = table(values).take(np.array(mask, dtype=bool))
    same(taken, table([v for v, keep in zip(values, mask, strict=True) if keep]))


def test_the_cells_of_a_csv_file_come_in_the_order_asked_for(tmp_path: Path) -> None:
    """Whatever the file's own order, and with quoted line breaks in a cell."""
    path = tmp_path / "table.csv"
    path.write_text('a,b,c\n1,2,"x\ny"\n,5,z\n', encoding="utf-8")
    every = read_csv(path, ("a", "b", "c"))
    assert [list(row) for row in every] == [["1", "2", "x\ny"], ["", "5", "z"]]
    assert [tuple(row) for row in read_csv(path, ("c", "a"))] == [
        ("x\ny", "1"),
        ("z", ""),
    ]
    assert [tuple(row) for row in read_csv(path, ("b",))] == [("2",), ("5",)]
    assert number("2") == 2.0
    assert np.isnan(number(""))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "the table is empty"),
        (b"\xff\xfe", "cannot be read"),
        (b"a,c\n1,2\n", "no column b"),
        (b"a,b\n1,2\n1\n", "row 3"),
        (b"a,b\n1,2,3\n", "row 2"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_such_table_is_an_error_with_its_path(
    tmp_path: Path, text: bytes | None, told: str
) -> None:
    """Missing, empty, no text, a lacking column, a row too short or too long."""
    path = tmp_path / "table.csv"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(UsageError, match=told) as refused:
        read_csv(path, ("a", "b"))
    assert "table.csv" in str(refused.value)


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    speed: float
    count: int
    large: bool
    also: tuple[str, ...]
    later: float = 0.0


def test_cells_become_what_a_dataclass_says(tmp_path: Path) -> None:
    """Texts, numbers (empty: unknown), counts, truths and lists of words."""
    path = tmp_path / "table.csv"
    path.write_text(
        "note,name,count,large,also,speed\nx,a,3,1,p;q,2.5\ny,b,0,0,,\n", encoding="utf-8"
    )
    first, second = (Row(**typed(Row, one, "later")) for one in read_records(path))
    assert first == Row("a", 2.5, 3, True, ("p", "q"))
    assert (second.name, second.count, second.large, second.also) == ("b", 0, False, ())
    assert np.isnan(second.speed)
