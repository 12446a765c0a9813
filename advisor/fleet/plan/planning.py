"""A sweep is planned: the market is asked, and the cheapest machines are found."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from advisor.app.context import Context
from advisor.app.markets import MAX_AGE_S, answer_of
from advisor.app.sweep import SweepJob, SweepSpec
from advisor.app.sweep_plan import (
    PlannedMachine,
    Rate,
    RunningMachine,
    SweepPlan,
    TradeOff,
)
from advisor.base.columns import concat
from advisor.base.errors import AdvisorError, Given, NothingFitsError, OverBudgetError
from advisor.base.progress import doing
from advisor.base.units import SECONDS_PER_HOUR
from advisor.fleet.plan.choices import Choices
from advisor.fleet.plan.kinds import Kind, kinds_of
from advisor.fleet.plan.listing import Listing
from advisor.fleet.plan.loads import Loaded, probability_in_time
from advisor.fleet.plan.solve import (
    Solution,
    Task,
    bounded,
    least_deadline_h,
    separate_usd,
    solved,
)
from advisor.market.types import Answer

_SPARE_H, _SPARE_SHARE = 1.0, 1.25
"""Lifetime over the upper end of the predicted time, as for one job
(`advisor.rental.ends`)."""

_LEAST_SAVED = 0.01
"""Share of the cost that a later deadline must save to be on the curve."""

_NEAR = 0.05
"""Share by which another deadline differs at least from the plan's."""

_DEADLINES = 8
"""Points of the curve of deadline against cost."""


def plan_sweep(
    context: Context,
    spec: SweepSpec,
    jobs: Sequence[SweepJob],
    *,
    answer: Answer | None = None,
    without: Collection[int] = (),
    running: Sequence[RunningMachine] = (),
    with_curve: bool = True,
) -> SweepPlan:
    """Return the cheapest machines that are found for jobs, within what is allowed.

    Parameters
    ----------
    jobs : those that are to be done, one at least
    answer : what the market says; None: it is asked
    without : ids of machines that are not to be rented
    running : machines that are there: what is set up on them is paid already
    with_curve : other deadlines are looked at, too

    Raises
    ------
    NothingFitsError
        if no machine runs a job, or none in time: what would do
    OverBudgetError
        if it costs more than is allowed: what would do
    AdvisorError
        if the market cannot be asked, or a profile is none
    """
    kinds = kinds_of(jobs)
    listing = Listing.of(context, spec, kinds)
    if answer is None:
        answer = answer_of(context, spec.market, listing.query, max_age_s=MAX_AGE_S)
    listing.notify_slips(answer)
    with doing(context.progress, f"planning {len(jobs):,} jobs"):
        choices = listing.choices(answer, without, all_run=not running)
        if running:
            choices = concat([_there(running, kinds), choices])
        task = Task.of(
            choices,
            np.array([len(one.names) for one in kinds], dtype=np.int64),
            spec.deadline_probability,
            spec.max_machines,
        )
        return _planned(spec, task, kinds, answer, with_curve=with_curve)


def _planned(
    spec: SweepSpec,
    task: Task,
    kinds: Sequence[Kind],
    answer: Answer,
    *,
    with_curve: bool,
) -> SweepPlan:
    deadline_h = math.inf
    if spec.deadline_s is not None:
        deadline_h = spec.deadline_s / SECONDS_PER_HOUR
    found = solved(task, deadline_h)
    if found is None:
        raise _too_late(spec, task, deadline_h)
    found, least_usd = bounded(task, deadline_h, found)
    curve: tuple[TradeOff, ...] = ()
    over = spec.budget_usd is not None and found.usd > spec.budget_usd
    if with_curve or over:
        curve = _curve(task, deadline_h, found)
    if over:
        raise _too_dear(spec, found, curve, int(task.jobs.sum()))
    loads = sorted(found.machines, key=lambda one: (-int(one.load.sum()), one.at))
    machines = tuple(_machines(task.choices, loads, kinds))
    machines = _capped(machines, spec.budget_usd)
    has_deadline = math.isfinite(deadline_h)
    probability = None
    if has_deadline:  # also by its end, which the budget may have brought forward
        limits_h = [min(one.lifetime_h, deadline_h) for one in machines]
        probability = probability_in_time(task.choices, loads, limits_h)
    return SweepPlan(
        machines=machines,
        usd=found.usd,
        hours=max(one.hours for one in machines),
        deadline_h=deadline_h if has_deadline else None,
        deadline_probability=probability,
        bound_usd=least_usd,
        separate_usd=separate_usd(task),
        pareto=curve,
        market=answer.market,
        simulated=answer.simulated,
        offers=len(answer.records),
    )


def _there(running: Sequence[RunningMachine], kinds: Sequence[Kind]) -> Choices:
    """Return machines that are there, as choices: nothing is paid once any more."""
    rows = [one.planned for one in running]

    def figures(name: str, otherwise: float) -> np.ndarray:
        of_each = [{rate.kind: getattr(rate, name) for rate in one.rates} for one in rows]
        return np.array(
            [[rates.get(kind.identity, otherwise) for rates in of_each] for kind in kinds]
        )

    nothing = np.zeros(len(rows))
    return Choices(
        offer_id=np.array([one.offer_id for one in rows], dtype=np.int64),
        machine_id=np.array([one.machine_id for one in rows], dtype=np.int64),
        gpu_name=tuple(one.gpu_name for one in rows),
        num_gpus=np.array([one.num_gpus for one in rows], dtype=np.int64),
        takes=tuple(frozenset({(one.offer_id, -1)}) for one in rows),
        label=tuple(one.label for one in rows),
        slots=np.array([one.slots for one in rows], dtype=np.int64),
        usd_per_h=np.array([one.usd_per_h for one in rows]),
        setup_h=np.array([one.busy_h for one in running]),
        setup_usd=nothing,
        setup_var_h2=nothing,
        limit_h=np.array([one.left_h for one in running]),
        job_h=figures("hours", np.inf),
        job_usd=figures("usd", np.inf),
        job_sd_h=figures("sd_h", 0.0),
        job_var_h2=figures("var_h2", 0.0),
    )


def _machines(
    choices: Choices, machines: Sequence[Loaded], kinds: Sequence[Kind]
) -> Iterator[PlannedMachine]:
    """Yield machines with the names of their jobs."""
    waiting = [iter(kind.names) for kind in kinds]
    for one in machines:
        at = one.at
        hours = np.where(one.load > 0, choices.job_h[:, at], 0.0)
        names = [
            next(waiting[kind])
            for kind in np.argsort(-hours, kind="stable").tolist()
            for _ in range(int(one.load[kind]))
        ]
        lifetime_h = one.hours_high * _SPARE_SHARE + _SPARE_H
        yield PlannedMachine(
            offer_id=int(choices.offer_id[at]),
            machine_id=int(choices.machine_id[at]),
            gpu_name=choices.gpu_name[at],
            num_gpus=int(choices.num_gpus[at]),
            label=choices.label[at],
            slots=int(choices.slots[at]),
            usd_per_h=float(choices.usd_per_h[at]),
            jobs=tuple(names),
            setup_h=float(choices.setup_h[at]),
            setup_usd=float(choices.setup_usd[at]),
            hours=one.hours,
            hours_high=one.hours_high,
            usd=one.usd,
            lifetime_h=min(lifetime_h, float(choices.limit_h[at])),
            rates=tuple(_rates(choices, at, kinds)),
        )


def _rates(choices: Choices, at: int, kinds: Sequence[Kind]) -> Iterator[Rate]:
    for place, kind in enumerate(kinds):
        if np.isfinite(choices.job_h[place, at]):
            yield Rate(
                kind.identity,
                float(choices.job_h[place, at]),
                float(choices.job_usd[place, at]),
                float(choices.job_sd_h[place, at]),
                float(choices.job_var_h2[place, at]),
            )


def _capped(
    machines: tuple[PlannedMachine, ...], budget_usd: float | None
) -> tuple[PlannedMachine, ...]:
    """Return machines whose lifetimes a budget can pay, all of them to their end.

    What it has beyond the expected cost is shared out: each may be as late as another.
    """
    if budget_usd is None:
        return machines
    usd = sum(one.usd for one in machines)
    beyond = sum(one.most_usd for one in machines) - usd
    share = 1.0 if beyond <= 0.0 else min(max(budget_usd - usd, 0.0) / beyond, 1.0)
    return tuple(
        replace(one, lifetime_h=one.hours + share * (one.lifetime_h - one.hours))
        for one in machines
    )


def _curve(task: Task, deadline_h: float, found: Solution) -> tuple[TradeOff, ...]:
    """Return what other deadlines cost, from the shortest one that can be kept."""
    least = least_deadline_h(task)
    if least is None:
        return ()
    last = solved(task, math.inf, improve=False)
    longest = max((one.hours_high for one in last.machines), default=0.0) if last else 0.0
    hours = np.geomspace(least, max(longest, least), _DEADLINES)
    points = set(hours[np.abs(hours / deadline_h - 1.0) > _NEAR].tolist())
    if math.isfinite(deadline_h):
        points.add(deadline_h)
    curve: list[TradeOff] = []
    for hours in sorted(points):
        one = found if hours == deadline_h else solved(task, hours, improve=False)
        if one is None:
            continue
        # More time is never dearer: a shorter deadline was as cheap, about.
        if curve and one is not found and one.usd > (1.0 - _LEAST_SAVED) * curve[-1].usd:
            continue
        taken = max(machine.hours for machine in one.machines)
        curve.append(TradeOff(hours, one.usd, taken, len(one.machines)))
    return tuple(curve)


def _too_late(spec: SweepSpec, task: Task, deadline_h: float) -> AdvisorError:
    """Return the error of a deadline that cannot be kept: what would do."""
    jobs, least = int(task.jobs.sum()), least_deadline_h(task)
    most = task.max_machines
    if least is None:
        among = f" on {most} machines" if most else ""
        return NothingFitsError(
            f"the offers do not suffice for {_jobs(jobs)}{among}: take fewer jobs, "
            "or loosen the constraints"
        )
    more = ""
    if most is not None:
        unlimited = solved(replace(task, max_machines=None), deadline_h, improve=False)
        if unlimited is not None:
            more = f", or {len(unlimited.machines)} machines"
    return NothingFitsError(
        *(f"{_jobs(jobs)} cannot be done in ", Given("deadline_s"), " "),
        f"({deadline_h:.3g} h) with a probability of {spec.deadline_probability:.0%}: "
        f"allow {_rounded_up(least)} h{more}{', or take fewer jobs' * (jobs > 1)}",
    )


def _too_dear(
    spec: SweepSpec, found: Solution, curve: Sequence[TradeOff], jobs: int
) -> AdvisorError:
    """Return the error of a budget that does not suffice: what would do."""
    budget = spec.budget_usd or 0.0
    slower = next((one for one in curve if one.usd <= budget), None)
    later = ""
    if slower is not None:
        later = f", or {_rounded_up(slower.deadline_h)} h (${slower.usd:,.2f})"
    fewer = int(jobs * budget / found.usd)
    some = f", or take about {fewer:,} of {jobs:,} jobs" if fewer else ""
    allowed = math.ceil(found.usd * 100.0) / 100.0
    return OverBudgetError(
        *(f"{_jobs(jobs)} for ${found.usd:,.2f}: above ", Given("budget_usd"), " "),
        f"(${budget:,.2f}): allow ${allowed:,.2f}{later}{some}",
    )


def _jobs(count: int) -> str:
    return f"{count:,} job{'s' * (count != 1)}"


def _rounded_up(hours: float) -> str:
    """Return hours for people, never fewer than they are."""
    if hours >= 10.0:
        return f"{math.ceil(hours):,}"
    return f"{math.ceil(hours * 100.0) / 100.0:g}"
