"""Many plays of several policies: when they start, and what each of them comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple, Self

import numpy as np

from advisor.backtest.choices import Chooser
from advisor.backtest.market import PlayedMarket
from advisor.backtest.play import Luck, Play
from advisor.backtest.policies import Policy
from advisor.backtest.session import Outcome
from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.base.parallel import each
from advisor.base.progress import Progress, quiet
from advisor.base.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from advisor.cost.hazard import BidHazard, failure_prior
from advisor.cost.job import Job
from advisor.store.market_statistics import bid_survival

_DAY_S = int(SECONDS_PER_DAY)
_KNOWN_S = 7 * _DAY_S
"""How far back bids are followed before a play, as `advisor bid` does."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is played.

    Attributes
    ----------
    market : where
    job : what is trained
    policies : P of them
    deadline_h : hours that the job may take; infinite: any
    horizon_h : hours after which a job is given up
    seed : of all that is drawn
    """

    market: PlayedMarket
    job: Job
    policies: tuple[Policy, ...]
    deadline_h: float
    horizon_h: float
    seed: int


@dataclass(frozen=True, slots=True)
class Results:
    """What P policies came to in N plays; all arrays have shape (P, N).

    Attributes
    ----------
    start_s : when each play starts, seconds since 1970, shape (N,)
    hours : until the job was done, or given up
    usd : paid by then
    is_done : whether it was done
    machines, lost, failed : machines rented, bids that lost, machines that failed
    """

    start_s: IntArray
    hours: FloatArray
    usd: FloatArray
    is_done: BoolArray
    machines: IntArray
    lost: IntArray
    failed: IntArray

    @classmethod
    def of(cls, start_s: IntArray, plays: Sequence[Sequence[Outcome]]) -> Self:
        """Gather the outcomes of every policy in each play."""
        columns = {
            name: np.array([[getattr(one, name) for one in play] for play in plays]).T
            for name in ("hours", "usd", "is_done", "machines", "lost", "failed")
        }
        return cls(start_s, **columns)

    def blocks(self, horizon_h: float) -> IntArray:
        """Return the block of a horizon's length in which each play starts, shape (N,).

        Plays that start within one horizon of each other see the same prices; those of
        one block count as one in intervals.
        """
        return np.floor(self.start_s / (horizon_h * SECONDS_PER_HOUR)).astype(np.int64)


class Start(NamedTuple):
    """A play: its number, and when it starts, seconds since 1970."""

    number: int
    at_s: int


def start_times(
    stretches: Sequence[tuple[int, int]], horizon_h: float, plays: int, seed: int
) -> IntArray:
    """Return when plays start: evenly apart, from a random moment, where all is known.

    None where no stretch is longer than a play may be.

    Parameters
    ----------
    stretches : beginning and end of the times in which the market is known, s
    horizon_h : hours from each start that must be known
    plays : how many
    seed : of the moment
    """
    room = [
        (begin, end - begin - horizon_h * SECONDS_PER_HOUR) for begin, end in stretches
    ]
    room = [(begin, seconds) for begin, seconds in room if seconds > 0.0]
    total = sum(seconds for _, seconds in room)
    if not room:
        return np.empty(0, dtype=np.int64)
    shift = np.random.default_rng(seed).random()
    offsets = (np.arange(plays) + shift) * total / plays
    edges = np.cumsum([0.0, *(seconds for _, seconds in room)])
    part = np.searchsorted(edges, offsets, side="right") - 1
    begins = np.array([begin for begin, _ in room], dtype=np.float64)
    starts: IntArray = (begins[part] + offsets - edges[part]).astype(np.int64)
    return starts


def play_all(setting: Setting, start_s: IntArray, progress: Progress = quiet) -> Results:
    """Play every policy from every start, as `advisor.base.parallel` runs tasks.

    Plays of one day are one task: what was known of bids by then is the same.
    """
    starts = [Start(number, at) for number, at in enumerate(start_s.tolist())]
    days = [tuple(group) for _, group in groupby(starts, key=_day)]
    told = f"playing {len(setting.policies)} policies"
    tasks = [(setting, day) for day in days]
    played = each(told, play_day, tasks, progress, unit="days of starts")
    return Results.of(start_s, [play for day in played for play in day])


def play_day(setting: Setting, starts: Sequence[Start]) -> list[list[Outcome]]:
    """Play every policy from the starts of one day."""
    chooser = Chooser(setting.market, _known_by(setting, _day(starts[0])))
    return [
        [_play(setting, chooser, policy, start) for policy in setting.policies]
        for start in starts
    ]


def _day(start: Start) -> int:
    """Return when the day of a start begins, s."""
    return start.at_s // _DAY_S * _DAY_S


def _known_by(setting: Setting, at_s: int) -> Job:
    """Return the job with what the record shows of bids until a moment, and no later."""
    assumed = setting.job.assumptions
    seen = bid_survival(
        setting.market.intervals.between(at_s - _KNOWN_S, at_s),
        gpus_exponent=assumed.preemption_gpus_exponent,
    )
    hazard = BidHazard.assumed(assumed).updated(
        seen.ratios, seen.outbid + seen.gone, seen.exposure_hours
    )
    return replace(setting.job, bid_hazard=hazard)


def _play(setting: Setting, chooser: Chooser, policy: Policy, start: Start) -> Outcome:
    random = np.random.default_rng([setting.seed, start.number])
    prior = failure_prior(setting.job.assumptions)
    luck = Luck(
        seed=(setting.seed, start.number, 1),
        error=float(random.standard_normal()),
        failures=float(random.choice(prior.factors, p=prior.weights)),
    )
    play = Play(chooser, start.at_s, setting.deadline_h, setting.horizon_h, luck)
    return play.run(policy.rules())
