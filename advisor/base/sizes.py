"""Numbers of bytes as people read them."""

from __future__ import annotations

from advisor.base.units import BYTES_PER_GB, BYTES_PER_MB

_ROUNDS_UP = 0.9995  # of a unit: in three digits it is one


def size_in_words(size: float) -> str:
    """Return a number of bytes for people, decimal as rsync and the market count."""
    for unit, name in ((BYTES_PER_GB, "GB"), (BYTES_PER_MB, "MB"), (1e3, "kB")):
        if size >= _ROUNDS_UP * unit:
            return f"{size / unit:.3g} {name}"
    return f"{size:.0f} byte{'s' * (size != 1)}"
