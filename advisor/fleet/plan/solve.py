"""The cheapest machines that run all jobs in time, as far as a search finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from advisor.base.arrays import IntArray, ascending
from advisor.fleet.plan.bound import Bound, bound
from advisor.fleet.plan.choices import Choices
from advisor.fleet.plan.greedy import Search, greedy, rivals_of, usd_of_full
from advisor.fleet.plan.improve import improved
from advisor.fleet.plan.joint import joint_bound
from advisor.fleet.plan.loads import Loaded, probability_in_time, z_of

_TRIES = 14
"""How often the distance to the deadline is widened for more slots."""

_HALVINGS = 2
"""How often it is narrowed again between what was too little and what is enough."""

_DOUBLINGS = 14
"""How often what a machine counts for is doubled, for fewer machines."""

_PROMISING = 500
"""Machines among which a plan is searched for first."""

_STEPS = 8
"""Halvings between a deadline that can be kept and one that cannot."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be planned.

    Attributes
    ----------
    choices : machines that can be had
    rivals : of each the machines that cannot be had beside it
    jobs : of each kind, shape (K,)
    probability : that all of them are in time
    max_machines : machines at most; None: any number
    """

    choices: Choices
    rivals: tuple[IntArray, ...]
    jobs: IntArray
    probability: float
    max_machines: int | None = None

    @classmethod
    def of(
        cls,
        choices: Choices,
        jobs: IntArray,
        probability: float,
        max_machines: int | None = None,
    ) -> Task:
        """Return a task over these machines."""
        return cls(choices, rivals_of(choices), jobs, probability, max_machines)

    def search(self, deadline_h: float, z: float) -> Search:
        """Return what is searched for within a deadline."""
        return Search(self.choices.within(deadline_h), self.rivals, z)


@dataclass(frozen=True, slots=True)
class Solution:
    """Machines with their loads.

    Attributes
    ----------
    machines : with their loads
    usd : what they cost, $
    z : standard deviations that each slot keeps from its limit, or kept in the search
    probability : that all are in time, at least; 1 without a deadline
    """

    machines: tuple[Loaded, ...]
    usd: float
    z: float
    probability: float


def solved(task: Task, deadline_h: float, *, improve: bool = True) -> Solution | None:
    """Return machines that run all jobs within a deadline; None: none are found.

    Parameters
    ----------
    deadline_h : infinite: none
    improve : a cheap plan is searched for, among all machines; else any one is, among
        those that are promising
    """
    if np.isinf(deadline_h):
        return _with_distance(task, deadline_h, z_of(task.probability), improve=improve)
    slots, failed = 1, None
    for _ in range(_TRIES):
        z = z_of(task.probability, slots)
        found = _with_distance(task, deadline_h, z, improve=False)
        if improve and (found is None or found.probability >= task.probability):
            found = _with_distance(task, deadline_h, z, improve=True) or found
        if found is None:
            return None
        if found.probability >= task.probability:
            return _nearer(task, deadline_h, found, failed) if improve else found
        failed, slots = z, 2 * slots
        if slots > 4 * sum(int(task.choices.slots[one.at]) for one in found.machines):
            break  # so great a distance would do if any did
    return None


def _nearer(
    task: Task, deadline_h: float, found: Solution, failed: float | None
) -> Solution:
    """Return a cheaper solution that keeps a lesser distance, if one is in time.

    Parameters
    ----------
    failed : a distance that was too little; None: the least was enough
    """
    for _ in range(_HALVINGS if failed is not None else 0):
        middle = ((failed or 0.0) + found.z) / 2.0
        other = _with_distance(task, deadline_h, middle, improve=True)
        if other is None or other.probability < task.probability:
            failed = middle
        elif other.usd < found.usd:
            found = other
    return found


def _closer(task: Task, deadline_h: float, found: Solution) -> Solution:
    """Return a cheaper solution some of whose slots keep less, if one is in time.

    Where some slots have time to spare, others may be late more often.
    """
    z = z_of(task.probability)
    if found.z <= z or np.isinf(deadline_h):
        return found
    search = task.search(deadline_h, z)
    taken = np.array([one.at for one in found.machines], dtype=np.int64)
    places = np.union1d(_promising(search, task.jobs), taken)
    some = search.choices.take(places)

    def in_time(machines: Sequence[Loaded]) -> bool:
        few = task.max_machines is None or len(machines) <= task.max_machines
        return few and probability_in_time(some, machines, deadline_h) >= task.probability

    machines = improved(
        Search(some, rivals_of(some), z),
        [
            replace(one, at=int(place))
            for one, place in zip(
                found.machines, np.searchsorted(places, taken), strict=True
            )
        ],
        np.ones(len(some), dtype=bool),
        in_time,
    )
    back = tuple(replace(one, at=int(places[one.at])) for one in machines)
    return _solution(task, deadline_h, found.z, back)


def bounded(task: Task, deadline_h: float, solution: Solution) -> tuple[Solution, float]:
    """Return the better of a solution and the solver's, and what none can cost less than.

    The solver is asked for machines that keep the same distance from their limits. The
    bound is that of all plans: where all slots are in time with the probability asked
    for, each of them alone is, too, and keeps the distance of one slot at least.
    """
    found = _bound(task, deadline_h, solution, solution.z)
    solution = _closer(task, deadline_h, _cheaper(task, deadline_h, solution, found))
    least_z = z_of(task.probability)
    if solution.z > least_z:
        found = _bound(task, deadline_h, solution, least_z)
        solution = _cheaper(task, deadline_h, solution, found)
        together = _joint_bound(task, deadline_h, solution, least_z)
        solution = _cheaper(task, deadline_h, solution, together)
        found = max(found, together, key=lambda one: one.usd)
    return solution, min(found.usd, solution.usd)


def _bound(task: Task, deadline_h: float, solution: Solution, z: float) -> Bound:
    search, free = task.search(deadline_h, z), np.ones(len(task.choices), dtype=bool)
    return bound(search, task.jobs, free, solution.machines, task.max_machines)


def _joint_bound(task: Task, deadline_h: float, solution: Solution, z: float) -> Bound:
    return joint_bound(
        task.search(deadline_h, z),
        task.jobs,
        deadline_h,
        task.probability,
        solution.usd,
        task.max_machines,
    )


def _cheaper(task: Task, deadline_h: float, solution: Solution, found: Bound) -> Solution:
    """Return the solver's machines where they cost less, and are in time."""
    if not found.machines:
        return solution
    other = _solution(task, deadline_h, solution.z, found.machines)
    in_time = np.isinf(deadline_h) or other.probability >= task.probability
    return other if in_time and other.usd < solution.usd else solution


def least_deadline_h(task: Task) -> float | None:
    """Return about the shortest deadline that can be kept; None: not even none can."""
    choices = task.choices
    alone = np.where(choices.runs, choices.setup_h + choices.job_h, np.inf).min(axis=1)
    low, high = float(alone[task.jobs > 0].max()), _enough_h(task)
    if solved(task, high, improve=False) is None and solved(task, high) is None:
        return None
    for _ in range(_STEPS):
        middle = float(np.sqrt(low * high))
        if solved(task, middle, improve=False) is None:
            low = middle
        else:
            high = middle
    return high


def separate_usd(task: Task) -> float:
    """Return what the jobs cost, each on a machine of its own: the cheapest for it."""
    choices = task.choices
    # The slots that one job leaves idle are paid, too.
    idle_h = np.where(choices.runs, choices.job_h, 0.0) * (1.0 - 1.0 / choices.slots)
    usd = choices.setup_usd + choices.job_usd + choices.usd_per_h * idle_h
    some = task.jobs > 0
    return float(task.jobs[some] @ usd[some].min(axis=1))


def _enough_h(task: Task) -> float:
    """Return hours that are enough, if any are: all that machines can be had for."""
    choices = task.choices
    work = np.where(choices.runs, choices.job_h, 0.0)
    spread = np.where(choices.runs, choices.job_sd_h, 0.0)
    all_h = choices.setup_h + task.jobs @ (work + 6.0 * spread)
    luck = 6.0 * np.sqrt(task.jobs @ np.where(choices.runs, choices.job_var_h2, 0.0))
    return float(np.max(all_h + luck))


def _with_distance(
    task: Task, deadline_h: float, z: float, *, improve: bool
) -> Solution | None:
    """Return machines that keep a distance from their limits; None: none are found."""
    search = task.search(deadline_h, z)
    places = _promising(search, task.jobs)
    some = search.choices.take(places)
    machines = _few_enough(Search(some, rivals_of(some), z), task, improve=improve)
    if machines is not None:
        machines = tuple(replace(one, at=int(places[one.at])) for one in machines)
    elif improve and len(places) < len(task.choices):
        machines = _few_enough(search, task, improve=True)
    return None if machines is None else _solution(task, deadline_h, z, machines)


def _solution(
    task: Task, deadline_h: float, z: float, machines: tuple[Loaded, ...]
) -> Solution:
    chance = 1.0
    if np.isfinite(deadline_h):
        chance = probability_in_time(task.choices, machines, deadline_h)
    return Solution(machines, sum(one.usd for one in machines), z, chance)


def _few_enough(
    search: Search, task: Task, *, improve: bool
) -> tuple[Loaded, ...] | None:
    """Return machines for all jobs, as many as are allowed; None: none are found.

    A machine counts for more and more, until there are few enough.
    """
    found, most = _filled(search, task), task.max_machines
    if found is None:
        return None
    if most is not None and len(found) > most:
        each = search.cost(found) / len(found)
        counted = _counted(search, task, most, each)
        if counted is None:
            return None
        search, found = counted
    if not improve:
        return found
    free = np.ones(len(search.choices), dtype=bool)

    def few(machines: Sequence[Loaded]) -> bool:
        return most is None or len(machines) <= most

    return tuple(improved(search, found, free, few))


def _counted(
    search: Search, task: Task, most: int, each: float
) -> tuple[Search, tuple[Loaded, ...]] | None:
    """Return machines that are few enough, and the search in which they count for so.

    Parameters
    ----------
    each : what a machine costs where any number may be taken, $
    """
    low, high, best = 0.0, each / 4.0, None
    for _ in range(_DOUBLINGS):
        dearer = replace(search, usd_per_machine=high)
        tried = _filled(dearer, task)
        if tried is not None and len(tried) <= most:
            best = dearer, tried
            break
        low, high = high, 2.0 * high
    for _ in range(_STEPS if best is not None else 0):
        middle = (low + high) / 2.0
        dearer = replace(search, usd_per_machine=middle)
        tried = _filled(dearer, task)
        if tried is None or len(tried) > most:
            low = middle
            continue
        high = middle
        if best is None or search.cost(tried) < search.cost(best[1]):
            best = dearer, tried
    return best


def _filled(search: Search, task: Task) -> tuple[Loaded, ...] | None:
    """Return machines for all jobs; None: those that are free do not suffice."""
    free = np.ones(len(search.choices), dtype=bool)
    machines, left = greedy(search, task.jobs, free)
    return None if left.any() else tuple(machines)


def _promising(search: Search, jobs: IntArray) -> IntArray:
    """Return the machines that a cheap plan takes some of, as far as can be told.

    For each kind those on which it costs least, and those that run most of it in time.
    """
    choices, count = search.choices, len(search.choices)
    best = np.full(count, count)
    usd = usd_of_full(search, jobs, np.ones(count, dtype=bool))
    for kind in np.flatnonzero(jobs).tolist():
        # The best of the places that a machine has among all, for one kind or another.
        (here,) = np.nonzero(np.isfinite(choices.job_h[kind]))
        job_h = choices.job_h[kind, here] / choices.slots[here]
        for order, worth in ((usd[kind, here], 1), (job_h, 2)):
            places = here[np.argsort(order, kind="stable")]
            best[places] = np.minimum(best[places], worth * np.arange(len(places)))
    return ascending(np.argsort(best, kind="stable")[:_PROMISING])
