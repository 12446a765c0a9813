"""The linear program of `advisor.fleet.plan.bound`, as matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.fleet.plan.greedy import Search
from advisor.fleet.plan.loads import empty, room_for

_ROUNDED = 1e-7


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of the program for the K kinds that have jobs, on N machines.

    Attributes
    ----------
    kinds : places of the kinds, shape (K,)
    jobs : n, shape (K,)
    free : which machines may be taken, shape (N,)
    once, time : F and T, shape (N,)
    most, each, usd : q, g and v, shape (K, N); zero where a kind cannot run
    """

    kinds: IntArray
    jobs: IntArray
    free: BoolArray
    once: FloatArray
    time: FloatArray
    most: FloatArray
    each: FloatArray
    usd: FloatArray

    @classmethod
    def of(cls, search: Search, jobs: IntArray, free: BoolArray) -> Self:
        """Return the figures of jobs of each kind, of which some may have none."""
        choices = search.choices
        kinds = np.flatnonzero(jobs)
        most = np.zeros((len(kinds), len(choices)))
        for place, kind in enumerate(kinds.tolist()):
            alike = np.full(len(choices), kind)
            room, able = room_for(choices, alike, empty(choices), search.z)
            whole = choices.slots * np.floor(room + _ROUNDED)
            most[place] = np.where(able, np.minimum(whole, jobs[kind]), 0.0)
        runs = most > 0.0
        each = choices.job_h[kinds] + max(search.z, 0.0) * choices.job_sd_h[kinds]
        left_h: FloatArray = np.maximum(choices.limit_h - choices.setup_h, 0.0)
        time: FloatArray = choices.slots * left_h * (1.0 + _ROUNDED)
        return cls(
            kinds=kinds,
            jobs=jobs[kinds],
            free=free & runs.any(axis=0),
            once=choices.setup_usd + search.usd_per_machine,
            time=time,
            most=most,
            each=np.where(runs, each, 0.0),
            usd=np.where(runs, choices.job_usd[kinds], 0.0),
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """The program over some machines, A of them.

    The variables are y of each machine, x of each kind on each, kind by kind, e and r.

    Attributes
    ----------
    cost, low, high, whole : of each variable
    at_most, limits : rows that are no more than their limits
    cover : rows that are the jobs of each kind
    number : row of `at_most` that counts the machines; None: nobody does
    shared : GPU or offer that several of them take -> row of `at_most`
    kinds, machines : K and A
    """

    cost: FloatArray
    low: FloatArray
    high: FloatArray
    whole: IntArray
    at_most: Any
    limits: FloatArray
    cover: Any
    number: int | None
    shared: Mapping[tuple[int, int], int]
    kinds: int
    machines: int

    def jobs_in(self, solution: FloatArray) -> FloatArray:
        """Return the jobs of each kind on each machine, shape (K, A)."""
        first, last = self.machines, self.machines * (1 + self.kinds)
        return solution[first:last].reshape(self.kinds, self.machines)

    @classmethod
    def of(
        cls,
        search: Search,
        figures: Figures,
        active: IntArray,
        max_machines: int | None,
        *,
        idle: bool = False,
    ) -> Self:
        """Return the program over the machines `active`.

        Parameters
        ----------
        idle : slots that are done before others of their machine are paid
        """
        from scipy import sparse  # noqa: PLC0415  (start-up)

        kinds, count = len(figures.kinds), len(active)
        most, each = figures.most[:, active], figures.each[:, active]
        one, none = sparse.identity(count), sparse.csr_array((count, count))
        blocks: list[list[Any]] = [
            [-sparse.diags(figures.time[active]), *map(sparse.diags, each)]
        ]
        for kind in range(kinds):
            parts = [one if kind == other else none for other in range(kinds)]
            blocks.append([-sparse.diags(most[kind]), *parts])
        limits = [0.0] * (count * (1 + kinds))
        above = sparse.block_array(blocks, format="csr")
        extra: list[FloatArray] = []
        number = None
        if max_machines is not None:
            number = len(limits)
            extra.append(np.ones(count))
            limits.append(float(max_machines))
        shared, members = {}, _shared(search, active)
        for taken, places in members.items():
            shared[taken] = len(limits)
            row = np.zeros(count)
            row[places] = 1.0
            extra.append(row)
            limits.append(1.0)
        if extra:
            width = sparse.csr_array((len(extra), kinds * count))
            above = sparse.vstack([above, sparse.hstack([np.array(extra), width])])
        cover = sparse.hstack(
            [
                sparse.csr_array((kinds, count)),
                sparse.kron(sparse.identity(kinds), np.ones((1, count))),
            ]
        )
        cost = [figures.once[active], figures.usd[:, active].ravel()]
        high = [np.ones(count), most.ravel()]
        whole = np.ones(count * (1 + kinds), dtype=np.int64)
        if idle:
            above = sparse.hstack([above, sparse.csr_array((above.shape[0], 2 * count))])
            above = sparse.vstack([above, _idle(search, figures, active)])
            limits += [0.0] * (2 * count)
            cover = sparse.hstack([cover, sparse.csr_array((kinds, 2 * count))])
            cost += [search.choices.usd_per_h[active], np.zeros(count)]
            high.append(np.full(2 * count, np.inf))
            whole = np.concatenate([whole, np.zeros(count), np.ones(count)])
        return cls(
            cost=np.concatenate(cost),
            low=np.zeros(len(whole)),
            high=np.concatenate(high),
            whole=whole,
            at_most=above.tocsr(),
            limits=np.array(limits),
            cover=cover.tocsr(),
            number=number,
            shared=shared,
            kinds=kinds,
            machines=count,
        )


def _idle(search: Search, figures: Figures, active: IntArray) -> Any:
    """Return the rows that say how long slots are idle, at least.

    The fullest slot runs as many jobs as any, none shorter than the shortest.
    """
    from scipy import sparse  # noqa: PLC0415  (start-up)

    choices, count = search.choices, len(active)
    runs = figures.most[:, active] > 0.0
    hours = np.where(runs, choices.job_h[np.ix_(figures.kinds, active)], 0.0)
    shortest = np.where(runs, hours, np.inf).min(axis=0)
    slots = choices.slots[active]
    nothing, one = sparse.csr_array((count, count)), sparse.identity(count)
    work = [sparse.diags(-row / slots) for row in hours]
    number = [sparse.diags(1.0 / slots) for _ in hours]
    rows = [
        [nothing, *work, -one, sparse.diags(shortest)],
        [nothing, *number, nothing, -one],
    ]
    return sparse.block_array(rows)


def _shared(search: Search, active: IntArray) -> dict[tuple[int, int], list[int]]:
    """Return what several of some machines take, with their places among them."""
    takers: dict[tuple[int, int], list[int]] = {}
    for place, at in enumerate(active.tolist()):
        for one in search.choices.takes[at]:
            takers.setdefault(one, []).append(place)
    return {taken: places for taken, places in takers.items() if len(places) > 1}
