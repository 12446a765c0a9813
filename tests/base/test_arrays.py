"""Arrays: distinct values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from advisor.base.arrays import distinct


@given(st.lists(st.text(max_size=2) | st.integers(0, 3)))
def test_distinct_values_and_their_places_give_all_back(values: list[object]) -> None:
    """Each value once, in the order of coming, and which of them each is."""
    found, code = distinct(values)
    assert [found[at] for at in code.tolist()] == values
    assert len(set(found)) == len(found)
