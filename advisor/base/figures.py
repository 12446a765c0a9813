"""Numbers as people read them."""

from __future__ import annotations


def figure(value: float | None, digits: int) -> str:
    """Return a number with `digits` significant digits and no exponent."""
    if value is None:
        return "?"
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if rounded >= 10 ** (digits - 1) else f"{rounded:g}"
