"""When an answer of so many rows may be a part of a longer one: the evidence.

The market cuts answers without saying so. It has been seen to do so at 64 rows, whatever
was asked for, and at 234 to 241 rows, varying between calls (clients' reports, 2026);
1,343 rows came for 3,000 asked for (August 2026).
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

_VARYING_CUTS = (225, 256)  # 234 to 241 were reported; the rest is our margin
_KNOWN_CUT = 64
_ROUND = (50, 64)
_SMALL_PAGES = (20, 25, 32)  # a page of the market's list of instances has 25
_SPREAD = 0.05
"""Part by which we take a cut to vary between calls: 234 to 241 are 3 %."""


class Suspicion(Enum):
    """What the number of its rows says of an answer."""

    NONE = "nothing speaks for a cut"
    DOUBT = "another look is due"
    LIKELY = "a cut at about so many rows is known"


def suspicion(rows: int, asked: int, seen: Collection[int] = ()) -> Suspicion:
    """Return what the number of its rows says of an answer.

    Parameters
    ----------
    rows : that came
    asked : that were asked for at most
    seen : rows at which this market's answers were found to be cut before
    """
    low, high = _VARYING_CUTS
    if rows == 0:
        return Suspicion.NONE
    if rows == _KNOWN_CUT or low <= rows <= high or rows >= asked:
        return Suspicion.LIKELY
    if any(abs(rows - cut) <= _SPREAD * cut for cut in seen):
        return Suspicion.LIKELY
    # There may be cuts that nobody knows of: those who choose them like round numbers.
    is_round = rows in _SMALL_PAGES or any(rows % base == 0 for base in _ROUND)
    return Suspicion.DOUBT if is_round else Suspicion.NONE


def reaches(rows: int, cut: int) -> bool:
    """Say whether an answer has as many rows as one that was cut, or nearly."""
    return rows >= (1 - _SPREAD) * cut
