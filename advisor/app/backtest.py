"""Rent policies played over the recorded market, or over a simulated one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from advisor.app.constraints import Constraints
from advisor.app.context import Context
from advisor.app.explain import Listing
from advisor.app.job import JobSpec
from advisor.app.rank import Ranker, RankSpec
from advisor.app.settle import settle
from advisor.backtest.market import Listings, PlayedMarket
from advisor.backtest.plays import Setting, play_all, start_times
from advisor.backtest.policies import Policy
from advisor.backtest.recorded import Matched, recorded_market
from advisor.backtest.simulated import simulated_market
from advisor.backtest.summary import PolicyResult, advised, summarize
from advisor.base.errors import ArgumentError, Given
from advisor.base.progress import doing
from advisor.base.units import SECONDS_PER_HOUR
from advisor.market.types import Answer, Query
from advisor.ranking.ranking import Ranking
from advisor.rental import arguments
from advisor.store.database import open_store
from advisor.store.listing_intervals import load_intervals
from advisor.store.recorded import recorded_listings, watched

POLICIES = (
    "on-demand",
    "bid=1",
    "bid=1.25",
    "bid=1.5",
    "bid=2",
    "advised-bid",
    "uniform-progress",
)
"""What is played where no policy is named; the last one if there is a deadline."""

_HORIZON = 2.0
"""Deadlines after which a job is given up."""

_HORIZON_UNTIMED = 4.0
"""The same without a deadline, in expected times of the best offer on demand."""

_RECENT = timedelta(days=90)
"""How far back the record is played over: prices of last year are of another market."""

_MOST_SIMULATED = 300
"""Listings of a simulated market: the offers of the least cost."""

_HORIZONS_SIMULATED = 40.0
_LEAST_SIMULATED_H, _MOST_SIMULATED_H = 7.0 * 24.0, 60.0 * 24.0
"""How long it is simulated: so many horizons, but no less and no more than this, and one
horizon to start in at least."""

_MOST_PLAYS = 100_000


@dataclass(frozen=True, slots=True)
class BacktestSpec:
    """A back-test, as it is asked for.

    Attributes
    ----------
    job : what is trained; a policy says how machines are rented
    offers : which machines will do, as the market shows them now
    policy : names of policies, see `advisor.backtest.policies`; empty: `POLICIES`
    deadline_s : seconds that the job may take; None: any
    plays : how often each policy is played
    seed : of all that is drawn

    Raises
    ------
    UsageError
        if a value cannot be right, or two contradict each other
    """

    job: JobSpec
    offers: Constraints = field(default_factory=Constraints)
    policy: tuple[str, ...] = ()
    deadline_s: float | None = None
    plays: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        """Check all of it."""
        settle(self, arguments.names, "policy")
        settle(self, arguments.above_zero, "deadline_s", unit="seconds", may_lack=True)
        settle(self, arguments.whole, "plays", most=_MOST_PLAYS)
        read = [Policy.read(name) for name in self.policy]
        if self.deadline_s is None and any(one.needs_deadline for one in read):
            raise ArgumentError(
                *(Given("policy"), " uniform-progress rents by how much time is left: "),
                *("give ", Given("deadline_s")),
            )

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies that are played, each once."""
        read = map(Policy.read, self.policy or POLICIES)
        timed = self.deadline_s is not None
        return tuple(
            dict.fromkeys(one for one in read if timed or not one.needs_deadline)
        )


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a back-test shows.

    Attributes
    ----------
    ranking : of the market as it is now, on demand
    results : what each policy came to
    advised : the cheapest policy that keeps the deadline in 95 % of the plays; None: none
        does
    recorded : the recorded market that they were played over; None: a simulated one
    plays : of each policy
    blocks : parts of the market, each as long as a play may be, in which plays start
    hours : of the market that was played over, h
    deadline_h, horizon_h : hours that the job may take, infinite where any, and those
        after which it was given up
    seed : of all that was drawn
    """

    ranking: Ranking
    results: tuple[PolicyResult, ...]
    advised: PolicyResult | None
    recorded: Matched | None
    plays: int
    blocks: int
    hours: float
    deadline_h: float
    horizon_h: float
    seed: int


def backtest(
    context: Context, spec: BacktestSpec, ask: Callable[[Query], Answer]
) -> Backtest:
    """Play rent policies over the prices of a market.

    Over those that the user has recorded where the record watches the market for long
    enough, else over simulated ones, of which the user is notified.

    Parameters
    ----------
    ask : asks the market which machines there are

    Raises
    ------
    advisor.base.errors.NothingFitsError
        if no offer runs the job, or ends it before the deadline
    advisor.base.errors.AdvisorError
        if the market cannot be asked
    """
    ranker = Ranker.of(
        context, RankSpec(spec.job, spec.offers, deadline_s=spec.deadline_s)
    )
    ranking = Listing.of(ranker, ask).ranking
    deadline_h, horizon_h = _times(ranking, spec)
    recorded = _recorded(context, ranking, horizon_h)
    if recorded is None:
        with doing(context.progress, "simulating a market"):
            market = _simulated(ranking, horizon_h, spec.seed)
    else:
        market = recorded.market
    setting = Setting(
        market, ranking.job, spec.policies, deadline_h, horizon_h, spec.seed
    )
    starts = start_times(market.stretches, horizon_h, spec.plays, spec.seed)
    played = play_all(setting, starts, context.progress)
    results = summarize(played, spec.policies, deadline_h, horizon_h, spec.seed)
    seconds = sum(end - begin for begin, end in market.stretches)
    return Backtest(
        ranking=ranking,
        results=results,
        advised=advised(results),
        recorded=recorded,
        plays=len(starts),
        blocks=len(np.unique(played.blocks(horizon_h))),
        hours=seconds / SECONDS_PER_HOUR,
        deadline_h=deadline_h,
        horizon_h=horizon_h,
        seed=spec.seed,
    )


def _times(ranking: Ranking, spec: BacktestSpec) -> tuple[float, float]:
    """Return the hours that the job may take, and those after which it is given up."""
    expected_h = ranking.best.job_h  # refuses where nothing fits
    if spec.deadline_s is None:
        return math.inf, _HORIZON_UNTIMED * expected_h
    deadline_h = spec.deadline_s / SECONDS_PER_HOUR
    return deadline_h, _HORIZON * deadline_h


def _simulated(ranking: Ranking, horizon_h: float, seed: int) -> PlayedMarket:
    """Return a simulated market of the best offers."""
    listings = Listings.of(ranking).take(ranking.order[:_MOST_SIMULATED])
    hours = min(
        max(_HORIZONS_SIMULATED * horizon_h, _LEAST_SIMULATED_H), _MOST_SIMULATED_H
    )
    span_h = max(hours, 2.0 * horizon_h)
    return simulated_market(listings, ranking.job.assumptions, span_h, seed)


def _recorded(context: Context, ranking: Ranking, horizon_h: float) -> Matched | None:
    """Return the recorded market, and None where no play fits into the record of it."""
    answer = ranking.source
    if answer is None or answer.simulated:
        context.notify("no such offers exist: played over a simulated market")
        return None
    stretches: tuple[tuple[int, int], ...] = ()
    if context.has_stored_data:
        told = doing(context.progress, "reading your record of the market")
        with told, open_store(context.data_folder) as connection:
            since = context.now() - _RECENT
            begin = int(since.timestamp())
            stretches = tuple(
                (max(first, begin), last)
                for first, last in watched(connection, answer.market)
                if last > begin
            )
            longest_h = max((last - first for first, last in stretches), default=0)
            if longest_h > horizon_h * SECONDS_PER_HOUR:
                intervals = load_intervals(connection, None, answer.market, since)
                listings = recorded_listings(connection, answer.market)
                found = recorded_market(ranking, listings, intervals, stretches)
                if len(found.market.listings):
                    return found
    longest_h = max((last - first for first, last in stretches), default=0)
    context.notify(
        f"your record of market {answer.market} watches it for "
        f"{longest_h / SECONDS_PER_HOUR:.3g} h without a gap, and a play may take "
        f"{horizon_h:.3g} h: played over a simulated market"
    )
    return None
