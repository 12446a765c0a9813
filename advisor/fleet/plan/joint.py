"""Plans of one kind of job, all of whose slots are in time together.

A plan is in time with the probability ``P = sum_u w_u prod_s F_s(u)`` over the errors u
of the throughput, with F of each slot (`advisor.fleet.plan.loads.probability_in_time`).
Each F falls with u, so that for any u, with W the weights below u::

    P <= W + (1 - W) prod_s F_s(u)

What is to have ``P >= p`` thus meets, for each u, a row that is linear in the machines::

    sum_s log F_s(u) >= log((p - W) / (1 - W))

The cheapest that meets all rows is the bound. Where it is in time less often than p, the
rows give way to one that is enough: log P is convex in the logarithms, so that it is
nowhere below its tangent there::

    log P0 + sum_u v_u sum_s (log F_s(u) - log F0_s(u)) >= log p,  v_u = w_u prod F0 / P0

The program has a variable for each number of jobs on each machine, so that costs and
probabilities are those of the plan itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.fleet.plan.bound import SECONDS, Bound
from advisor.fleet.plan.greedy import Search
from advisor.fleet.plan.loads import (
    ERROR_WEIGHTS,
    ERRORS,
    Loaded,
    chances_in_time,
    loaded,
)
from advisor.fleet.plan.program import Figures, Matrix, shared_by

_MOST = 10_000
"""Variables at most: a larger program is not solved."""

_EVERY = 2
"""Every so many errors give a row: those beside it say about the same."""

_LEAST = 1e-20
"""Probability below which there is none: it counts as this, which only weakens a row."""

_ROUNDED = 1e-9


@dataclass(frozen=True, slots=True)
class _Program:
    """Numbers of jobs on machines, V of them: any that a cheaper plan may have.

    Attributes
    ----------
    search : what is planned
    machines : each with its load
    jobs, usd : of each, shape (V,)
    logs : of the probability that it is in time, for each of `ERRORS`, shape (U, V)
    wanted : jobs in all
    max_machines : machines at most; None: any number
    """

    search: Search
    machines: tuple[Loaded, ...]
    jobs: IntArray
    usd: FloatArray
    logs: FloatArray
    wanted: int
    max_machines: int | None

    def cheapest(self, rows: FloatArray, least: FloatArray) -> tuple[float, IntArray]:
        """Return what no plan costs less than, and one; empty: none was found.

        Parameters
        ----------
        rows, least : what each variable adds to each row, shape (R, V), and what each
            row is at least, shape (R,)
        """
        from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415

        solved = milp(
            self.usd,
            integrality=np.ones(len(self.usd)),
            bounds=Bounds(0.0, 1.0),
            constraints=[
                self._apart(),
                LinearConstraint(rows, least - _ROUNDED, np.inf),
                LinearConstraint(self.jobs[None, :], self.wanted, self.wanted),
            ],
            options={"time_limit": SECONDS, "mip_rel_gap": 1e-4},
        )
        bound = solved.mip_dual_bound
        taken = np.zeros(0) if solved.x is None else solved.x
        return 0.0 if bound is None else float(bound), np.flatnonzero(taken > 0.5)

    def _apart(self) -> Any:
        """Return that of machines which are one, or share a GPU, one is had."""
        from scipy.optimize import LinearConstraint  # noqa: PLC0415

        at = np.array([one.at for one in self.machines])
        one_each = [np.flatnonzero(at == place) for place in np.unique(at)]
        shared = [np.array(places) for places in shared_by(self.search, at).values()]
        limits = [1.0] * (len(one_each) + len(shared))
        groups = one_each + shared
        if self.max_machines is not None:
            groups.append(np.arange(len(at)))
            limits.append(float(self.max_machines))
        rows = Matrix()
        for places, limit in zip(groups, limits, strict=True):
            rows.add(np.zeros_like(places), places, np.ones(len(places)))
            rows.end(np.array([limit]))
        return LinearConstraint(rows.sparse(len(at)), -np.inf, rows.limits)

    def enough(self, taken: IntArray, probability: float) -> tuple[FloatArray, float]:
        """Return the row that is enough beside some machines, and what it is at least."""
        there = self.logs[:, taken].sum(axis=1)
        weights = ERROR_WEIGHTS * np.exp(there)
        whole = weights.sum()
        weights /= whole
        return weights @ self.logs, float(
            np.log(probability) - np.log(whole) + weights @ there
        )


def joint_bound(  # noqa: PLR0917  (as `advisor.fleet.plan.bound.bound`)
    search: Search,
    jobs: IntArray,
    deadline_h: float,
    probability: float,
    known_usd: float,
    max_machines: int | None,
) -> Bound:
    """Return what no plan costs less than, and a plan: where it may cost less than known.

    Of jobs of several kinds, or too many numbers of them, nothing is said: the bound is
    zero.

    Parameters
    ----------
    search : what is planned, with nothing counted beside the cost
    jobs : of each kind, shape (K,)
    deadline_h : of all jobs
    probability : that all of them are in time
    known_usd : what a plan costs, $
    max_machines : machines at most; None: any number
    """
    figures = Figures.of(search, jobs, np.ones(len(search.choices), dtype=bool))
    if len(figures.kinds) != 1 or figures.most.sum() > _MOST:
        return Bound(0.0)
    program = _program(search, figures, deadline_h, known_usd, max_machines)
    below = np.cumsum(ERROR_WEIGHTS) - ERROR_WEIGHTS
    some = np.flatnonzero(below < probability)[::-_EVERY]
    least = np.log((probability - below[some]) / (1.0 - below[some]))
    usd, taken = program.cheapest(program.logs[some], least)
    chance = ERROR_WEIGHTS @ np.exp(program.logs[:, taken].sum(axis=1))
    if len(taken) and chance < probability:
        row, enough = program.enough(taken, probability)
        _, taken = program.cheapest(row[None, :], np.array([enough]))
    return Bound(usd, tuple(program.machines[place] for place in taken.tolist()))


def _program(
    search: Search,
    figures: Figures,
    deadline_h: float,
    known_usd: float,
    max_machines: int | None,
) -> _Program:
    """Return every number of jobs that a machine may run in a plan that costs less."""
    choices, (kind,), (most,) = search.choices, figures.kinds.tolist(), figures.most
    found: list[Loaded] = []
    for at in np.flatnonzero(figures.free & (figures.once <= known_usd)).tolist():
        for number in range(1, int(most[at]) + 1):
            load = np.zeros(len(choices.job_h), dtype=np.int64)
            load[kind] = number
            one = loaded(choices, at, load, search.z)
            if one.in_time and one.usd <= known_usd:
                found.append(one)
    chances = [chances_in_time(choices, [one], deadline_h, ERRORS) for one in found]
    logs = np.log(np.maximum(np.reshape(chances, (len(found), len(ERRORS))), _LEAST))
    return _Program(
        search,
        tuple(found),
        np.array([one.load[kind] for one in found], dtype=np.int64),
        np.array([one.usd for one in found]),
        logs.T,
        int(figures.jobs[0]),
        max_machines,
    )
