"""A figure that an answer rests on and that nobody measured for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Assumption:
    """A figure that the answer rests on and that nobody measured for it.

    Attributes
    ----------
    value : the figure
    unit : its unit, ``""`` for a plain number
    source : where it comes from
    low, high : range that it may as well lie in; None where none is known
    range_source : where the range comes from; None where none is known
    """

    value: float
    unit: str
    source: str
    low: float | None = None
    high: float | None = None
    range_source: str | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """What a figure may as well be, see `Assumption`."""

    low: float
    high: float
    source: str


def stated(
    value: float, unit: str, source: str, likely: Range | None = None, **more: Any
) -> Any:
    """Return a field of a dataclass of assumptions, and what there is to say of it.

    Parameters
    ----------
    likely : its range; None: none is known
    more : what else the dataclass needs to know of it
    """
    about: Mapping[str, Any] = {"unit": unit, "source": source, "likely": likely, **more}
    return field(default=value, metadata=about)


def listed(figures: Any) -> dict[str, Assumption]:
    """Return name -> figure of a dataclass of assumptions, with all that is said of it.

    Parameters
    ----------
    figures : the dataclass, whose fields are made by `stated`
    """
    return {
        one.name: assumption(
            getattr(figures, one.name),
            one.metadata["unit"],
            one.metadata["source"],
            one.metadata["likely"],
        )
        for one in fields(figures)
    }


def assumption(value: float, unit: str, source: str, likely: Range | None) -> Assumption:
    """Return a figure with its range, or without where none is known."""
    if likely is None:
        return Assumption(value, unit, source)
    return Assumption(value, unit, source, likely.low, likely.high, likely.source)
