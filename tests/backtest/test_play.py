"""A play bills and takes what the cost model expects, and no policy beats its own law."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.backtest.choices import Chooser, Left
from advisor.backtest.market import PlayedMarket
from advisor.backtest.play import Luck, Play
from advisor.backtest.policies import Policy
from advisor.backtest.session import Outcome
from advisor.base.errors import ArgumentError
from advisor.cost.expected import checkpoint_interval_h, checkpoint_segments, expected
from advisor.cost.hazard import failure_prior
from advisor.ranking.ranking import Ranking

Ranked = Callable[..., Ranking]
Priced = Callable[..., PlayedMarket]
NO_LUCK = Luck(seed=(1,), error=0.0, failures=1.0)
ALWAYS = (0.0, 1000.0)


def played(
    ranking: Ranking,
    market: PlayedMarket,
    policy: str,
    deadline_h: float = math.inf,
    luck: Luck = NO_LUCK,
    horizon_h: float = 900.0,
) -> Outcome:
    chooser = Chooser(market, ranking.job)
    play = Play(chooser, 0, deadline_h, horizon_h, luck)
    return play.run(Policy.read(policy).rules())


@pytest.fixture(scope="module")
def one(ranked: Ranked, sure: dict[str, Any]) -> Ranking:
    """Return a job of some hours on one machine that never fails."""
    return ranked(sure, epochs=60)


@pytest.fixture(scope="module")
def two(ranked: Ranked, sure: dict[str, Any]) -> Ranking:
    """Return the same with a second machine, of half the speed or less."""
    slow = {**sure, "id": 2, "machine_id": 8, "gpu_ids": [12], "cpu_cores_effective": 4.0}
    return ranked(sure, slow, epochs=60)


def test_on_demand_costs_and_takes_what_is_expected(one: Ranking, priced: Priced) -> None:
    """Where nothing fails there is nothing to expect but the breakdown itself."""
    outcome = played(one, priced(one, [(*ALWAYS, 0.30, 0.15)]), "on-demand")
    terms = replace(one.bill.terms, gpu_usd_per_h=np.array([0.30]))
    training_h = one.bill.epoch_hours * 60
    breakdown = expected(
        terms, training_h, np.ones(1), one.job.assumptions, failures_per_h=np.zeros(1)
    )
    assert outcome.is_done
    assert outcome.machines == 1
    assert outcome.hours == pytest.approx(breakdown.wall_h[0], rel=1e-9)
    assert outcome.usd == pytest.approx(breakdown.usd[0], rel=1e-9)


def test_failures_cost_what_is_expected_on_average(
    ranked: Ranked, priced: Priced, sure: dict[str, Any]
) -> None:
    """Over 1,500 plays, on a machine that fails three times in a job, within 3 %."""
    ranking = ranked(
        {**sure, "reliability": 0.9}, epochs=60, repair_h=0.5, patience_h=1e4
    )
    market = priced(ranking, [(*ALWAYS, 0.30, 0.15)])
    outcomes = [
        played(ranking, market, "on-demand", luck=replace(NO_LUCK, seed=(7, number)))
        for number in range(1500)
    ]
    failures = ranking.bill.failures_per_h * failure_prior(ranking.job.assumptions).mean
    terms = replace(ranking.bill.terms, gpu_usd_per_h=np.array([0.30]))
    training_h = ranking.bill.epoch_hours * 60
    count = checkpoint_segments(training_h, checkpoint_interval_h(terms, failures))
    breakdown = expected(
        terms, training_h, count, ranking.job.assumptions, failures_per_h=failures
    )
    assert breakdown.failures[0] > 0.5
    assert np.mean([one.failed for one in outcomes]) == pytest.approx(
        breakdown.failures[0], rel=0.08
    )
    usd, hours = ([getattr(one, name) for one in outcomes] for name in ("usd", "hours"))
    assert np.mean(usd) == pytest.approx(breakdown.usd[0], rel=0.03)
    assert np.mean(hours) == pytest.approx(breakdown.wall_h[0], rel=0.03)


def test_a_bid_above_every_price_is_a_machine_at_that_price(
    one: Ranking, priced: Priced
) -> None:
    """It is never interrupted, and pays the bid."""
    rising = [(at, at + 1.0, 0.30, 0.15 + 0.001 * at) for at in range(100)]
    outcome = played(one, priced(one, rising), "bid=2")
    steady = played(one, priced(one, [(*ALWAYS, 0.30, 0.30)]), "on-demand")
    assert outcome.lost == 0
    assert outcome.machines == 1
    # A bid can lose, so it writes checkpoints on the way.
    assert outcome.usd == pytest.approx(steady.usd, rel=0.05)
    assert outcome.usd >= steady.usd


def test_a_lost_bid_waits_and_goes_on_from_its_checkpoint(
    one: Ranking, priced: Priced
) -> None:
    """Just after one, an hour without its GPUs costs that hour and a restart."""
    quiet = priced(one, [(*ALWAYS, 0.30, 0.15)])
    calm = played(one, quiet, "bid=1")
    left = Left(at_s=0, share=1.0, within_h=math.inf, error=0.0)
    choice = Chooser(quiet, one.job).at_ratio(left, 1.0)
    assert choice is not None
    terms = one.bill.terms
    first_h = terms.pull_h[0] + terms.begin_h[0]
    loses_h = first_h + 2.0 * (choice.segment_h + terms.write_h[0]) + 0.001
    busy = [(loses_h, loses_h + 1.0, 0.30, 0.9), (loses_h + 1.0, 1000.0, 0.30, 0.15)]
    outcome = played(one, priced(one, [(0.0, loses_h, 0.30, 0.15), *busy]), "bid=1")
    assert (outcome.lost, outcome.machines) == (1, 1)
    more_h = outcome.hours - calm.hours - 1.0
    assert more_h == pytest.approx(terms.resume_h[0] + 0.001, abs=0.001)
    rent_usd = 0.15 * more_h + terms.storage_usd_per_h[0] * (1.0 + more_h)
    assert outcome.usd - calm.usd == pytest.approx(rent_usd)


def test_after_patience_the_job_moves(two: Ranking, priced: Priced) -> None:
    """To the best that is there then, and it pays for image and data again."""
    lost = [(0.0, 1.5, 0.30, 0.15)]
    outcome = played(two, priced(two, lost, [(*ALWAYS, 0.30, 0.15)]), "bid=1")
    assert (outcome.lost, outcome.machines) == (1, 2)
    assert outcome.is_done


def test_what_is_never_for_rent_is_given_up(one: Ranking, priced: Priced) -> None:
    """At the horizon, for nothing."""
    market = priced(one, [(500.0, 501.0, 0.30, 0.15)])
    outcome = played(one, market, "on-demand", horizon_h=20.0)
    assert not outcome.is_done
    assert outcome.hours == pytest.approx(20.0)
    assert (outcome.usd, outcome.machines) == (0.0, 0)


def test_a_job_that_is_given_up_has_paid_until_then(one: Ranking, priced: Priced) -> None:
    """And no longer."""
    market = priced(one, [(*ALWAYS, 0.30, 0.15)])
    outcome = played(one, market, "on-demand", horizon_h=1.0)
    terms = one.bill.terms
    downloaded_gb = terms.image_gb + terms.dataset_gb
    downloads_usd = downloaded_gb * terms.download_usd_per_gb[0]
    hour_usd = terms.storage_usd_per_h[0] + 0.30 * (1.0 - terms.pull_h[0])
    assert not outcome.is_done
    assert outcome.hours == 1.0
    assert outcome.usd == pytest.approx(downloads_usd + hour_usd)


@given(prices=st.tuples(st.floats(0.05, 2.0), st.floats(0.05, 2.0)))
def test_the_cost_falls_with_the_price(
    one: Ranking, priced: Priced, prices: tuple[float, float]
) -> None:
    """On demand and by bid, in the same time."""
    for policy in ("on-demand", "bid=1.25"):
        low, high = (
            played(one, priced(one, [(*ALWAYS, usd, usd / 2)]), policy)
            for usd in sorted(prices)
        )
        assert low.usd <= high.usd + 1e-9


@given(deadlines=st.tuples(st.floats(1.0, 60.0), st.floats(1.0, 60.0)))
def test_the_cost_on_demand_falls_with_the_time_that_there_is(
    two: Ranking, priced: Priced, deadlines: tuple[float, float]
) -> None:
    """A later deadline allows every machine that an earlier one allows."""
    market = priced(two, [(*ALWAYS, 0.9, 0.5)], [(*ALWAYS, 0.1, 0.05)])
    early, late = (played(two, market, "on-demand", at) for at in sorted(deadlines))
    assert late.usd <= early.usd + 1e-9


BIDS = st.lists(st.sampled_from([0.05, 0.10, 0.14, 0.5]), min_size=40, max_size=60)


@settings(max_examples=60)
@given(
    fast=BIDS,
    slow=BIDS,
    spare_h=st.one_of(st.just(0.0), st.floats(0.0, 20.0)),
    step_h=st.floats(0.2, 1.5),
)
def test_uniform_progress_is_late_nowhere_that_on_demand_is_not(
    two: Ranking,
    priced: Priced,
    fast: list[float],
    slow: list[float],
    spare_h: float,
    step_h: float,
) -> None:
    """Whatever others bid, on machines of whatever speed, where none fails."""
    series = [
        [
            (at * step_h, (at + 1) * step_h, usd, bid)
            for at, bid in enumerate([*bids, *[0.05] * 1000])
        ]
        for usd, bids in ((0.30, fast), (0.20, slow))
    ]
    market = priced(two, *series)
    deadline_h = played(two, market, "on-demand", 1e-3).hours + spare_h + 1e-6
    outcome = played(two, market, "uniform-progress", deadline_h)
    assert outcome.is_done
    assert outcome.hours <= deadline_h


def test_uniform_progress_leaves_a_bid_that_is_too_slow(
    two: Ranking, priced: Priced
) -> None:
    """Nobody outbids it, and it would be late: the rest runs on demand, in time."""
    fast, slow = [(*ALWAYS, 0.30, 0.50)], [(*ALWAYS, 0.20, 0.05)]
    by_bid = played(two, priced(two, [(0.0, 0.0, 0.30, 0.50)], slow), "bid=1")
    on_demand = played(two, priced(two, fast, slow), "on-demand", 1e-3)
    deadline_h = on_demand.hours + 4.0
    assert by_bid.hours > deadline_h + 4.0
    outcome = played(two, priced(two, fast, slow), "uniform-progress", deadline_h)
    assert outcome.is_done
    assert outcome.machines == 2
    assert on_demand.hours < outcome.hours <= deadline_h


def test_uniform_progress_pays_less_where_bids_run(one: Ranking, priced: Priced) -> None:
    """With time to spare it bids; without, it is on demand from the start."""
    market = priced(one, [(*ALWAYS, 0.30, 0.10)])
    on_demand = played(one, market, "on-demand")
    ample = played(one, market, "uniform-progress", 3.0 * on_demand.hours)
    tight = played(one, market, "uniform-progress", on_demand.hours + 1e-6)
    assert ample.usd < 0.7 * on_demand.usd
    assert tight.hours == pytest.approx(on_demand.hours)
    assert tight.usd == pytest.approx(on_demand.usd)


def test_uniform_progress_waits_for_a_bid_only_while_it_is_not_late(
    one: Ranking, priced: Priced
) -> None:
    """Without any bid it is on demand as soon as p(t) < t / R(0), and done in time."""
    market = priced(one, [(*ALWAYS, 0.30, 0.50)])  # nobody bids above on demand
    on_demand = played(one, market, "on-demand")
    outcome = played(one, market, "uniform-progress", 3.0 * on_demand.hours)
    assert outcome.lost == 0
    assert outcome.machines == 1
    assert on_demand.hours < outcome.hours < on_demand.hours + 0.2


@pytest.mark.parametrize(
    "text", ["", "spot", "bid", "bid=", "bid=0.9", "bid=nan", "bid=1e9", "on-demand=2"]
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    """In one line, with what would do."""
    with pytest.raises(ArgumentError, match=r"bid=TIMES is expected"):
        Policy.read(text)


@pytest.mark.parametrize("text", ["on-demand", "bid=1.25", "advised-bid"])
def test_a_policy_is_read_as_it_is_named(text: str) -> None:
    """There and back."""
    assert Policy.read(f" {text} ").name == text
