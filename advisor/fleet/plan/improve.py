"""A plan made better: machines are taken away, and their jobs planned anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import numpy as np

from advisor.base.arrays import BoolArray, IntArray
from advisor.fleet.plan.greedy import Search, greedy
from advisor.fleet.plan.loads import Loaded, loaded

_LEAST_GAIN = 1e-6
"""Dollars below which a change is rounding."""

_WORST = 8
"""Machines, the dearest for what they do, that are looked at."""

_ROUNDS = 20
_NEAREST = 6
"""Machines that are tried exactly in place of one, of those that look cheapest."""


def improved(
    search: Search,
    machines: Sequence[Loaded],
    free: BoolArray,
    allowed: Callable[[Sequence[Loaded]], bool],
) -> list[Loaded]:
    """Return machines for the same jobs that cost no more.

    In turns: one machine is exchanged for another; a machine's jobs go where others have
    time left; a machine is given to other jobs than those that have it, which are planned
    anew; one or two machines are taken away and their jobs planned anew. The first change
    that saves is made, until none does.

    Parameters
    ----------
    free : which machines could be taken at all, shape (N,)
    allowed : returns whether machines may make up a plan, beside that each is in time
    """
    best = list(machines)
    for _ in range(_ROUNDS):
        found = next(filter(allowed, _better(search, best, free)), None)
        if found is None:
            break
        best = found
    return best


def _better(
    search: Search, machines: list[Loaded], free: BoolArray
) -> Iterator[list[Loaded]]:
    """Yield plans that cost less than one."""
    usd = search.cost(machines) - _LEAST_GAIN
    for change in (_exchanged, _spread, _given, _anew):
        for found in change(search, machines, free):
            if search.cost(found) < usd:
                yield found


def _exchanged(
    search: Search, machines: list[Loaded], free: BoolArray
) -> Iterator[list[Loaded]]:
    """Yield plans with better machines for the same loads, all at once."""
    left = _left_free(search, machines, free)
    found, changed = list(machines), False
    for place, one in enumerate(machines):
        other = _instead_of(search, one, left)
        if other is not None:
            found[place], changed = other, True
            left = _left_free(search, found, free)
    if changed:
        yield found


def _instead_of(search: Search, one: Loaded, free: BoolArray) -> Loaded | None:
    """Return a cheaper machine for a load; None: there is none."""
    return next(_cheaper(search, one, free), None)


def _cheaper(search: Search, one: Loaded, free: BoolArray) -> Iterator[Loaded]:
    """Yield cheaper machines for a load, of those that look cheapest."""
    choices = search.choices
    some = one.load > 0
    able = free & choices.runs[some].all(axis=0)
    hours = np.where(able, one.load[some] @ np.where(able, choices.job_h[some], 0.0), 0.0)
    usd = choices.setup_usd + one.load[some] @ np.where(able, choices.job_usd[some], 0.0)
    able &= choices.setup_h + hours / choices.slots <= choices.limit_h
    usd = np.where(able, usd, np.inf)
    for at in np.argsort(usd)[:_NEAREST].tolist():
        if usd[at] >= one.usd - _LEAST_GAIN:
            break
        other = loaded(choices, at, one.load, search.z)
        if other.in_time and other.usd < one.usd - _LEAST_GAIN:
            yield other


def _spread(
    search: Search,
    machines: list[Loaded],
    free: BoolArray,  # noqa: ARG001  (one of the changes)
) -> Iterator[list[Loaded]]:
    """Yield plans with one machine less, its jobs on the others as far as they go."""
    for place in _by_cost(search, machines)[:_WORST]:
        found = _without(search, machines, place)
        if found is not None:
            yield found


def _without(search: Search, machines: list[Loaded], place: int) -> list[Loaded] | None:
    """Return the machines without one, if the others have time for its jobs."""
    others = [one for at, one in enumerate(machines) if at != place]
    for kind in np.flatnonzero(machines[place].load).tolist():
        left = int(machines[place].load[kind])
        for at, one in enumerate(others):
            more = _most_more(search, one, kind, left)
            if more:
                load = one.load.copy()
                load[kind] += more
                others[at] = loaded(search.choices, one.at, load, search.z)
                left -= more
            if not left:
                break
        if left:
            return None
    return others


def _most_more(search: Search, one: Loaded, kind: int, wanted: int) -> int:
    """Return how many more jobs of a kind a machine takes, `wanted` at most."""
    if not np.isfinite(search.choices.job_h[kind, one.at]):
        return 0
    least, most = 0, wanted
    while least < most:
        middle = (least + most + 1) // 2
        load = one.load.copy()
        load[kind] += middle
        if loaded(search.choices, one.at, load, search.z).in_time:
            least = middle
        else:
            most = middle - 1
    return least


def _given(
    search: Search, machines: list[Loaded], free: BoolArray
) -> Iterator[list[Loaded]]:
    """Yield plans in which some jobs have the machine of others, which go elsewhere."""
    for place in _by_cost(search, machines)[:_WORST]:
        others = [one for at, one in enumerate(machines) if at != place]
        for other in _cheaper(search, machines[place], free):
            rivals = {*search.rivals[other.at].tolist()}
            kept = [one for one in others if one.at not in rivals]
            if len(kept) == len(others):
                continue  # nobody has it: it was looked at as it is
            out: IntArray = np.sum(
                [one.load for one in others if one.at in rivals], axis=0
            )
            kept.append(other)
            more, left = greedy(search, out, _left_free(search, kept, free))
            if not left.any():
                yield kept + more


def _anew(
    search: Search, machines: list[Loaded], free: BoolArray
) -> Iterator[list[Loaded]]:
    """Yield plans in which one or two machines are others."""
    order = _by_cost(search, machines)[:_WORST]
    for group in [*((place,) for place in order), *combinations(order, 2)]:
        kept = [one for at, one in enumerate(machines) if at not in group]
        load: IntArray = np.sum([machines[at].load for at in group], axis=0)
        more, left = greedy(search, load, _left_free(search, kept, free))
        if not left.any():
            yield kept + more


def _by_cost(search: Search, machines: Sequence[Loaded]) -> list[int]:
    """Return the places of machines, the dearest for what they do first."""
    choices = search.choices
    best = np.min(np.where(choices.runs, choices.job_usd, np.inf), axis=1)
    dear = [
        (one.usd + search.usd_per_machine) / float(one.load @ best) for one in machines
    ]
    return sorted(range(len(machines)), key=lambda at: -dear[at])


def _left_free(search: Search, machines: Sequence[Loaded], free: BoolArray) -> BoolArray:
    """Return which machines can still be taken beside some."""
    left = free.copy()
    for one in machines:
        left[search.rivals[one.at]] = False
    return left
