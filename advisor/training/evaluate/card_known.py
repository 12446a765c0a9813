"""Two sections of the model card: machines known by heart, and what a card would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from advisor.training.evaluate.markdown import percent, table
from advisor.training.evaluate.needed import ENOUGH, PANEL

if TYPE_CHECKING:
    from advisor.training.evaluate.needed import Needed


def known_section(known: Sequence[Mapping[str, Any]]) -> str:
    """Return the section of machines that a reader knows by heart."""
    rows = [
        (
            one["profile"],
            one["gpu"],
            one["precision"],
            one["source"],
            _rate(one["measured"]),
            _rate(one["predicted"]) + (" (guessed level)" if one["guessed"] else ""),
            f"{_rate(one['low'])} to {_rate(one['high'])}",
            f"{one['predicted'] / one['measured']:.2f}",
        )
        for one in known
    ]
    inside = sum(one["low"] <= one["measured"] <= one["high"] for one in known)
    head = ("profile", "GPU", "precision", "source held out", "measured", "predicted")
    return f"""## Machines that a reader knows by heart

What a source measured on one GPU, and what the model says that was trained without all of
that source, its series and its other workloads: samples/s, tokens/s of the language
models. The level comes from other sources, which is what `source` measures on all rows;
cards of one source compare better than sources do. {inside} of {len(known)} are in the
90 % interval.

{table((*head, "90 % interval", "predicted / measured"), rows)}"""


def needed_section(needed: Sequence[Needed]) -> str:
    """Return the section of what cards that people rent would take."""
    rows = [
        (
            one.gpu,
            one.rows,
            percent(one.error),
            percent(one.after_three),
            f"more than {PANEL - 1}" if one.count is None else one.count,
        )
        for one in needed
    ]
    head = ("GPU", "rows", "expected error", "after three", "measurements it would take")
    return f"""## What cards would take

The expected mean error of a card's ratio to the best known card, in a workload that
it was not measured in: by the posterior's own spread, not by rows held out. After three
measurements of other workloads, in mixed precision; and how many it would take to
{100 * ENOUGH:.0f} %.

{table(head, rows)}"""


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100.0 else f"{value:.3g}"
