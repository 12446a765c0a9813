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

_LOOKED_AT = 3
"""Machines whose loads are worked out in full, of those that look cheapest."""

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
    left, free = left.copy(), free.copy()
    best_usd = np.array(
        [row.min(initial=np.inf) for row in usd_of_full(search, left, free)]
    )
    best_usd = np.where(np.isfinite(best_usd), best_usd, 0.0)
    machines: list[Loaded] = []
    while left.any():
        loads, usd = _loads(search, left, best_usd)
        worth = best_usd @ loads
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(free & (worth > 0.0), usd / worth, np.inf)
        looked_at = np.argsort(ratio, kind="stable")[:_LOOKED_AT].tolist()
        found = [
            _in_time(search, at, loads[:, at])
            for at in looked_at
            if np.isfinite(ratio[at])
        ]
        able = [one for one in found if one is not None]
        if not able:
            stuck = [at for at in looked_at if np.isfinite(ratio[at])]
            if not stuck:
                break
            free[stuck] = False
            continue
        one = min(able, key=lambda one: _ratio(search, one, best_usd))
        machines.append(one)
        left -= one.load
        free[search.rivals[one.at]] = False
    return machines, left


def _ratio(search: Search, one: Loaded, best_usd: FloatArray) -> float:
    return (one.usd + search.usd_per_machine) / float(best_usd @ one.load)


def _in_time(search: Search, at: int, load: IntArray) -> Loaded | None:
    """Return a machine with as much of a load as it does in time; None: with nothing.

    How the jobs share the slots is known only now: the longest go again, one by one.
    """
    load = load.copy()
    longest_first = np.argsort(-search.choices.job_h[:, at], kind="stable").tolist()
    while load.any():
        one = loaded(search.choices, at, load, search.z)
        if one.in_time:
            return one
        load[next(kind for kind in longest_first if load[kind])] -= 1
    return None


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


def usd_of_full(search: Search, left: IntArray, free: BoolArray) -> FloatArray:
    """Return what a job of each kind costs on each machine that is full of its kind.

    Infinite where it cannot run in time, or none of it is left; shape (K, N).
    """
    choices = search.choices
    usd = np.full(choices.job_h.shape, np.inf)
    once = choices.setup_usd + search.usd_per_machine
    for kind in np.flatnonzero(left).tolist():
        (here,) = np.nonzero(free & np.isfinite(choices.job_h[kind]))
        kinds = np.full(len(here), kind)
        room, able = room_for(choices, here, kinds, empty(choices, here), search.z)
        most = np.minimum(choices.slots[here] * np.floor(room + _WHOLE), left[kind])
        able &= most > 0.0
        here, most = here[able], most[able]
        usd[kind, here] = choices.job_usd[kind, here] + once[here] / most
    return usd


def _loads(
    search: Search, left: IntArray, best_usd: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return what each machine would take of the jobs, and about what that would cost.

    A machine takes first what it saves most of per hour, against the best elsewhere. Its
    slots are taken to share the work evenly; the last job to end is no shorter than the
    longest, and the fullest slot has as many as any.

    Returns
    -------
    loads : jobs of each kind, shape (K, N)
    usd : of each load with its machine, shape (N,)
    """
    choices = search.choices
    some = np.flatnonzero(left)
    here = np.arange(len(choices))
    runs = np.isfinite(choices.job_h[some])
    hours = np.where(runs, choices.job_h[some], 0.0)
    each_usd = np.where(runs, choices.job_usd[some], 0.0)
    rate = np.full(runs.shape, -np.inf)
    np.divide(best_usd[some, None] - each_usd, hours, out=rate, where=runs)
    loads = np.zeros((len(left), len(choices)), dtype=np.int64)
    filling = empty(choices, here)
    usd, number = choices.setup_usd + search.usd_per_machine, np.zeros(len(choices))
    longest, shortest = np.zeros(len(choices)), np.full(len(choices), np.inf)
    for place in np.argsort(-rate, axis=0, kind="stable"):
        kinds = some[place]
        if not runs[place, here].any():
            break  # what runs nowhere comes last
        room, able = room_for(choices, here, kinds, filling, search.z)
        most = choices.slots * np.floor(room + _WHOLE)
        taken = np.where(able, np.minimum(most, left[kinds]), 0.0)
        loads[kinds, here] = taken.astype(np.int64)
        filling = filled(choices, kinds, filling, taken / choices.slots)
        takes, h = taken > 0.0, hours[place, here]
        longest = np.maximum(longest, np.where(takes, h, 0.0))
        shortest = np.minimum(shortest, np.where(takes, h, np.inf))
        number += taken
        usd = usd + taken * each_usd[place, here]
    work_h = filling.hours - choices.setup_h
    fullest = np.ceil(number / choices.slots - _WHOLE)
    last_h = fullest * np.where(number > 0.0, shortest, 0.0)
    idle_h = np.maximum(np.maximum(longest, last_h) - work_h, 0.0)
    return loads, usd + choices.usd_per_h * idle_h
