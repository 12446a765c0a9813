"""Numbers as people read them."""

from __future__ import annotations

from advisor.base.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

_UNITS = ((1e-3, 1e6, "us"), (1.0, 1e3, "ms"), (120.0, 1.0, "s"), (7200.0, 1 / 60, "min"))


def figure(value: float | None, digits: int) -> str:
    """Return a number with `digits` significant digits and no exponent.

    Examples
    --------
    >>> figure(23122.0, 3), figure(0.0480195, 3), figure(6.84e-05, 2)
    ('23,100', '0.048', '0.000068')
    """
    if value is None:
        return "?"
    rounded = float(f"{value:.{digits}g}")
    if rounded >= 10 ** (digits - 1):
        return f"{rounded:,.0f}"
    mantissa, _, power = f"{rounded:g}".partition("e")
    if not power:
        return mantissa
    return f"{rounded:.{len(mantissa.partition('.')[2]) - int(power)}f}"


def duration(seconds: float, digits: int = 2) -> str:
    """Return a time in a unit that people use: 0.1 ms, 1.1 s, 12 min, 3 h."""
    if round(seconds * 1e3, 2) >= 0.1 and seconds < 1.0:
        return f"{figure(seconds * 1e3, digits)} ms"
    for below, factor, unit in _UNITS:
        if seconds < below:
            return f"{figure(seconds * factor, digits)} {unit}"
    if seconds < 2 * SECONDS_PER_DAY:
        return f"{figure(seconds / SECONDS_PER_HOUR, digits)} h"
    return f"{figure(seconds / SECONDS_PER_DAY, digits)} days"
