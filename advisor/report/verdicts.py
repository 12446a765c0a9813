"""What is to be thought of a bench, for people and for programs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from advisor.app.bench_check import Judged
from advisor.base.figures import figure
from advisor.measure.compared import Compared, Comparison
from advisor.measure.expected import is_by_clock
from advisor.measure.verdict import Verdict
from advisor.report.formats import lines_of
from advisor.report.tables import Column, Fitted, fitted

_SCHEMA_VERSION = 1
_SHOWN = 3
"""Faults that a sentence names."""

_CHECKED = (
    Column("line", least=24, breaks=True),
    Column("advertised", align="right", dispensable=1),
    Column("predicted", align="right"),
    Column("measured", align="right"),
    Column("unit", dispensable=3),
    Column("share", align="right", dispensable=2),
    Column("verdict", least=20, breaks=True),
)
_COMPARED = (
    Column("line"),
    Column("first", align="right"),
    Column("second", align="right"),
    Column("unit", dispensable=2),
    Column("ratio", align="right", dispensable=1),
    Column("verdict", least=12, breaks=True),
)


def verdict_table(found: Judged, width: int | None) -> Fitted:
    """Return advertised, predicted and measured side by side, a verdict per line."""
    rows = [
        [
            one.name,
            _figure(found.advertised.get(one.name, math.nan)),
            _figure(one.expected),
            _figure(one.measured),
            one.unit,
            _percent(one.share),
            f"FAULT: {one.words}" if one.is_fault else one.words,
        ]
        for one in _by_need(found)
    ]
    return fitted(_CHECKED, rows, width)


def verdict_summary(verdicts: Sequence[Verdict]) -> str:
    """Return a sentence of what a bench comes to."""
    faults = [one for one in verdicts if one.is_fault]
    count = sum(not math.isnan(one.expected) for one in verdicts)
    if not count:
        return "nothing that was measured could be compared with what is usual"
    if not faults:
        lines = "the line" if count == 1 else f"each of {count} lines"
        return f"{lines} that could be compared is as it should be, or nearly so"
    named = "; ".join(f"{one.name}: {one.words}" for one in faults[:_SHOWN])
    more = len(faults) - _SHOWN
    rest = f"; and {more} more" if more > 0 else ""
    return f"{len(faults)} of {count} compared lines at fault: {named}{rest}"


def verdict_advice(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield what else explains faults: a machine of one's own is rarely idle."""
    if any(one.is_fault and is_by_clock(one.name) for one in verdicts):
        yield (
            "cores.delivered and decode.*.wN are by the clock: what other programs here "
            "take counts against them; end those and measure again"
        )


def verdict_documents(found: Judged) -> list[dict[str, Any]]:
    """Return the verdicts as plain data for JSON; null is unknown."""
    return [_document(one, found.advertised) for one in found.verdicts]


def _document(one: Verdict, advertised: Mapping[str, float]) -> dict[str, Any]:
    return {
        "name": one.name,
        "unit": one.unit,
        "advertised": _known(advertised.get(one.name, math.nan)),
        "predicted": _known(one.expected),
        "predicted_log_sd": _known(one.expected_log_sd),
        "measured": one.measured,
        "share": _known(one.share),
        "least": _known(one.least),
        "is_fault": one.is_fault,
        "words": one.words,
        "compared_with": one.of,
        "source": one.source,
    }


def comparison_head(found: Comparison, width: int | None) -> str:
    """Return what the two machines do not have in common; empty if they are alike."""
    pairs = [(name, f"{one or '-'} / {two or '-'}") for name, one, two in found.machines]
    return lines_of(pairs, width) if pairs else ""


def comparison_table(found: Comparison, width: int | None) -> Fitted:
    """Return two benches side by side, those lines first that differ."""
    rows = [
        [
            one.name,
            _figure(one.first),
            _figure(one.second),
            one.unit,
            "" if math.isnan(one.ratio) else figure(one.ratio, 3),
            one.words,
        ]
        for one in sorted(found.lines, key=lambda one: not one.differs)
    ]
    return fitted(_COMPARED, rows, width)


def comparison_summary(found: Comparison) -> str:
    """Return a sentence of how many lines differ."""
    both = [one for one in found.lines if not math.isnan(one.first + one.second)]
    differ = sum(one.differs for one in both)
    if not both:
        return "no line is in both"
    if not differ:
        lines = f"no line of {len(both)} in both"
        return f"{lines} differs by more than two benches of one machine do"
    return f"{differ} of {len(both)} lines in both differ{'s' * (differ == 1)}"


def comparison_document(found: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data for JSON; null is unknown."""
    return {
        "schema_version": _SCHEMA_VERSION,
        "machines": [
            {"name": name, "first": one, "second": two}
            for name, one, two in found.machines
        ],
        "lines": [_compared(one) for one in found.lines],
    }


def _compared(one: Compared) -> dict[str, Any]:
    return {
        "name": one.name,
        "unit": one.unit,
        "first": _known(one.first),
        "second": _known(one.second),
        "ratio": _known(one.ratio),
        "differs": one.differs,
        "words": one.words,
    }


def _by_need(found: Judged) -> list[Verdict]:
    """Return verdicts, faults first, then those that say something."""

    def rank(one: Verdict) -> int:
        if one.is_fault:
            return 0
        return 1 if one.words or one.name in found.advertised else 2

    return sorted(found.verdicts, key=rank)


def _figure(value: float) -> str:
    return "" if math.isnan(value) else figure(value, 3)


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{share:.0%}"


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
