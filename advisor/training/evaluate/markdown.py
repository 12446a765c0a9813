"""Tables and figures of the model card as Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table; there must be as many cells in each row as in its head."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def percent(value: float) -> str:
    """Return a share in percent."""
    return f"{100 * value:.1f} %"


def share(value: float | None) -> str:
    """Return a share in percent; empty where there is none."""
    return "" if value is None else percent(value)
