"""Who is told how far a bench has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Tell = Callable[[str, float], object]
    """Is called with what is measured now and the share of its part that is done."""
