"""The least that any plan could cost, by a mixed-integer linear program.

::

    minimize    sum_c F_c y_c + sum_kc v_kc x_kc + sum_c p_c e_c
    such that   sum_c x_kc = n_k                    every job runs once
                sum_k g_kc x_kc <= T_c y_c          the time of all slots
                x_kc <= q_kc y_c                    whole jobs of one kind
                e_c >= t_c r_c - sum_k h_kc x_kc / m_c      idle slots are paid
                r_c >= sum_k x_kc / m_c         jobs on the fullest slot
                sum of y_c that share a GPU <= 1
                sum_c y_c <= most machines;  y_c is 0 or 1, x_kc and r_c whole numbers

with F what is paid once, v what a job costs, p the price, h its hours and g those with
what its spread adds at least, t those of the shortest job, m the slots. Every plan whose
machines are in time (`advisor.fleet.plan.loads`) meets it, so that none costs less.

The program without whole numbers is solved over a few machines, and those join whose
reduced cost is below zero. Then its value is the bound over all of them, and a machine
whose reduced cost is more than a known plan costs above it is in no better plan: the
program with whole numbers needs only the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.fleet.plan.greedy import Search
from advisor.fleet.plan.loads import Loaded, loaded
from advisor.fleet.plan.program import Figures, Rows

SECONDS = 5.0
"""How long the solver may take with whole numbers; what it has proved by then counts."""

_FIRST = 60
"""Machines with which the search begins, of all kinds, beside those of the plan."""

_EACH_ROUND = 40
_ROUNDS = 40
_MOST_RELAXED, _MOST_WHOLE = 100_000, 20_000
"""Pairs of a kind and a machine in the program without and with whole numbers. A larger
one with them is not solved, and the bound is that without; one without is no more than
so large, and then its value is a bound, if not the best."""

_ROUNDED = 1e-7


@dataclass(frozen=True, slots=True)
class Bound:
    """What no plan can cost less than.

    Attributes
    ----------
    usd : the bound, $
    machines : a plan that the solver found; empty: none that is in time
    """

    usd: float
    machines: tuple[Loaded, ...] = ()


@dataclass(frozen=True, slots=True)
class _Duals:
    """What a job of each kind is worth, a machine in number, and each shared GPU."""

    job: FloatArray
    machine: float
    shared: dict[tuple[int, int], float]


def bound(
    search: Search,
    jobs: IntArray,
    free: BoolArray,
    machines: Sequence[Loaded],
    max_machines: int | None,
) -> Bound:
    """Return what no plan can cost less than.

    Parameters
    ----------
    search : what is planned, with nothing counted beside the cost
    jobs : of each kind, shape (K,)
    free : which machines may be taken, shape (N,)
    machines : a plan
    max_machines : machines at most; None: any number
    """
    figures = Figures.of(search, jobs, free)
    known_usd = search.cost(machines)
    active = _first(figures, machines)
    least = figures.least_usd
    for _ in range(_ROUNDS):
        duals = _relaxed(search, figures, active, max_machines)
        if duals is None:
            return Bound(least)
        reduced = _reduced(search, figures, duals)
        found = _lagrangian(figures, duals, reduced, max_machines)
        least = max(least, found)
        joins = figures.free & (reduced < -_ROUNDED * max(known_usd, 1.0))
        joins[active] = False
        if not joins.any() or figures.pairs(active) > _MOST_RELAXED:
            break
        places = np.flatnonzero(joins)
        active = np.append(active, places[np.argsort(reduced[places])[:_EACH_ROUND]])
    # `reduced` belongs to the last duals, and so does the bound that it is beside.
    may = np.flatnonzero(figures.free & (reduced <= known_usd - found + _ROUNDED))
    if known_usd - least <= _ROUNDED * known_usd or figures.pairs(may) > _MOST_WHOLE:
        return Bound(least)
    whole = _whole(search, figures, may, max_machines)
    return Bound(max(least, whole.usd), whole.machines)


def _first(figures: Figures, machines: Sequence[Loaded]) -> IntArray:
    """Return machines on which all jobs can run: the plan's, and cheap ones."""
    with np.errstate(divide="ignore", invalid="ignore"):
        usd = np.where(
            (figures.most > 0.0) & figures.free,
            figures.usd + figures.once / figures.most,
            np.inf,
        )
    places = [one.at for one in machines]
    for row in usd:
        cheapest = np.argsort(row)[: max(_FIRST // len(usd), 3)]
        places += cheapest[np.isfinite(row[cheapest])].tolist()
    return np.array(list(dict.fromkeys(places)), dtype=np.int64)


def _relaxed(
    search: Search, figures: Figures, active: IntArray, max_machines: int | None
) -> _Duals | None:
    """Return the duals of the program without whole numbers over some machines.

    None: it was not solved, be it that the numbers are too far apart for the solver.
    """
    from scipy.optimize import linprog  # noqa: PLC0415  (start-up)

    rows = Rows.of(search, figures, active, max_machines)
    solved = linprog(
        rows.cost,
        A_ub=rows.at_most,
        b_ub=rows.limits,
        A_eq=rows.cover,
        b_eq=figures.jobs,
        bounds=list(zip(rows.low, rows.high, strict=True)),
        method="highs",
    )
    if solved.status != 0:
        return None
    marginals = -solved.ineqlin.marginals
    machine = marginals[rows.number] if rows.number is not None else 0.0
    shared = {taken: float(marginals[row]) for taken, row in rows.shared.items()}
    return _Duals(solved.eqlin.marginals, float(machine), shared)


def _reduced(search: Search, figures: Figures, duals: _Duals) -> FloatArray:
    """Return what each machine costs beyond what its jobs are worth, at best, (N,).

    The jobs that gain most per hour go first, and of the last one a part: the program
    of one machine without whole numbers.
    """
    gain = np.where(figures.most > 0.0, duals.job[:, None] - figures.usd, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(gain > 0.0, gain / figures.each, 0.0)
    left = figures.time.copy()
    here = np.arange(len(left))
    reduced = figures.once + duals.machine
    for row in np.argsort(-rate, axis=0):
        each, wanted = figures.each[row, here], figures.most[row, here]
        gains = rate[row, here] > 0.0
        fits = np.divide(left, each, out=np.zeros_like(left), where=each > 0.0)
        taken = np.where(gains, np.minimum(wanted, fits), 0.0)
        reduced = reduced - taken * gain[row, here]
        left = left - taken * each
    if duals.shared:
        takes = search.choices.takes
        reduced = reduced + np.array(
            [sum(duals.shared.get(one, 0.0) for one in takes[at]) for at in here.tolist()]
        )
    return reduced


def _lagrangian(
    figures: Figures, duals: _Duals, reduced: FloatArray, max_machines: int | None
) -> float:
    """Return the bound that any duals give over all machines."""
    number = 0.0 if max_machines is None else duals.machine * max_machines
    shared = sum(duals.shared.values())
    gains = np.minimum(reduced[figures.free], 0.0).sum()
    return float(duals.job @ figures.jobs - number - shared + gains)


def _whole(
    search: Search, figures: Figures, active: IntArray, max_machines: int | None
) -> Bound:
    """Solve the program with whole numbers over some machines, as far as time allows."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415

    rows = Rows.of(search, figures, active, max_machines, idle=True)
    solved = milp(
        rows.cost,
        integrality=rows.whole,
        bounds=Bounds(rows.low, rows.high),
        constraints=[
            LinearConstraint(rows.at_most, -np.inf, rows.limits),
            LinearConstraint(rows.cover, figures.jobs, figures.jobs),
        ],
        options={"time_limit": SECONDS, "mip_rel_gap": 1e-4},
    )
    proved = solved.mip_dual_bound
    least = -np.inf if proved is None else float(proved)
    if solved.x is None:
        return Bound(least)
    loads = np.zeros((len(search.choices.job_h), len(active)), dtype=np.int64)
    loads[figures.kinds] = np.rint(rows.jobs_in(solved.x)).astype(np.int64)
    machines = tuple(
        loaded(search.choices, at, load, search.z)
        for at, load in zip(active.tolist(), loads.T, strict=True)
        if load.any()
    )
    return Bound(least, machines if all(one.in_time for one in machines) else ())
