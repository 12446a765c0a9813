"""Tables that fit a terminal: what is less important makes room for what is more.

Where all columns do not fit, heads and texts are broken or cut as far as their columns
allow, and then columns are left out, the least important first. No line is ever wider
than it may.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from advisor.report.cells import LONGEST, clean, cut, pad, width_of, wrapped

Align = Literal["left", "right"]

GAP = 2
"""Blanks between two columns."""

_MOST_LINES = 6
"""Lines of one cell: what is longer is cut."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : its head
    align : of its cells
    least : cells to which a text in it may be shortened; None: it is shown whole
    breaks : a text that is too long goes on below, and is not cut
    cut_at_start : of what is cut the end stays, see `advisor.report.cells.cut`
    dispensable : of the columns that are left, the one with the highest figure is left
        out first; of equal ones that on the right
    """

    name: str
    align: Align = "left"
    least: int | None = None
    breaks: bool = False
    cut_at_start: bool = False
    dispensable: int = 0


class Fitted(NamedTuple):
    """A table for a terminal.

    Attributes
    ----------
    text : its lines
    missing : names of the columns for which there is no room
    """

    text: str
    missing: list[str]


Row = Sequence[str]
"""The cells of a row, as texts."""

Paint = Callable[[int, Column, str], str]
"""Takes the number of a row, the column and a cell; returns the cell in its color."""


def plain(row: int, column: Column, cell: str) -> str:  # noqa: ARG001  (a `Paint`)
    """Return a cell without a color."""
    return cell


def fitted(
    columns: Sequence[Column],
    rows: Sequence[Row],
    width: int | None = None,
    *,
    paint: Paint = plain,
    breaks_heads: bool = True,
) -> Fitted:
    """Return rows as a table within a width.

    Parameters
    ----------
    columns : as they stand from left to right
    rows : their cells, of whatever origin
    width : cells of a line; None: any number
    paint : colors the cells
    breaks_heads : heads of several words may go on below
    """
    shown = [[clean(cell) for cell in row] for row in rows]
    cells = list(zip(*shown, strict=True)) or [()] * len(columns)
    made = [
        _Made(one, of, _Size.of(one, of, breaks_heads))
        for one, of in zip(columns, cells, strict=True)
    ]
    kept = list(made)
    while (widths := _widths([one.size for one in kept], width)) is None:
        if len(kept) == 1:
            widths = [width or LONGEST]
            break
        # The last of those that are missed least.
        kept.remove(max(reversed(kept), key=lambda one: one.column.dispensable))
    missing = [one.column.name for one in made if one not in kept]
    return Fitted("\n".join(_lines(kept, widths, paint)), missing)


class _Size(NamedTuple):
    """Cells that a column takes: where there is room, and at least."""

    wanted: int
    least: int

    @classmethod
    def of(cls, column: Column, cells: Sequence[str], breaks_heads: bool) -> _Size:
        head = width_of(column.name)
        whole = min(max(map(width_of, cells), default=0), LONGEST)
        word = max(map(width_of, column.name.split()), default=0)
        least = whole if column.least is None else min(column.least, whole)
        return cls(max(head, whole), max(word if breaks_heads else head, least))


class _Made(NamedTuple):
    """A column with what stands in it."""

    column: Column
    cells: Sequence[str]
    size: _Size


def _widths(sizes: Sequence[_Size], width: int | None) -> list[int] | None:
    """Return the cells of each column, those that want more as wide as one another.

    None where they do not fit.
    """
    widths = [one.wanted for one in sizes]
    room = None if width is None else width - GAP * (len(sizes) - 1)
    if room is None or sum(widths) <= room:
        return widths
    widths = [one.least for one in sizes]
    spare = room - sum(widths)
    if spare < 0:
        return None
    for _ in range(spare):
        wanting = [at for at, one in enumerate(sizes) if widths[at] < one.wanted]
        if wanting:
            widths[min(wanting, key=widths.__getitem__)] += 1
    return widths


def _lines(made: Sequence[_Made], widths: Sequence[int], paint: Paint) -> list[str]:
    """Return the lines of a table whose columns have these widths."""
    columns = [one.column for one in made]
    heads = [wrapped(*one) for one in zip([c.name for c in columns], widths, strict=True)]
    high = max(map(len, heads))
    heads = [[""] * (high - len(one)) + one for one in heads]
    lines = _beside_one_another(heads, columns, widths)
    lines.append((" " * GAP).join("-" * width for width in widths))
    for number, row in enumerate(zip(*(one.cells for one in made), strict=True)):
        cells = [
            [paint(number, column, part) for part in _parts(cell, column, width)]
            for cell, column, width in zip(row, columns, widths, strict=True)
        ]
        lines += _beside_one_another(cells, columns, widths)
    return lines


def _parts(text: str, column: Column, width: int) -> list[str]:
    """Return the lines of one cell."""
    if not column.breaks:
        return [cut(text, width, at_start=column.cut_at_start)]
    return wrapped(cut(text, _MOST_LINES * width), width)


def _beside_one_another(
    cells: Sequence[Sequence[str]], columns: Sequence[Column], widths: Sequence[int]
) -> list[str]:
    """Return the lines of a row whose cells may have several lines each."""
    lines = []
    for at in range(max(map(len, cells))):
        parts = [
            pad(cell[at] if at < len(cell) else "", width, column.align)
            for cell, column, width in zip(cells, columns, widths, strict=True)
        ]
        lines.append((" " * GAP).join(parts).rstrip())
    return lines
