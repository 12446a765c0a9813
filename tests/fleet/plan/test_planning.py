"""Plans over the sample market, and the rental of a planned machine."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from advisor import rank
from advisor.app.constraints import Constraints
from advisor.app.context import Context
from advisor.app.job import JobSpec
from advisor.app.markets import answer_of
from advisor.app.sweep import SweepSpec, jobs_of
from advisor.app.sweep_parts import ListedJob
from advisor.app.sweep_plan import RunningMachine, SweepPlan
from advisor.base.errors import NothingFitsError, OverBudgetError, UsageError
from advisor.fleet.plan import plan_sweep
from advisor.fleet.plan.choices import Choices
from advisor.fleet.plan.kinds import kinds_of
from advisor.fleet.plan.listing import Listing
from advisor.market.types import Query

Sweep = Callable[..., SweepSpec]

FEW = Constraints(gpus=("RTX 4090", "RTX 5070 Ti"))
"""Offers among which much is tried in little time."""


def planned(context: Context, spec: SweepSpec, **more: Any) -> SweepPlan:
    return plan_sweep(context, spec, jobs_of(spec), **{"with_curve": False, **more})


def choices_in(context: Context, spec: SweepSpec) -> Choices:
    listing = Listing.of(context, spec, kinds_of(jobs_of(spec)))
    return listing.choices(answer_of(context, "sample", listing.query))


def test_one_job_costs_what_the_ranking_says(context: Context, sweep_of: Sweep) -> None:
    """On a machine of one slot, set-up and job are the bill of `rank`; of every offer."""
    choices = choices_in(context, sweep_of(1))
    ranking = rank("resnet18", market="sample", epochs=5, disk_gb=disk_of(context))
    for at in np.flatnonzero(choices.num_gpus == 1)[:60].tolist():
        offer = ranking.find(int(choices.offer_id[at]))
        if offer.ranking.bill.planned_moves[offer.at] > 0.0:
            continue  # there the job outlasts the offer, which a plan never does
        usd = choices.setup_usd[at] + choices.job_usd[0, at]
        hours = choices.setup_h[at] + choices.job_h[0, at]
        assert usd == pytest.approx(offer.job_usd)
        assert hours == pytest.approx(offer.job_h)
        assert choices.usd_per_h[at] == pytest.approx(offer.price_usd_per_h)


def disk_of(context: Context) -> float:
    job = JobSpec("resnet18", epochs=5).job(context)
    return float(math.ceil(job.disk_gb))


def test_a_slot_is_a_share_of_its_machine(context: Context, sweep_of: Sweep) -> None:
    """Eight GPUs run eight jobs of one GPU at once, and two of four GPUs."""
    for gpus in (1, 4):
        choices = choices_in(context, sweep_of(1, gpus=gpus))
        assert (choices.slots == choices.num_gpus // gpus).all()
        assert (choices.slots > 0).all()


def test_every_job_is_on_one_machine_and_the_plan_is_near_the_bound(
    context: Context, sweep_of: Sweep
) -> None:
    """Within three per cent of the least possible, in time, cheaper than one by one."""
    spec = sweep_of(60, deadline_s=12 * 3600.0, budget_usd=30.0)
    plan = planned(context, spec)
    names = [name for one in plan.machines for name in one.jobs]
    assert sorted(names) == sorted(one.name for one in jobs_of(spec))
    assert plan.bound_usd <= plan.usd <= 1.03 * plan.bound_usd
    assert plan.usd == pytest.approx(sum(one.usd for one in plan.machines))
    assert plan.usd < plan.separate_usd
    assert plan.deadline_probability is not None
    assert plan.deadline_probability >= 0.9
    assert plan.most_usd <= 30.0
    assert plan.hours < 12.0
    assert plan.simulated


def test_lifetimes_share_what_the_budget_has_left(
    context: Context, sweep_of: Sweep
) -> None:
    """All machines to their end cost no more than the budget, and each has its time."""
    spec = sweep_of(40, deadline_s=12 * 3600.0)
    free = planned(context, spec)
    tight = planned(context, replace(spec, budget_usd=1.1 * free.usd))
    assert free.most_usd > 1.1 * free.usd
    assert tight.most_usd == pytest.approx(1.1 * free.usd)
    assert all(one.lifetime_h >= one.hours for one in tight.machines)


def test_a_budget_that_ends_machines_early_makes_a_deadline_less_likely(
    context: Context, sweep_of: Sweep
) -> None:
    """What is told is how likely all jobs are done by the machines' ends, too."""
    spec = sweep_of(40, deadline_s=12 * 3600.0)
    free = planned(context, spec)
    told = [
        planned(context, replace(spec, budget_usd=share * free.usd)).deadline_probability
        for share in (1.001, 1.05, 1.5)
    ]
    assert free.deadline_probability is not None
    assert told == sorted(told, key=float)
    assert 0.0 < told[0] < 0.7
    assert free.deadline_probability >= 0.9


def test_a_plan_is_read_as_it_was_written(context: Context, sweep_of: Sweep) -> None:
    """Through JSON; what a newer advisor wrote is refused."""
    plan = planned(context, sweep_of(20), with_curve=True)
    document = json.loads(json.dumps(plan.to_document(), allow_nan=False))
    assert SweepPlan.from_document(document) == plan
    with pytest.raises(UsageError, match="newer advisor"):
        SweepPlan.from_document({**document, "version": 99})


def test_the_curve_falls(context: Context, sweep_of: Sweep) -> None:
    """More time costs less, and the plan's own deadline is on it."""
    plan = planned(context, sweep_of(40, deadline_s=8 * 3600.0), with_curve=True)
    usd = [one.usd for one in plan.pareto]
    assert usd == sorted(usd, reverse=True)
    assert len(usd) >= 3
    assert plan.deadline_h in [one.deadline_h for one in plan.pareto]


def test_a_deadline_that_cannot_be_kept_is_refused(
    context: Context, sweep_of: Sweep
) -> None:
    """With one that can: it then is kept."""
    spec = sweep_of(40, deadline_s=2.8 * 3600.0, max_machines=3, offers=FEW)
    with pytest.raises(NothingFitsError, match="allow") as found:
        planned(context, spec)
    words = str(found.value).split()
    hours = float(words[words.index("allow") + 1])
    assert "machines" in str(found.value)
    kept = planned(context, replace(spec, deadline_s=hours * 3600.0))
    assert len(kept.machines) <= 3


@pytest.mark.slow
def test_a_budget_that_is_too_small_is_refused(context: Context, sweep_of: Sweep) -> None:
    """With one that suffices, a later deadline, and how many jobs it pays."""
    spec = sweep_of(40, deadline_s=4 * 3600.0, offers=FEW)
    dear = planned(context, spec)
    free = planned(context, replace(spec, deadline_s=None))
    between = (dear.usd + free.usd) / 2.0
    with pytest.raises(OverBudgetError) as found:
        planned(context, replace(spec, budget_usd=between))
    words = str(found.value)
    assert " h (" in words
    assert "of 40 jobs" in words
    allowed = float(words.partition("allow $")[2].partition(",")[0])
    assert allowed == pytest.approx(dear.usd, abs=0.01)
    assert planned(context, replace(spec, budget_usd=allowed)).most_usd <= allowed + 1e-9


def test_what_runs_nowhere_is_named(context: Context, sweep_of: Sweep) -> None:
    """The job, and what to do."""
    spec = sweep_of(2, gpus=512)
    with pytest.raises(NothingFitsError, match=r"seed-0 \(resnet18 on 512 GPUs\)"):
        planned(context, spec)


def test_machines_are_left_out_and_constraints_hold(
    context: Context, sweep_of: Sweep
) -> None:
    """What must not be rented is in no plan."""
    spec = sweep_of(20, offers=Constraints(gpus=("RTX 4090",)))
    first = planned(context, spec).machines[0]
    assert first.gpu_name == "RTX 4090"
    other = planned(context, spec, without={first.machine_id})
    assert first.machine_id not in {one.machine_id for one in other.machines}


def test_a_running_machine_pays_no_start_again(context: Context, sweep_of: Sweep) -> None:
    """It takes what is left before another is rented, as long as it is there."""
    spec = sweep_of(20, deadline_s=24 * 3600.0)
    planned_one = replace(planned(context, spec).machines[0], label="advisor:x:1-2")
    left = jobs_of(spec)[:8]
    there = plan_sweep(
        context, spec, left, running=[RunningMachine(planned_one, 24.0)], with_curve=False
    )
    assert [one.label for one in there.machines] == ["advisor:x:1-2"]
    anew = plan_sweep(context, spec, left, with_curve=False)
    assert there.usd < anew.usd
    ends = plan_sweep(
        context, spec, left, running=[RunningMachine(planned_one, 0.1)], with_curve=False
    )
    assert [one.label for one in ends.machines] == [""] * len(ends.machines)


def test_running_machines_do_where_the_market_has_none(
    context: Context, sweep_of: Sweep
) -> None:
    """What is left runs on them; where they have no time, there is no plan."""
    spec = sweep_of(20, deadline_s=24 * 3600.0)
    one = replace(planned(context, spec).machines[0], label="advisor:x:1-2")
    answer = replace(answer_of(context, "sample", query_of(context, spec)), records=())
    more = {"answer": answer, "with_curve": False}
    left = jobs_of(spec)[:4]
    there = plan_sweep(context, spec, left, running=[RunningMachine(one, 24.0)], **more)
    assert [machine.label for machine in there.machines] == ["advisor:x:1-2"]
    with pytest.raises(NothingFitsError):
        plan_sweep(context, spec, left, running=[RunningMachine(one, 0.1)], **more)


def query_of(context: Context, spec: SweepSpec) -> Query:
    return Listing.of(context, spec, kinds_of(jobs_of(spec))).query


@pytest.mark.parametrize("rental", ["on-demand", "interruptible"])
def test_a_machine_s_price_is_that_of_its_offer(
    context: Context, sweep_of: Sweep, rental: Any
) -> None:
    """Whole, however many slots it has; a bid is below the price on demand."""
    spec = sweep_of(2, job=JobSpec("resnet18", epochs=5, rental=rental))
    choices = choices_in(context, spec)
    listed = choices_in(context, sweep_of(2))
    price = dict(zip(listed.offer_id.tolist(), listed.usd_per_h.tolist(), strict=True))
    several = np.flatnonzero(choices.slots > 1)
    assert len(several) > 50
    for at in several.tolist():
        usual = price[int(choices.offer_id[at])]
        if rental == "on-demand":
            assert choices.usd_per_h[at] == usual
        else:
            assert 0.0 < choices.usd_per_h[at] < usual


def test_a_machine_runs_jobs_of_one_workload(context: Context, sweep_of: Sweep) -> None:
    """Two workloads have two images and two data sets: no machine runs both."""
    jobs = tuple(
        ListedJob(f"{workload}-{at}", workload=workload, epochs=1)
        for workload in ("resnet18", "bert-base")
        for at in range(6)
    )
    spec = sweep_of(grid=(), jobs=jobs, command="python train.py")
    plan = planned(context, spec)
    kinds = [{name.rsplit("-", 1)[0] for name in one.jobs} for one in plan.machines]
    assert all(len(one) == 1 for one in kinds)
    assert len({one.offer_id for one in plan.machines}) == len(plan.machines) >= 2
