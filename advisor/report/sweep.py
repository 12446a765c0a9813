"""The plan of a sweep, as a document and for a terminal."""

from __future__ import annotations

from typing import Any

from advisor.app.sweep import SweepSpec
from advisor.app.sweep_plan import PlannedMachine, SweepPlan, TradeOff
from advisor.base.figures import duration, figure
from advisor.base.units import SECONDS_PER_HOUR
from advisor.report.formats import lines_of
from advisor.report.tables import Column, Fitted, fitted

SCHEMA_VERSION = 1
"""Version of the JSON document; it rises when a key changes meaning or goes."""


def plan_document(spec: SweepSpec, plan: SweepPlan) -> dict[str, Any]:
    """Return the versioned JSON document: what was asked for, and the plan.

    Both parts can be read again, by `SweepSpec` and `SweepPlan`.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "jobs": plan.jobs,
        "gap": plan.gap,
        "saved_usd": plan.separate_usd - plan.usd,
        "most_usd": plan.most_usd,
        "sweep": spec.to_document(),
        "plan": plan.to_document(),
    }


def plan_headline(plan: SweepPlan) -> str:
    """Return one line: what is to be rented, what it costs, and when it is done."""
    count = len(plan.machines)
    simulated = ", simulated" if plan.simulated else ""
    in_time = ""
    if plan.deadline_h is not None and plan.deadline_probability is not None:
        in_time = (
            f", within {_hours(plan.deadline_h)} with a probability of "
            f"{_share(plan.deadline_probability)}"
        )
    return (
        f"{plan.jobs:,} jobs on {count:,} machine{'s' * (count != 1)} for "
        f"${plan.usd:,.2f}, done in {_hours(plan.hours)}{in_time} "
        f"(market {plan.market}{simulated}, {plan.offers:,} offers)"
    )


def plan_text(plan: SweepPlan, width: int | None = None) -> Fitted:
    """Return the machines, what the plan saves, and other deadlines, for a terminal.

    Parameters
    ----------
    width : cells of a line; None: any number
    """
    machines = fitted(_MACHINES, [_machine_row(one) for one in plan.machines], width)
    parts, missing = [machines.text, lines_of(_figures(plan), width)], machines.missing
    if plan.pareto:
        curve = fitted(_CURVE, [_curve_row(one, plan) for one in plan.pareto], width)
        parts.append(curve.text)
        missing = [*missing, *curve.missing]
    return Fitted("\n\n".join(parts), missing)


_MACHINES = (
    Column("offer", "right", dispensable=2),
    Column("GPU", least=8),
    Column("jobs", "right"),
    Column("at once", "right", dispensable=1),
    Column("$/h", "right"),
    Column("set-up", "right", dispensable=3),
    Column("done in", "right"),
    Column("at the latest", "right", dispensable=2),
    Column("gone after", "right", dispensable=4),
    Column("cost", "right"),
)


def _machine_row(one: PlannedMachine) -> tuple[str, ...]:
    return (
        str(one.offer_id),
        f"{one.num_gpus} x {one.gpu_name or 'unknown'}",
        f"{len(one.jobs):,}",
        f"{one.slots:,}",
        figure(one.usd_per_h, 3),
        _hours(one.setup_h),
        _hours(one.hours),
        _hours(one.hours_high),
        _hours(one.lifetime_h),
        f"${one.usd:,.2f}",
    )


_CURVE = (
    Column("deadline", "right"),
    Column("cost", "right"),
    Column("machines", "right"),
    Column("done in", "right"),
    Column(""),
)


def _curve_row(one: TradeOff, plan: SweepPlan) -> tuple[str, ...]:
    return (
        _hours(one.deadline_h),
        f"${one.usd:,.2f}",
        f"{one.machines:,}",
        _hours(one.hours),
        "this plan" if one.deadline_h == plan.deadline_h else "",
    )


def _figures(plan: SweepPlan) -> list[tuple[str, str]]:
    """Return what the cost is to be compared with, each with its name."""
    saved = plan.separate_usd - plan.usd
    compared = (
        f"${saved:,.2f} saved against it"
        if saved >= 0
        else f"${-saved:,.2f} more than it"
    )
    above = 100.0 * plan.gap
    least = f"${plan.bound_usd:,.2f}: the plan is at most {above:.1f} % above it"
    most = f"${plan.most_usd:,.2f}, if each machine is there until it is gone"
    separate = f"${plan.separate_usd:,.2f}, each on the cheapest for it: {compared}"
    return [
        ("least possible", least),
        ("at most", most),
        ("one machine per job", separate),
    ]


def _share(probability: float) -> str:
    """Return a probability in percent: nothing is certain."""
    return "over 99 %" if probability > 0.99 else f"{100.0 * probability:.0f} %"


def _hours(hours: float) -> str:
    return duration(hours * SECONDS_PER_HOUR)
