"""Numbers and durations as training tools print them."""

from __future__ import annotations

import re

from advisor.base.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE

NUMBER = r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?"
"""A number without separators."""

_CLOCK = re.compile(
    r"(?:(?P<days>\d+) days?, )?(?:(?P<h>\d+):)?(?P<m>\d+):(?P<s>\d+(?:\.\d+)?)"
)
_SCALES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}
_SCALED = re.compile(rf"({NUMBER})([kKMGBT]?)")


def seconds(text: str) -> float | None:
    """Return the seconds of ``1:02:03``, ``02:03.4``, ``1 day, 2:00:01`` or ``62.5``."""
    text = text.strip()
    match = _CLOCK.fullmatch(text)
    if match:
        hours = float(match["h"] or 0.0) + 24.0 * float(match["days"] or 0.0)
        return (
            SECONDS_PER_HOUR * hours
            + SECONDS_PER_MINUTE * float(match["m"])
            + float(match["s"])
        )
    return float(text) if re.fullmatch(NUMBER, text) else None


def scaled(text: str) -> float | None:
    """Return the number of ``1234``, ``10.5k`` or ``2M``."""
    match = _SCALED.fullmatch(text.strip().replace(",", ""))
    return float(match[1]) * _SCALES[match[2]] if match else None


def said(value_s: float) -> str:
    """Return seconds for people."""
    return f"{value_s:,.0f} s" if value_s >= 100.0 else f"{value_s:.3g} s"
