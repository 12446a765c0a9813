"""Machines one after the other, each the one whose jobs cost least on it.

What a machine costs per job falls with how many it takes, for image, data and start are
paid once. So each machine is filled as far as its time allows, and the one is taken whose
load costs least for what the same jobs would cost at best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.fleet.plan.choices import Choices
from advisor.fleet.plan.loads import Loaded, empty, filled, loaded, room_for

_WHOLE = 1e-9
"""What a number of jobs may lack to be whole: rounding."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a plan is searched for.

    Attributes
    ----------
    choices : machines, each with its limit
    rivals : of each the machines that cannot be had beside it, see `rivals_of`
    z : see `advisor.fleet.plan.loads.z_of`
    usd_per_machine : what each machine counts for beside its cost: the more, the fewer
        are taken
    """

    choices: Choices
    rivals: tuple[IntArray, ...]
    z: float
    usd_per_machine: float = 0.0

    def cost(self, machines: Sequence[Loaded]) -> float:
        """Return what machines count for, $."""
        return sum(one.usd + self.usd_per_machine for one in machines)


def greedy(
    search: Search, left: IntArray, free: BoolArray
) -> tuple[list[Loaded], IntArray]:
    """Return machines for jobs, and the jobs of each kind for which there is none.

    Parameters
    ----------
    left : jobs of each kind, shape (K,)
    free : which machines may be taken, shape (N,)
    """
    choices, left, free = search.choices, left.copy(), free.copy()
    best_usd = _best_usd(search, free, left)
    machines: list[Loaded] = []
    while left.any():
        loads, usd = _loads(search, left, best_usd)
        worth = best_usd @ loads
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(free & (worth > 0.0), usd / worth, np.inf)
        at = int(np.argmin(ratio))
        if not np.isfinite(ratio[at]):
            break
        one = loaded(choices, at, loads[:, at], search.z)
        machines.append(one)
        left -= one.load
        free[search.rivals[at]] = False
    return machines, left


def rivals_of(choices: Choices) -> tuple[IntArray, ...]:
    """Return which machines cannot be had beside each, itself among them."""
    takers: dict[tuple[int, int], list[int]] = {}
    for at, taken in enumerate(choices.takes):
        for one in taken:
            takers.setdefault(one, []).append(at)
    return tuple(
        np.array(sorted({at for one in taken for at in takers[one]}), dtype=np.int64)
        for taken in choices.takes
    )


def _best_usd(search: Search, free: BoolArray, left: IntArray) -> FloatArray:
    """Return what a job of each kind costs at best, on a machine full of them, (K,)."""
    choices = search.choices
    best = np.zeros(len(left))
    for kind in np.flatnonzero(left).tolist():
        kinds = np.full(len(choices), kind)
        room, able = room_for(choices, kinds, empty(choices), search.z)
        most = np.minimum(choices.slots * np.floor(room + _WHOLE), left[kind])
        able &= free & (most > 0.0)
        once = choices.setup_usd + search.usd_per_machine
        with np.errstate(divide="ignore", invalid="ignore"):
            usd = np.where(able, choices.job_usd[kind] + once / most, np.inf)
        best[kind] = usd.min(initial=np.inf)
    return np.where(np.isfinite(best), best, 0.0)


def _loads(
    search: Search, left: IntArray, best_usd: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return what each machine would take of the jobs, and what that would cost.

    A machine takes first what it saves most of per hour, against the best elsewhere.

    Returns
    -------
    loads : jobs of each kind, shape (K, N)
    usd : of each load with its machine, shape (N,)
    """
    choices = search.choices
    some = np.flatnonzero(left)
    here = np.arange(len(choices))
    able = choices.runs[some]
    with np.errstate(invalid="ignore"):
        saved = (best_usd[some, None] - choices.job_usd[some]) / choices.job_h[some]
    order = some[np.argsort(-np.where(able, saved, -np.inf), axis=0, kind="stable")]
    loads = np.zeros((len(left), len(choices)), dtype=np.int64)
    filling, work_h = empty(choices), np.zeros(len(choices))
    usd = choices.setup_usd + search.usd_per_machine
    for kinds in order:
        room, able_here = room_for(choices, kinds, filling, search.z)
        most = choices.slots * np.floor(room + _WHOLE)
        taken = np.where(able_here, np.minimum(most, left[kinds]), 0.0)
        loads[kinds, here] = taken.astype(np.int64)
        each = np.ceil(taken / choices.slots)
        filling = filled(choices, kinds, filling, each)
        took = taken > 0.0
        work_h += np.where(took, taken * choices.job_h[kinds, here], 0.0)
        usd = usd + np.where(took, taken * choices.job_usd[kinds, here], 0.0)
    busy_h = filling.hours - choices.setup_h
    idle_h = np.maximum(busy_h - work_h / choices.slots, 0.0)
    return loads, usd + choices.usd_per_h * idle_h
