"""Bars of text: lengths that are seen side by side."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.report.cells import pad, width_of
from advisor.report.look import PLAIN, Look
from advisor.report.tables import GAP, Align

_EIGHTHS = "▏▎▍▌▋▊▉█"
"""Left parts of a full block, Unicode's Block Elements, by eighths."""

_BEYOND, _BEYOND_PLAIN = "▶", ">"
"""End of a bar that is longer than there is room for."""

BLOCKS = _EIGHTHS + _BEYOND
"""All characters of bars; where an encoding lacks one, bars are of plain ASCII."""


def bar(share: float, width: int, *, blocks: bool = True) -> str:
    """Return a bar of so much of a width; nothing where there is nothing to show.

    Parameters
    ----------
    share : of the width, from 0; beyond 1 (infinite among them) its end says so
    width : characters of a whole bar
    blocks : the terminal shows `BLOCKS`; else bars are of plain ASCII

    Examples
    --------
    >>> bar(0.5, 6, blocks=False), bar(2.0, 6, blocks=False)
    ('###', '#####>')
    >>> bar(0.25, 6)
    '█▌'
    """
    if not share > 0.0:
        return ""
    full = _EIGHTHS[-1] if blocks else "#"
    if share > 1.0:
        return full * (width - 1) + (_BEYOND if blocks else _BEYOND_PLAIN)
    if not blocks:
        return full * max(round(share * width), 1)
    whole, eighths = divmod(max(round(share * width * 8), 1), 8)
    return full * whole + (_EIGHTHS[eighths - 1] if eighths else "")


_LEAST, _MOST = 8, 40  # cells in which a bar says something, and beyond which no more


def with_bars(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    align: Sequence[Align],
    shares: Sequence[float],
    look: Look = PLAIN,
) -> list[str]:
    """Return the lines of a table with a bar at the end of each row.

    Where there is no room for bars there are none.

    Parameters
    ----------
    heads, rows, align : of the columns before the bars
    shares : length of the bar of each row, see `bar`
    look : where it is shown
    """
    columns = list(zip(heads, *rows, strict=True))
    widths = [max(map(width_of, column)) for column in columns]
    room = min(look.room - sum(widths) - GAP * len(widths), _MOST)
    lines = []
    for row, share in zip([heads, *rows], [0.0, *shares], strict=True):
        cells = [pad(*one) for one in zip(row, widths, align, strict=True)]
        if room >= _LEAST:
            cells.append(bar(share, room, blocks=look.blocks))
        lines.append((" " * GAP).join(cells).rstrip())
    return lines
