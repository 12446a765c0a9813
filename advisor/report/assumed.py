"""What an answer assumes, and what each assumption would change of the cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from advisor.base.assumption import Assumption
from advisor.base.figures import figure
from advisor.ranking.one import WORTH, Effect, Kind
from advisor.report.entries import number
from advisor.report.sentences import amount, paragraph, without_rule
from advisor.report.tables import Column, fitted

_COLUMNS = (
    Column("assumption", least=20),
    Column("value", "right", dispensable=1),
    Column("range", "right"),
    Column("$/epoch then", "right"),
)

_OF: Mapping[Kind, str] = {
    "cost": "of the cost",
    "workload": "of the workload",
    "model": "of the model; see models/README.md",
}


def effects_document(effects: Sequence[Effect], epochs: int) -> list[dict[str, Any]]:
    """Return the effects as JSON holds them, the greatest first."""
    return [
        {
            "name": one.name,
            "of": one.of,
            "value": one.assumption.value,
            "unit": one.assumption.unit,
            "low": one.assumption.low,
            "high": one.assumption.high,
            "epoch_usd_at_low": number(one.epoch_usd_at_low),
            "epoch_usd_at_high": number(one.epoch_usd_at_high),
            "job_usd_at_low": _times(one.epoch_usd_at_low, epochs),
            "job_usd_at_high": _times(one.epoch_usd_at_high, epochs),
            "matters": one.matters,
        }
        for one in effects
    ]


def _times(usd: float | None, epochs: int) -> float | None:
    return None if usd is None else number(usd * epochs)


def effect_lines(
    effects: Sequence[Effect],
    called: Callable[[str], str],
    width: int | None,
    *,
    most: int,
    every: bool = False,
) -> list[str]:
    """Return the assumptions that matter most for the cost, and where the rest is.

    Parameters
    ----------
    effects : of all assumptions, the greatest first
    called : returns how the user's face calls a field
    width : cells of a line; None: any number
    most : assumptions that are shown at most
    every : all of them are shown, with their sources
    """
    matter = [one for one in effects if one.matters]
    shown = matter if every else matter[:most]
    rows = [(one.name, _value(one.assumption), _range(one), _costs(one)) for one in shown]
    lines = without_rule(fitted(_COLUMNS, rows, width, breaks_heads=False))
    lines += paragraph(_rest(effects, len(shown), called, every=every), width)
    return [*lines, *_listed(effects, width)] if every else lines


def _rest(
    effects: Sequence[Effect],
    shown: int,
    called: Callable[[str], str],
    *,
    every: bool,
) -> str:
    """Say what the others change, and how to see and to change them."""
    matter = sum(one.matters for one in effects)
    unknown = sum(one.assumption.low is None for one in effects)
    less = len(effects) - matter - unknown
    left = matter - shown
    more = f"{left} more matter{'s' * (left == 1)}; " if left else ""
    small = f"{less} change it by less than {100 * WORTH:.0f} %"
    lacking = f"{unknown} have no known range"
    see = "" if every else f" ({called('all_assumptions')})"
    change = f"change one with {called('assumptions')} NAME=VALUE"
    return f"{more}{small}, {lacking}{see}; {change}"


def _listed(effects: Sequence[Effect], width: int | None) -> list[str]:
    """Return every assumption with its source and range, those of one kind together."""
    lines = list[str]()
    for kind, title in _OF.items():
        lines += ["", title]
        for one in sorted(effects, key=lambda one: one.name):
            if one.of == kind:
                lines += _entry(one, width)
    return lines


def _entry(one: Effect, width: int | None) -> list[str]:
    """Return one assumption: its figure, and below what it rests on."""
    about = one.assumption
    unit = "" if about.unit == "1" else f" {about.unit}"
    lines = [f"  {one.name}  {_value(about)}{unit}", f"    {about.source}"]
    lines.append("    no range of it is known")
    if about.low is not None:
        change = f"${_costs(one)} per epoch" if one.largest else "no other cost here"
        lines[-1] = f"    {_range(one)} ({about.range_source}): {change}"
    return [
        f"{' ' * indent}{line}"
        for text, indent in zip(lines, (2, 4, 4), strict=True)
        for line in paragraph(text.strip(), width, indent)
    ]


def _value(about: Assumption) -> str:
    return figure(about.value, 4)


def _range(one: Effect) -> str:
    return f"{amount(one.assumption.low)} - {amount(one.assumption.high)}"


def _costs(one: Effect) -> str:
    """Return what an epoch costs at either end of the range."""
    ends = (one.epoch_usd_at_low, one.epoch_usd_at_high)
    return " - ".join(
        "does not run" if end is None or math.isnan(end) else amount(end) for end in ends
    )
