"""A figure that an answer rests on and that nobody measured for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Assumption:
    """A figure that the answer rests on and that nobody measured for it.

    Attributes
    ----------
    value : the figure
    unit : its unit, ``""`` for a plain number
    source : where it comes from
    """

    value: float
    unit: str
    source: str
