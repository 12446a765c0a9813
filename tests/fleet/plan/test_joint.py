"""Plans of one kind of job, all of whose slots are in time: beside all there are."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.fleet.plan.choices import Choices
from advisor.fleet.plan.joint import joint_bound
from advisor.fleet.plan.loads import loaded, probability_in_time, z_of
from advisor.fleet.plan.solve import Task

JOBS, DEADLINE_H, PROBABILITY = 5, 14.0, 0.9
TENTHS = st.integers(1, 40).map(lambda tenth: tenth / 10.0)


def plans(choices: Choices, z: float) -> list[float]:
    """Return what every plan costs that is in time with the probability asked for."""
    found = []
    for split in product(range(JOBS + 1), repeat=len(choices)):
        if sum(split) != JOBS:
            continue
        machines = [
            loaded(choices, at, np.array([number]), z)
            for at, number in enumerate(split)
            if number
        ]
        chance = probability_in_time(choices, machines, DEADLINE_H)
        if chance >= PROBABILITY and all(one.in_time for one in machines):
            found.append(sum(one.usd for one in machines))
    return found


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_plan_is_below_the_bound_and_what_is_found_is_in_time(
    choices_of: Callable[..., Choices], data: st.DataObject
) -> None:
    """Errors that all slots share and those of each, small and large."""

    def row() -> list[float]:
        return data.draw(st.lists(TENTHS, min_size=3, max_size=3))

    hours = np.array([row()])
    choices = choices_of(
        hours,
        row(),
        row(),
        data.draw(st.lists(st.sampled_from([1, 2]), min_size=3, max_size=3)),
        job_sd_h=data.draw(st.sampled_from([0.0, 0.1, 0.4])) * hours,
        job_var_h2=data.draw(st.sampled_from([0.01, 0.1, 0.4])) * hours**2,
    )
    task = Task.of(choices, np.array([JOBS]), PROBABILITY)
    search = task.search(DEADLINE_H, z_of(PROBABILITY))
    costs = plans(search.choices, search.z)
    if not costs:
        return
    cheapest = min(costs)
    found = joint_bound(
        search, task.jobs, DEADLINE_H, PROBABILITY, 1.5 * cheapest, task.max_machines
    )
    assert found.usd <= cheapest * (1.0 + 1e-6)
    if found.machines:
        chance = probability_in_time(search.choices, found.machines, DEADLINE_H)
        assert chance >= PROBABILITY - 1e-6
        usd = sum(one.usd for one in found.machines)
        assert usd >= cheapest * (1.0 - 1e-6)


def test_jobs_of_several_kinds_have_no_such_bound(
    choices_of: Callable[..., Choices],
) -> None:
    """Zero says nothing."""
    choices = choices_of([[1.0], [2.0]], [1.0], [1.0], [1])
    task = Task.of(choices, np.array([1, 1]), PROBABILITY)
    search = task.search(DEADLINE_H, z_of(PROBABILITY))
    found = joint_bound(search, task.jobs, DEADLINE_H, PROBABILITY, 99.0, None)
    assert (found.usd, found.machines) == (0.0, ())
