"""What plays show of a policy, and which is advised."""

from __future__ import annotations

import math

import numpy as np
import pytest

from advisor.backtest.plays import Results
from advisor.backtest.policies import Policy
from advisor.backtest.summary import PolicyResult, advised, summarize

DAY_S = 86_400.0
NAMES = ("on-demand", "bid=1", "bid=2")


def summary(
    late: tuple[int, ...] = (0, 40, 5),
    undone: tuple[int, ...] = (0, 0, 0),
    usd: tuple[float, ...] = (3.0, 1.0, 2.0),
    days: float = 100.0,
    deadline_h: float = 24.0,
) -> tuple[PolicyResult, ...]:
    """Return what a hundred plays show, of which so many were late or never done."""
    plays = 100
    number = np.arange(plays)
    hours = np.array([np.where(number < count, 30.0, 20.0) for count in late])
    is_done = np.array([number >= count for count in undone])
    counts = np.ones((len(late), plays), dtype=np.int64)
    paid = np.array(usd)[:, None] * (1.0 + 0.1 * (number % 7))
    start_s = number * days / plays * DAY_S
    results = Results(start_s, hours, paid, is_done, counts, counts, counts)
    policies = [Policy.read(name) for name in NAMES[: len(late)]]
    return summarize(results, policies, deadline_h, 48.0, seed=1)


def test_the_cheapest_that_keeps_the_deadline_is_advised() -> None:
    """In 95 of 100 plays; the cheaper one that is late more often is not."""
    found = summary()
    assert [one.keeps_deadline for one in found] == [True, False, True]
    best = advised(found)
    assert best is not None
    assert best.policy.name == "bid=2"
    assert advised(summary(late=(6, 40, 6))) is None


def test_a_job_that_is_given_up_is_late() -> None:
    """However few hours it was played for; and without a deadline it is not advised."""
    (one,) = summary(late=(0,), undone=(10,), usd=(1.0,))
    assert (one.misses.value, one.unfinished) == (0.1, 10)
    assert one.hours_95 == math.inf
    (untimed,) = summary(late=(0,), undone=(1,), usd=(1.0,), deadline_h=math.inf)
    assert math.isnan(untimed.misses.value)
    assert not untimed.keeps_deadline


def test_intervals_hold_the_figures_and_narrow_with_the_record() -> None:
    """Of ten times the days there are ten times the blocks."""
    short, long = summary(days=10.0)[2], summary(days=100.0)[2]
    for one in (short, long):
        for estimate in (one.usd, one.hours, one.misses):
            assert estimate.low <= estimate.value <= estimate.high
    assert short.misses.high - short.misses.low > long.misses.high - long.misses.low


def test_no_miss_in_few_blocks_is_no_promise() -> None:
    """Wilson's upper end for 0 of 50 blocks of two days is 5.1 %."""
    assert summary()[0].misses.low == 0.0
    assert summary()[0].misses.high == pytest.approx(0.0513, abs=1e-3)


def test_one_block_has_no_interval() -> None:
    """A record as short as one play says nothing of other times."""
    one = summary(days=0.5)[0]
    assert math.isnan(one.usd.low)
    assert math.isnan(one.misses.high)


def test_hours_within_which_most_plays_were_done() -> None:
    """The 95 % quantile."""
    found = summary()
    assert [one.hours_95 for one in found] == [20.0, 30.0, 20.0]
