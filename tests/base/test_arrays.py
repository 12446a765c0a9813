"""Arrays: distinct values, tables one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.arrays import FloatArray, distinct, joined


@dataclass(frozen=True, slots=True)
class Inner:
    grid: FloatArray
    unit: str


@dataclass(frozen=True, slots=True)
class Table:
    values: FloatArray
    flags: Mapping[str, FloatArray]
    inner: Inner
    names: tuple[str, ...] = field(default=("a", "b"))


def table(values: list[float]) -> Table:
    array = np.array(values, dtype=np.float64)
    return Table(array, {"big": array > 1}, Inner(np.stack([array, 2 * array]), "h"))


@given(st.lists(st.text(max_size=2) | st.integers(0, 3)))
def test_distinct_values_and_their_places_give_all_back(values: list[object]) -> None:
    """Each value once, in the order of coming, and which of them each is."""
    found, code = distinct(values)
    assert [found[at] for at in code.tolist()] == values
    assert len(set(found)) == len(found)


@given(st.lists(st.lists(st.floats(0, 9), max_size=4), min_size=1, max_size=4))
def test_joined_tables_hold_all_rows(parts: list[list[float]]) -> None:
    """Arrays of any depth go one after the other; what is no array stays."""
    whole = joined([table(part) for part in parts])
    expected = table([value for part in parts for value in part])
    assert whole.values.tolist() == expected.values.tolist()
    assert whole.flags["big"].tolist() == expected.flags["big"].tolist()
    assert whole.inner.grid.tolist() == expected.inner.grid.tolist()
    assert (whole.inner.unit, whole.names) == ("h", ("a", "b"))
