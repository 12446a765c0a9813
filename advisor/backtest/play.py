"""One play: a job from its start to its end, on machines that a policy rents.

What happens on a machine is what `advisor.cost.expected` expects of it: pull and boot;
data and process; the training in checkpoint segments; the last checkpoint sent home. A
failure or a lost bid throws the work since the last checkpoint away. A machine that
failed is waited for as long as patience lasts, and so is a bid that lost, if the policy
waits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from advisor.backtest.choices import Choice, Chooser, Left
from advisor.backtest.session import ENOUGH, Outcome, Session
from advisor.base.units import SECONDS_PER_HOUR

LOOK_H = 1.0 / 12.0
"""Hours between two looks at the market: the five minutes at which it is usually
recorded."""


@dataclass(frozen=True, slots=True)
class Luck:
    """What a play draws, the same for every policy.

    Attributes
    ----------
    seed : of its failures and repairs
    error : of the predicted training time, in standard deviations of its logarithm
    failures : factor on the rate at which machines fail, of its prior
    """

    seed: tuple[int, ...]
    error: float
    failures: float


class Rules(Protocol):
    """How a policy rents, in one play."""

    waits: bool
    """Whether a bid that lost is kept until patience ends."""

    def choose(self, play: Play) -> Choice | None:
        """Return what to rent now; None: nothing, until the next look."""
        ...

    def looks_at_h(self, play: Play, session: Session) -> float:
        """Return when it looks at the market again although the machine runs, h."""
        ...

    def stays(self, play: Play, session: Session) -> bool:
        """Say, at such a look, whether it keeps the machine."""
        ...


class Play:
    """A job that runs by the rules of a policy.

    Parameters
    ----------
    chooser : what there is to rent
    start_s : when it starts, seconds since 1970
    deadline_h : hours that it may take; infinite: any
    horizon_h : hours after which it is given up
    luck : what is drawn for it
    """

    def __init__(
        self,
        chooser: Chooser,
        start_s: int,
        deadline_h: float,
        horizon_h: float,
        luck: Luck,
    ) -> None:
        self.chooser, self.deadline_h, self.luck = chooser, deadline_h, luck
        self.outcome = Outcome(horizon_h)
        self.random = np.random.default_rng(luck.seed)
        self._start_s = start_s
        self._has_run = False
        listings = chooser.market.listings
        self.training_h = listings.hours_at(luck.error)

    def run(self, rules: Rules) -> Outcome:
        """Play it to its end."""
        while not self.outcome.is_over:
            choice = rules.choose(self)
            if choice is None:
                self.outcome.pass_until(self.outcome.hours + LOOK_H)
            else:
                self._on_machine(rules, choice)
        return self.outcome

    @property
    def left(self) -> Left:
        """What is left of the job, as far as whoever rents knows."""
        hours, share = self.outcome.hours, self.outcome.share
        known = self.luck.error if self._has_run else 0.0
        return Left(
            self.second(hours), max(1.0 - share, ENOUGH), self.deadline_h - hours, known
        )

    def second(self, hours: float) -> int:
        """Return a moment in whole seconds since 1970, as the record counts."""
        return round(self._start_s + hours * SECONDS_PER_HOUR)

    def _on_machine(self, rules: Rules, choice: Choice) -> None:
        """Rent a machine, and keep it until the job ends, or it, or patience."""
        listings = self.chooser.market.listings
        session = Session(self.outcome, choice, listings, self.training_h)
        while not self.outcome.is_over:
            lost_h = self._lost_at_h(choice)
            fails_h = (
                self.outcome.hours + session.pull_left_h + self._until_failure(choice)
            )
            looks_h = rules.looks_at_h(self, session)
            session.advance(min(lost_h, fails_h, looks_h, self.outcome.horizon_h))
            self._has_run = self._has_run or session.live_share > 0.0
            if self.outcome.is_over:
                return
            if looks_h < min(lost_h, fails_h):
                if not rules.stays(self, session):
                    session.leave()
                    return
            elif not self._goes_on(rules, session, has_failed=fails_h < lost_h):
                return

    def _goes_on(self, rules: Rules, session: Session, *, has_failed: bool) -> bool:
        """Meet an interruption; say whether the job goes on on the same machine."""
        session.interrupt()
        now_h, assumed = self.outcome.hours, self.chooser.job.assumptions
        if has_failed:
            self.outcome.failed += 1
            back_h = now_h + self.random.exponential(assumed.repair_h)
            waits, usd_per_h = True, 0.0
        else:
            self.outcome.lost += 1
            back_h = self._back_at_h(session.choice)
            waits, usd_per_h = rules.waits, session.storage_usd_per_h
        if not waits:
            return False
        self.outcome.pass_until(min(back_h, now_h + assumed.patience_h), usd_per_h)
        return back_h <= now_h + assumed.patience_h

    def _until_failure(self, choice: Choice) -> float:
        """Draw the hours of running until the machine fails."""
        rate = self.chooser.market.listings.failures_per_h[choice.listing]
        rate *= self.luck.failures
        return float(self.random.exponential(1.0 / rate)) if rate > 0.0 else math.inf

    def _lost_at_h(self, choice: Choice) -> float:
        if choice.is_on_demand:
            return math.inf
        now_s, market = self.second(self.outcome.hours), self.chooser.market
        lost_s = market.lost_at(choice.listing, choice.bid, now_s)
        return max(self._hours_of(lost_s), self.outcome.hours)

    def _back_at_h(self, choice: Choice) -> float:
        """Return when a bid that has lost runs again: later, whatever the record says."""
        now_s, market = self.second(self.outcome.hours), self.chooser.market
        back_s = market.back_at(choice.listing, choice.bid, now_s)
        return self._hours_of(max(back_s, now_s + 1))

    def _hours_of(self, second: float) -> float:
        return (second - self._start_s) / SECONDS_PER_HOUR
