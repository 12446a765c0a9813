"""Readings that are taken again and again, and what they come to."""

from __future__ import annotations

import math
import statistics

from advisor.measure.probe.lines import Line


class Samples:
    """Readings by name, in the order in which the names came."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}
        self._units: dict[str, str] = {}
        self._notes: dict[str, str] = {}

    def add(self, name: str, value: float, unit: str, note: str = "") -> None:
        """Take one reading; what is not above zero tells nothing and is left out."""
        if math.isfinite(value) and value > 0.0:
            self._values.setdefault(name, []).append(value)
            self._units[name], self._notes[name] = unit, note

    def median(self, name: str) -> float | None:
        """Return the median of what was read under a name; None: nothing was."""
        values = self._values.get(name)
        return statistics.median(values) if values else None

    def lines(self) -> list[Line]:
        """Return a line for each name."""
        return [
            Line(
                name,
                statistics.median(values),
                self._units[name],
                log_sd=_log_sd(values),
                repeats=len(values),
                note=self._notes[name],
            )
            for name, values in self._values.items()
        ]


def _log_sd(values: list[float]) -> float | None:
    """Return the standard deviation of the logarithm; None for one reading."""
    if len(values) < 2:
        return None
    return statistics.stdev(map(math.log, values))
