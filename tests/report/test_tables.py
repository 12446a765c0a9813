"""Tables fit: no line is too long, what matters least makes room, colors take none."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.report.cells import LONGEST, clean, cut, pad, width_of, wrapped
from advisor.report.tables import Column, fitted
from tests.hostile import ATTACKS, dangers

TEXTS = st.text(max_size=60) | st.sampled_from(sorted(ATTACKS.values()))
COLUMNS = st.builds(
    Column,
    name=st.text("abc $/", max_size=20),
    align=st.sampled_from(["left", "right"]),
    least=st.none() | st.integers(1, 20),
    cut_at_start=st.booleans(),
    breaks=st.booleans(),
    dispensable=st.integers(0, 3),
)


@given(st.data(), st.lists(COLUMNS, min_size=1, max_size=6), st.integers(1, 130))
def test_no_line_is_too_long(
    data: st.DataObject, columns: list[Column], width: int
) -> None:
    """Whatever the columns and the cells are."""
    rows = data.draw(
        st.lists(
            st.lists(TEXTS, min_size=len(columns), max_size=len(columns)), max_size=3
        )
    )
    made = fitted(columns, rows, width)
    assert all(width_of(line) <= width for line in made.text.splitlines())
    assert dangers(made.text) == []
    assert len(made.missing) < len(columns)


@given(TEXTS, st.integers(1, 50), st.booleans())
def test_a_cut_text_has_room(text: str, width: int, at_start: bool) -> None:
    """A short one is whole; of a long one there is as much as there is room for."""
    line = clean(text)
    shown = cut(line, width, at_start=at_start)
    assert width_of(shown) <= width
    assert (shown == line) == (width_of(line) <= width)
    assert cut(shown, width, at_start=at_start) == shown


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        *[(23, "Threadripper PRO 3955WX"), (12, "…PRO 3955WX"), (10, "PRO 3955WX")],
        *[(9, "…3955WX"), (5, "Thre…")],
    ],
)
def test_a_name_that_is_cut_keeps_its_model(width: int, shown: str) -> None:
    """Which its last words are, whole."""
    assert cut("Threadripper PRO 3955WX", width, at_start=True) == shown


@given(TEXTS, st.integers(2, 50))
def test_a_wrapped_text_loses_nothing(text: str, width: int) -> None:
    """But for blanks, and no line is too long."""
    line = clean(text)
    lines = wrapped(line, width)
    assert all(width_of(one) <= width for one in lines)
    assert "".join("".join(lines).split()) == "".join(line.split())


@pytest.mark.parametrize(
    ("text", "width"),
    [("超超", 4), ("e\u0301", 1), ("½ ®", 3), ("\x1b[31mred\x1b[0m", 3)],
)
def test_cells_are_counted(text: str, width: int) -> None:
    """A letter of East Asia takes two, an accent and a color none."""
    assert width_of(text) == width
    assert width_of(pad(text, 9, "right")) == 9


def test_columns_go_by_importance() -> None:
    """The one that is missed least first, of equal ones the last."""
    columns = [
        Column("a", dispensable=1),
        Column("b"),
        Column("c", dispensable=2),
        Column("d", dispensable=1),
    ]
    rows = [["x" * 8] * 4]
    missing = [fitted(columns, rows, width).missing for width in (38, 37, 27, 17, 5)]
    assert missing == [[], ["c"], ["c", "d"], ["a", "c", "d"], ["a", "c", "d"]]


def test_texts_and_heads_make_room_before_a_column_goes() -> None:
    """A head goes on below, a text is cut or goes on below."""
    columns = [
        Column("long head", "right"),
        Column("cut", least=3),
        Column("why", least=4, breaks=True),
    ]
    assert fitted(columns, [["1", "abcdefgh", "so it is"]], 16).text.splitlines() == [
        "long",
        "head  cut   why",
        "----  ----  ----",
        "   1  abc…  so",
        "            it",
        "            is",
    ]


def test_a_text_without_bound_has_one_in_a_table() -> None:
    """Piped, too: what is beside a name of 10 kB is to be seen."""
    made = fitted([Column("a"), Column("b")], [["x" * 10_000, "y"]])
    assert max(map(width_of, made.text.splitlines())) == LONGEST + 3


def test_colors_take_no_room() -> None:
    """A painted table is the plain one, painted."""
    columns, rows = [Column("a", "right"), Column("b")], [["1", "x"], ["22", "yy"]]

    def paint(number: int, column: Column, cell: str) -> str:
        return click.style(cell, "red") if number and column.name == "a" else cell

    painted = fitted(columns, rows, 20, paint=paint).text
    assert painted != (plain := fitted(columns, rows, 20).text)
    assert click.unstyle(painted) == plain


def test_a_table_of_nothing_has_its_heads() -> None:
    """Nothing to list is no error."""
    assert fitted([Column("a"), Column("bc")], []).text.splitlines() == ["a  bc", "-  --"]
