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
            (here,) = np.nonzero(np.isfinite(choices.job_h[kind]))
            alike = np.full(len(here), kind)
            room, able = room_for(choices, here, alike, empty(choices, here), search.z)
            whole = choices.slots[here] * np.floor(room + _ROUNDED)
            most[place, here] = np.where(able, np.minimum(whole, jobs[kind]), 0.0)
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

    @property
    def least_usd(self) -> float:
        """What the jobs cost if each could run where it is cheapest, and nothing once."""
        usd = np.where(self.most > 0.0, self.usd, np.inf).min(axis=1)
        return float(self.jobs @ usd)

    def pairs(self, active: IntArray) -> int:
        """Return how many pairs there are of a kind and one of some machines."""
        return int(np.count_nonzero(self.most[:, active]))


@dataclass(frozen=True, slots=True)
class Rows:
    """The program over some machines, A of them, on which P pairs of a kind run.

    The variables are y of each machine, x of each pair, e and r.

    Attributes
    ----------
    cost, low, high, whole : of each variable
    at_most, limits : rows that are no more than their limits
    cover : rows that are the jobs of each kind
    number : row of `at_most` that counts the machines; None: nobody does
    shared : GPU or offer that several of them take -> row of `at_most`
    kind, machine : places of the kind and of the machine of each pair, shape (P,)
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
    kind: IntArray
    machine: IntArray
    kinds: int
    machines: int

    def jobs_in(self, solution: FloatArray) -> FloatArray:
        """Return the jobs of each kind on each machine, shape (K, A)."""
        jobs = np.zeros((self.kinds, self.machines))
        first = self.machines
        jobs[self.kind, self.machine] = solution[first : first + len(self.kind)]
        return jobs

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
        most = figures.most[:, active]
        kind, machine = np.nonzero(most)
        kinds, count, pairs = len(figures.kinds), len(active), len(kind)
        pair = np.arange(pairs)
        x = count + pair
        rows = Matrix()
        # The time of all slots, and whole jobs of one kind.
        rows.add(np.arange(count), np.arange(count), -figures.time[active])
        rows.add(machine, x, figures.each[:, active][kind, machine])
        rows.end(np.zeros(count))
        rows.add(pair, machine, -most[kind, machine])
        rows.add(pair, x, np.ones(pairs))
        rows.end(np.zeros(pairs))
        number, shared = None, {}
        if max_machines is not None:
            number = rows.count
            rows.add(np.zeros(count, dtype=np.int64), np.arange(count), np.ones(count))
            rows.end(np.array([float(max_machines)]))
        for taken, places in shared_by(search, active).items():
            shared[taken] = rows.count
            once = np.zeros(len(places), dtype=np.int64)
            rows.add(once, np.array(places), np.ones(len(places)))
            rows.end(np.ones(1))
        cost = [figures.once[active], figures.usd[:, active][kind, machine]]
        high = [np.ones(count), most[kind, machine]]
        whole = [np.ones(count + pairs)]
        if idle:
            _idle(rows, search, figures, active, (kind, machine))
            cost += [search.choices.usd_per_h[active], np.zeros(count)]
            high.append(np.full(2 * count, np.inf))
            whole += [np.zeros(count), np.ones(count)]
        cover = Matrix()
        cover.add(kind, x, np.ones(pairs))
        cover.end(figures.jobs.astype(np.float64))
        width = sum(map(len, cost))
        return cls(
            cost=np.concatenate(cost),
            low=np.zeros(width),
            high=np.concatenate(high),
            whole=np.concatenate(whole).astype(np.int64),
            at_most=rows.sparse(width),
            limits=rows.limits,
            cover=cover.sparse(width),
            number=number,
            shared=shared,
            kind=kind,
            machine=machine,
            kinds=kinds,
            machines=count,
        )


class Matrix:
    """Rows of a sparse matrix with their limits, some at a time."""

    def __init__(self) -> None:
        self.count = 0
        self._parts: list[tuple[IntArray, IntArray, FloatArray]] = []
        self._limits: list[FloatArray] = []

    def add(self, row: IntArray, column: IntArray, value: FloatArray) -> None:
        """Add elements to the rows that `end` has not ended yet, counted from 0."""
        self._parts.append((self.count + row, column, value))

    def end(self, limits: FloatArray) -> None:
        """End as many rows as there are limits."""
        self._limits.append(limits)
        self.count += len(limits)

    @property
    def limits(self) -> FloatArray:
        """Limits of all rows."""
        return np.concatenate(self._limits)

    def sparse(self, width: int) -> Any:
        """Return the matrix."""
        from scipy import sparse  # noqa: PLC0415  (start-up)

        row, column, value = map(np.concatenate, zip(*self._parts, strict=True))
        return sparse.csr_array((value, (row, column)), shape=(self.count, width))


def _idle(
    rows: Matrix,
    search: Search,
    figures: Figures,
    active: IntArray,
    pairs: tuple[IntArray, IntArray],
) -> None:
    """Add the rows that say how long slots are idle, at least.

    The fullest slot runs as many jobs as any, none shorter than the shortest.
    """
    choices, count = search.choices, len(active)
    kind, machine = pairs
    here = np.arange(count)
    x = count + np.arange(len(kind))
    e, r = count + len(kind) + here, 2 * count + len(kind) + here
    hours = choices.job_h[figures.kinds[kind], active[machine]]
    shortest = np.full(count, np.inf)
    np.minimum.at(shortest, machine, hours)
    slots = choices.slots[active].astype(np.float64)
    rows.add(machine, x, -hours / slots[machine])
    rows.add(here, e, -np.ones(count))
    rows.add(here, r, np.where(np.isfinite(shortest), shortest, 0.0))
    rows.end(np.zeros(count))
    rows.add(machine, x, 1.0 / slots[machine])
    rows.add(here, r, -np.ones(count))
    rows.end(np.zeros(count))


def shared_by(search: Search, active: IntArray) -> dict[tuple[int, int], list[int]]:
    """Return what several of some machines take, with their places among them."""
    takers: dict[tuple[int, int], list[int]] = {}
    for place, at in enumerate(active.tolist()):
        for one in search.choices.takes[at]:
            takers.setdefault(one, []).append(place)
    return {taken: places for taken, places in takers.items() if len(places) > 1}
