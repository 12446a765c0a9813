"""Many plays: where they start, what they know, and that they repeat."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.backtest.market import Listings
from advisor.backtest.plays import (
    Results,
    Setting,
    Start,
    play_all,
    play_day,
    start_times,
)
from advisor.backtest.policies import Policy
from advisor.backtest.simulated import simulated_market
from advisor.base.parallel import each
from advisor.ranking.ranking import Ranking

Ranked = Callable[..., Ranking]
DAY_S = 86_400
STRETCHES = st.lists(st.integers(1, 10 * DAY_S), min_size=1, max_size=5)


@given(lengths=STRETCHES, plays=st.integers(1, 50), seed=st.integers(0, 99))
def test_a_play_has_all_of_its_time_in_the_record(
    lengths: list[int], plays: int, seed: int
) -> None:
    """As many as asked for, rising, each in one stretch that is long enough, if any."""
    stretches, at = list[tuple[int, int]](), 0
    for length in lengths:
        stretches.append((at, at + length))
        at += length + 7200
    starts = start_times(stretches, 24.0, plays, seed)
    if max(lengths) <= DAY_S:
        assert len(starts) == 0
        return
    assert len(starts) == plays
    assert np.all(np.diff(starts) >= 0)
    for start in starts.tolist():
        assert any(
            begin <= start and start + DAY_S <= end + 1 for begin, end in stretches
        )


@pytest.fixture(scope="module")
def setting(ranked: Ranked, sure: dict[str, Any]) -> Setting:
    """Return three policies on six machines of a simulated month."""
    machines = [
        {**sure, "id": at, "machine_id": at, "gpu_ids": [at], "reliability": 0.97}
        for at in range(6)
    ]
    ranking = ranked(*machines, epochs=30)
    market = simulated_market(Listings.of(ranking), ranking.job.assumptions, 720.0, 1)
    names = ("on-demand", "advised-bid", "uniform-progress")
    policies = tuple(map(Policy.read, names))
    return Setting(market, ranking.job, policies, 24.0, 48.0, seed=5)


def same(one: Results, other: Results) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in (field.name for field in fields(Results))
    )


@pytest.fixture(scope="module")
def starts(setting: Setting) -> Any:
    """Return twelve starts."""
    return start_times(setting.market.stretches, setting.horizon_h, 12, 5)


@pytest.fixture(scope="module")
def results(setting: Setting, starts: Any) -> Results:
    """Return what becomes of them."""
    return play_all(setting, starts)


def test_every_policy_is_played_from_every_start(
    setting: Setting, results: Results
) -> None:
    """And most jobs end."""
    assert results.usd.shape == (3, 12)
    assert results.is_done.mean() > 0.9
    assert np.all(results.usd > 0.0)
    assert np.all(results.lost[0] == 0)


def test_the_number_of_jobs_changes_no_play(
    setting: Setting, starts: Any, results: Results
) -> None:
    """Two processes find what one finds."""
    with joblib.parallel_config(n_jobs=2):
        pids = set(each("processes", os.getpid, [()] * 4))
        assert same(play_all(setting, starts), results)
    assert os.getpid() not in pids


@pytest.mark.slow
def test_a_dask_cluster_plays_the_same(
    setting: Setting, starts: Any, results: Results
) -> None:
    """On the workers of a cluster."""
    distributed = pytest.importorskip(
        "distributed", reason="distributed is not installed: the extra fleet has it"
    )
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", processes=True
    )
    with cluster, distributed.Client(cluster), joblib.parallel_config(backend="dask"):
        assert same(play_all(setting, starts), results)


def test_another_seed_has_other_luck(
    setting: Setting, starts: Any, results: Results
) -> None:
    """Of the machines and of the prediction."""
    other = play_all(replace(setting, seed=6), starts[:3])
    assert not np.array_equal(other.hours[0], results.hours[0, :3])


def test_a_play_knows_nothing_of_the_future(setting: Setting, starts: Any) -> None:
    """What comes after a job is done changes nothing of it, nor the rate of losses."""
    first = [Start(0, int(starts[0]))]
    (before,) = play_day(setting, first)
    end_s = int(first[0].at_s + max(one.hours for one in before) * 3600 + 3600)
    known = setting.market.intervals
    later = known.first_at > end_s
    dearer = replace(known, min_bid=np.where(later, 9.0, known.min_bid))
    (after,) = play_day(
        replace(setting, market=replace(setting.market, intervals=dearer)), first
    )
    assert after == before


def test_plays_without_a_deadline_end_as_well(setting: Setting, starts: Any) -> None:
    """Whoever has all the time chooses by cost alone."""
    policies = (Policy.read("on-demand"),)
    found = play_all(replace(setting, deadline_h=math.inf, policies=policies), starts[:2])
    assert found.is_done.all()
