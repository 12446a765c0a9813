"""What a back-test of rent policies shows, as rows, a document and a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from advisor.app.backtest import Backtest
from advisor.backtest.summary import KEEPS, Estimate, PolicyResult
from advisor.base.figures import figure
from advisor.report.entries import basis, number
from advisor.report.tables import Column, Fitted, fitted

SCHEMA_VERSION = 1
"""Version of the JSON document; it rises when a key changes meaning or goes."""


def backtest_rows(found: Backtest) -> list[dict[str, Any]]:
    """Return a row for each policy, and which is advised."""
    return [
        {
            "policy": one.policy.name,
            **_interval("job_usd", one.usd),
            **_interval("job_hours", one.hours),
            "job_hours_p95": number(one.hours_95),
            **_interval("misses", one.misses),
            "unfinished": one.unfinished,
            "machines": number(one.machines),
            "lost_bids": number(one.lost),
            "failures": number(one.failed),
            "advised": one is found.advised,
        }
        for one in found.results
    ]


def backtest_document(found: Backtest, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the versioned JSON document of a back-test."""
    source = found.ranking.source
    recorded = found.recorded
    return {
        "schema_version": SCHEMA_VERSION,
        "market": None if source is None else source.market,
        "simulated": recorded is None,
        "market_hours": number(found.hours),
        "listings": None
        if recorded is None
        else {
            "same_machine": recorded.same,
            "median_of_kind": recorded.alike,
            "left_out": recorded.unknown,
        },
        "plays": found.plays,
        "blocks": found.blocks,
        "seed": found.seed,
        "deadline_hours": number(found.deadline_h),
        "horizon_hours": number(found.horizon_h),
        "kept_share": KEEPS,
        "policies": list(rows),
        **basis(found.ranking),
    }


def backtest_headline(found: Backtest) -> str:
    """Return a sentence or two: which policy is advised, and what was played over."""
    return f"{_advice(found)} {_source(found)}"


def backtest_table(rows: Sequence[Mapping[str, Any]], width: int | None = None) -> Fitted:
    """Return the policies as a table for a terminal, the advised one marked.

    Parameters
    ----------
    width : cells of a line; None: any number
    """
    cells = [
        (
            "*" if row["advised"] else "",
            row["policy"],
            _dollars(row["job_usd"]),
            _between(row, "job_usd", _dollars),
            figure(row["job_hours"], 3),
            _between(row, "job_hours", _hours),
            _hours(row["job_hours_p95"]),
            _percent(row["misses"]),
            _between(row, "misses", _percent),
            f"{row['unfinished']:,}",
            figure(row["machines"], 2),
            figure(row["lost_bids"], 2),
        )
        for row in rows
    ]
    columns = [
        Column(""),
        Column("policy"),
        Column("job $", "right"),
        Column("interval", "right", dispensable=2),
        Column("job h", "right"),
        Column("interval", "right", dispensable=4),
        Column("95 % within h", "right", dispensable=1),
        Column("late", "right"),
        Column("interval", "right", dispensable=3),
        Column("given up", "right", dispensable=5),
        Column("machines", "right", dispensable=7),
        Column("bids lost", "right", dispensable=6),
    ]
    return fitted(columns, cells, width)


def _advice(found: Backtest) -> str:
    """Return which policy is advised; where none is, what would do."""
    best = found.advised
    timed = math.isfinite(found.deadline_h)
    if best is not None:
        kept = ""
        if timed:
            kept = f", and keeps the deadline of {figure(found.deadline_h, 3)} h in "
            kept += f"{1.0 - best.misses.value:.1%} of the plays ({_sureness(best)})"
        return f"advised: {best.policy.name}: it costs {_dollars(best.usd.value)}{kept}."
    if not timed:
        return (
            f"advised: none: with every policy some jobs were not done after "
            f"{figure(found.horizon_h, 3)} h."
        )
    nearest = min(found.results, key=lambda one: (one.misses.value, one.usd.value))
    return (
        f"advised: none keeps the deadline in {KEEPS:.0%} of the plays; the nearest is "
        f"{nearest.policy.name} with {1.0 - nearest.misses.value:.1%}{_way_out(nearest)}."
    )


def _sureness(best: PolicyResult) -> str:
    """Return between which shares it is likely to keep the deadline at other times."""
    low, high = 1.0 - best.misses.high, 1.0 - best.misses.low
    if math.isnan(low):
        return "all see the same prices, so that nothing is known of other times"
    unsure = "" if low >= KEEPS else f", so that {KEEPS:.0%} is not sure"
    return f"90% interval {low:.1%} - {high:.1%}{unsure}"


def _way_out(nearest: PolicyResult) -> str:
    if not math.isfinite(nearest.hours_95):
        return ": allow more time"
    return f": allow {figure(nearest.hours_95, 3)} h"


def _source(found: Backtest) -> str:
    """Return what was played over."""
    plays = (
        f"{found.plays:,} plays of each policy over {figure(found.hours / 24.0, 3)} days"
    )
    if found.recorded is None:
        return f"{plays} of a simulated market, seed {found.seed}"
    recorded = found.recorded
    return (
        f"{plays} of your record; {recorded.same:,} of its listings are machines that "
        f"the market still shows, {recorded.alike:,} count as the median one with the "
        f"same GPUs, {recorded.unknown:,} are left out"
    )


def _interval(name: str, estimate: Estimate) -> dict[str, float | None]:
    ends = asdict(estimate)
    return {
        name: number(ends["value"]),
        f"{name}_low": number(ends["low"]),
        f"{name}_high": number(ends["high"]),
    }


def _between(row: Mapping[str, Any], name: str, show: Any) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "" if low is None else f"{show(low)} - {show(high)}"


def _dollars(usd: float) -> str:
    return f"${usd:,.2f}" if usd >= 10.0 else f"${figure(usd, 3)}"


def _hours(hours: float | None) -> str:
    return "" if hours is None else figure(hours, 3)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
