"""Bars of text: as long as their share, in what the terminal can show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.report.bars import BLOCKS, bar, with_bars
from advisor.report.cells import width_of
from advisor.report.look import Look

shares = st.floats(0.0, 10.0) | st.just(float("inf"))


@given(shares, shares, st.integers(4, 60), st.booleans())
def test_more_is_never_shorter(
    one: float, other: float, width: int, blocks: bool
) -> None:
    """And no bar is longer than its room; one of something is never empty."""
    shown = [bar(share, width, blocks=blocks) for share in sorted((one, other))]
    assert len(shown[0]) <= len(shown[1]) <= width
    assert all(
        bool(text) is (share > 0)
        for text, share in zip(shown, sorted((one, other)), strict=True)
    )


@given(shares, st.integers(4, 60))
def test_plain_bars_are_ascii(share: float, width: int) -> None:
    """Where an encoding has no blocks; those that do use no others."""
    assert bar(share, width, blocks=False).isascii()
    assert set(bar(share, width)) <= set(BLOCKS)


@pytest.mark.parametrize(
    ("share", "shown"), [(0.5, "#####"), (1.0, "#" * 10), (1.2, "#########>")]
)
def test_a_bar_beyond_its_room_says_so(share: float, shown: str) -> None:
    """By its end."""
    assert bar(share, 10, blocks=False) == shown


@given(st.integers(10, 200), st.lists(shares, min_size=1, max_size=5))
def test_a_table_with_bars_is_as_wide_as_its_cells_or_its_room(
    width: int, values: list[float]
) -> None:
    """Without room there are no bars, and the cells stand in columns all the same."""
    rows = [(f"line {at}", "超") for at in range(len(values))]
    lines = with_bars(("what", "of"), rows, ("left", "right"), values, Look(width))
    assert max(map(width_of, lines)) <= max(width, 10)
    assert len(lines) == len(rows) + 1
