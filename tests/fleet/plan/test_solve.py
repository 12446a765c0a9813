"""Plans over made-up machines: laws, and the bound that no plan is below."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.fleet.plan.choices import Choices
from advisor.fleet.plan.loads import loaded, probability_in_time, slots_of, z_of
from advisor.fleet.plan.solve import (
    Solution,
    Task,
    bounded,
    least_deadline_h,
    separate_usd,
    solved,
)

Make = Callable[..., Choices]

FIXTURES = [HealthCheck.function_scoped_fixture]  # they only return a function


def drawn(
    draw: st.DrawFn, make: Make, kinds: int, spread: float, count: int | None = None
) -> Choices:
    count = count or draw(st.integers(2, 8))
    tenths = st.integers(1, 40).map(lambda tenth: tenth / 10.0)

    def row() -> list[float]:
        return draw(st.lists(tenths, min_size=count, max_size=count))

    hours = np.array([row() for _ in range(kinds)])
    slots = draw(st.lists(st.sampled_from([1, 1, 2, 4]), min_size=count, max_size=count))
    return make(
        hours,
        row(),
        row(),
        slots,
        job_sd_h=spread * hours,
        job_var_h2=(spread * hours) ** 2,
    )


def is_whole(task: Task, found: Solution) -> None:
    """Check that each job is on a machine, and that no two take the same GPUs."""
    loads = np.sum([one.load for one in found.machines], axis=0)
    assert loads.tolist() == task.jobs.tolist()
    taken = [gpu for one in found.machines for gpu in task.choices.takes[one.at]]
    assert len(taken) == len({*taken})


@pytest.mark.slow
@settings(deadline=None, max_examples=30, suppress_health_check=FIXTURES)
@given(data=st.data())
def test_a_plan_is_whole_in_time_and_no_cheaper_than_the_bound(
    choices_of: Make, data: st.DataObject
) -> None:
    """Whatever the machines: every job once, and the bound is below the cost."""
    choices = data.draw(
        st.composite(drawn)(choices_of, data.draw(st.integers(1, 3)), 0.2)
    )
    jobs = np.array([data.draw(st.integers(1, 9)) for _ in choices.job_h])
    deadline_h = data.draw(st.sampled_from([12.0, 40.0, math.inf]))
    task = Task.of(choices, jobs, 0.9)
    found = solved(task, deadline_h)
    if found is None:
        return
    is_whole(task, found)
    assert all(one.in_time for one in found.machines)
    if math.isfinite(deadline_h):
        assert found.probability >= 0.9
    better, least = bounded(task, deadline_h, found)
    is_whole(task, better)
    assert least <= better.usd <= found.usd


@pytest.mark.slow
@settings(deadline=None, max_examples=30, suppress_health_check=FIXTURES)
@given(data=st.data())
def test_no_plan_at_all_is_below_the_bound(choices_of: Make, data: st.DataObject) -> None:
    """Of a few jobs on a few machines all plans are tried."""
    hours = data.draw(st.lists(st.integers(1, 6), min_size=3, max_size=3))
    price = data.draw(st.lists(st.integers(1, 5), min_size=3, max_size=3))
    once = data.draw(st.lists(st.integers(1, 4), min_size=3, max_size=3))
    slots = data.draw(st.lists(st.sampled_from([1, 2]), min_size=3, max_size=3))
    choices = choices_of(hours, price, once, slots)
    task = Task.of(choices, np.array([5]), 0.9)
    found = solved(task, 14.0)
    costs = [usd_of(choices.within(14.0), split) for split in product(range(6), repeat=3)]
    cheapest = min(costs)
    if found is None:
        assert math.isinf(cheapest)
        return
    better, least = bounded(task, 14.0, found)
    assert least <= cheapest + 1e-6
    assert better.usd == pytest.approx(cheapest)


@pytest.mark.slow
@settings(deadline=None, max_examples=20, suppress_health_check=FIXTURES)
@given(data=st.data())
def test_no_plan_of_mixed_jobs_is_below_the_bound(
    choices_of: Make, data: st.DataObject
) -> None:
    """Of two kinds on three machines all plans in time are tried, however close."""
    choices = data.draw(st.composite(drawn)(choices_of, 2, 0.2, count=3))
    jobs, most = np.array([3, 2]), data.draw(st.sampled_from([None, 2]))
    task = Task.of(choices, jobs, 0.9, most)
    deadline_h = data.draw(st.sampled_from([6.0, 9.0, 14.0]))
    found = solved(task, deadline_h)
    cheapest = min(
        usd_in_time(task, loads, deadline_h)
        for loads in product(product(range(4), range(3)), repeat=3)
        if np.sum(loads, axis=0).tolist() == jobs.tolist()
    )
    if found is None:
        return  # a search finds not every plan
    better, least = bounded(task, deadline_h, found)
    assert most is None or len(better.machines) <= most
    assert least <= cheapest + 1e-6
    assert cheapest <= better.usd + 1e-9


def usd_in_time(
    task: Task, loads: tuple[tuple[int, ...], ...], deadline_h: float
) -> float:
    """Return what loads cost; infinite where they are too many, or likely late."""
    machines = [
        loaded(task.choices, at, np.array(load), 0.0)
        for at, load in enumerate(loads)
        if any(load)
    ]
    if task.max_machines is not None and len(machines) > task.max_machines:
        return math.inf
    late = probability_in_time(task.choices, machines, deadline_h) < task.probability
    return math.inf if late else sum(one.usd for one in machines)


def test_where_one_slot_may_be_late_others_need_not_be(choices_of: Make) -> None:
    """Four jobs: two on one machine are likely in time, on each of two they are not."""
    var_h2 = np.ones((1, 6))
    choices = choices_of([[5.0] * 6], [1.0] * 6, [0.0] * 6, [1] * 6, job_var_h2=var_h2)
    choices = replace(choices, setup_usd=np.full(6, 3.0))
    task = Task.of(choices, np.array([4]), 0.9)
    found = solved(task, 12.0)
    assert found is not None
    better, least = bounded(task, 12.0, found)
    assert sorted(int(one.load[0]) for one in better.machines) == [1, 1, 2]
    assert better.probability >= 0.9
    assert least <= better.usd


def test_work_goes_to_the_machine_on_which_it_saves_most(choices_of: Make) -> None:
    """A machine that is best for two workloads is not lost to the smaller one."""
    # Two machines, of which each workload has choices of its own: the small one first,
    # which fills the slots of the better machine evenly, and so seems to suit it best.
    some, none = [0.01, 0.011], [math.inf, math.inf]
    choices = choices_of(
        [[*some, *none], [*none, 1.0, 5.0]],
        [1.0] * 4,
        [0.1] * 4,
        [2] * 4,
        takes=tuple(frozenset({(at % 2, -1)}) for at in range(4)),
    )
    found = solved(Task.of(choices, np.array([2, 3]), 0.9), math.inf)
    assert found is not None
    assert sorted(one.at for one in found.machines) == [1, 2]


def usd_of(choices: Choices, split: tuple[int, ...]) -> float:
    """Return what a split of 5 jobs costs; infinite where it is none, or late."""
    if sum(split) != 5:
        return math.inf
    machines = [
        loaded(choices, at, np.array([jobs]), z_of(0.9))
        for at, jobs in enumerate(split)
        if jobs
    ]
    late = any(not one.in_time for one in machines)
    return math.inf if late else sum(one.usd for one in machines)


def test_what_is_set_up_once_is_shared(choices_of: Make) -> None:
    """Ten jobs on one machine pay its start once; each on its own pays ten."""
    choices = choices_of([[1.0, 1.1]], [1.0, 1.0], [2.0, 2.0], [1, 1])
    task = Task.of(choices, np.array([10]), 0.9)
    found = solved(task, math.inf)
    assert found is not None
    assert [one.load.tolist() for one in found.machines] == [[10]]
    assert found.usd == pytest.approx(12.0)
    assert separate_usd(task) == pytest.approx(30.0)


def test_a_deadline_takes_more_machines(choices_of: Make) -> None:
    """As many as are needed, and no more than are allowed."""
    choices = choices_of([[1.0] * 6], [1.0] * 6, [1.0] * 6, [1] * 6)
    jobs = np.array([10])
    found = solved(Task.of(choices, jobs, 0.9), 6.0)
    assert found is not None
    assert len(found.machines) == 2
    few = Task.of(choices, jobs, 0.9, max_machines=1)
    assert solved(few, 6.0) is None
    least = least_deadline_h(few)
    assert least == pytest.approx(11.0, rel=0.02)
    assert least is not None
    assert solved(few, least) is not None


def test_few_machines_are_faster_ones(choices_of: Make) -> None:
    """Where their number is limited, dearer machines are taken that do more."""
    choices = choices_of([[4.0, 4.0, 4.0, 1.0]], [1.0, 1.0, 1.0, 8.0], [0.5] * 4, [1] * 4)
    jobs = np.array([6])
    free = solved(Task.of(choices, jobs, 0.9), 9.0)
    one = solved(Task.of(choices, jobs, 0.9, max_machines=1), 9.0)
    assert free is not None
    assert one is not None
    assert len(free.machines) == 3
    assert [machine.at for machine in one.machines] == [3]
    assert one.usd > free.usd


def test_offers_that_share_gpus_are_not_both_taken(choices_of: Make) -> None:
    """The same GPU is in two offers, and is had once."""
    shared = frozenset({(1, 0)})
    takes = (shared | {(1, -1)}, shared | {(2, -1)}, frozenset({(3, -1)}))
    choices = choices_of([[1.0] * 3], [1.0, 1.0, 5.0], [0.1] * 3, [1] * 3, takes=takes)
    task = Task.of(choices, np.array([8]), 0.9)
    found = solved(task, 5.0)
    assert found is not None
    is_whole(task, found)
    assert any(one.at == 2 for one in found.machines)


def test_slots_are_filled_longest_first_and_idle_ones_are_paid(choices_of: Make) -> None:
    """Two slots, jobs of 3, 2 and 2 hours: 4 hours, of which one slot idles 1."""
    choices = choices_of([[3.0], [2.0]], [2.0], [0.0], [2])
    load = np.array([1, 2])
    assert sorted(slots_of(choices, 0, load).mean.tolist()) == [3.0, 4.0]
    one = loaded(choices, 0, load, 0.0)
    assert one.hours == 4.0
    assert one.usd == pytest.approx(2.0 * 4.0)


def test_the_probability_is_what_a_simulation_finds(choices_of: Make) -> None:
    """A common error of the throughput, and one of each slot: 20,000 draws."""
    choices = choices_of(
        [[2.0, 3.0]],
        [1.0, 1.0],
        [1.0, 1.0],
        [1, 2],
        job_sd_h=np.array([[0.4, 0.7]]),
        job_var_h2=np.array([[0.3, 0.2]]),
    )
    machines = [loaded(choices, at, np.array([4]), 0.0) for at in (0, 1)]
    found = probability_in_time(choices, machines, 11.0)
    draw = np.random.default_rng(4)
    common, own = draw.normal(size=(20_000, 1)), draw.normal(size=(20_000, 3))
    mean, sd = np.array([9.0, 7.0, 7.0]), np.array([1.6, 1.4, 1.4])
    alone = np.sqrt([1.2, 0.4, 0.4])
    share = ((mean + sd * common + alone * own) <= 11.0).all(axis=1).mean()
    assert found == pytest.approx(share, abs=0.015)


def test_a_wider_distance_is_more_likely_in_time() -> None:
    """Of one slot the normal quantile, of more a greater one."""
    assert z_of(0.9) == pytest.approx(1.2816, abs=1e-4)
    assert z_of(0.9, 10) == pytest.approx(2.3087, abs=1e-3)
