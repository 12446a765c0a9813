"""Rent policies: what to rent, when to look again, and when to leave.

*Uniform progress* is the policy of Z. Wu et al., "Can't Be Late: Optimizing Spot Instance
Savings under Deadlines", NSDI 2024, section 5. With the progress p(t) of the job, the
deadline R(0), the hours of computing left C(t), those until the deadline R(t), and the
hours d of a changeover, its rules are:

- exploitation: a bid that runs is kept until it loses its GPUs;
- taking risks: a bid is made whenever one can be had, also when the job is late;
- uniform progress: while nothing runs and p(t) < t / R(0), it rents on demand;
- hysteresis: on demand it stays until p(t) >= (t + 2 d) / R(0);
- safety net: while nothing runs and R(t) < C(t) + 2 d, it rents on demand to the end.

Here machines differ, which they do not there. C is of the machine on demand that costs
least at the start among those that leave 2 d before the deadline, else of the fastest. A
bid on a slower machine is left for the safety net as well, when R(t) < C(t) + d: on equal
machines R - C does not change while a bid runs, and the rule is idle. A bid that loses
also loses the work since its last checkpoint, for which both rules keep as much time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from advisor.backtest.choices import Choice, Left
from advisor.backtest.play import LOOK_H, Play, Rules
from advisor.backtest.session import Session
from advisor.base.errors import ArgumentError, Given

_LARGEST_RATIO = 100.0
"""Times the least bid, more than which nobody bids."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A rent policy by its name.

    Attributes
    ----------
    kind : what it does, see the module
    ratio : bid over least bid, of the kind ``"bid"``
    """

    kind: str
    ratio: float = math.nan

    @classmethod
    def read(cls, text: str) -> Policy:
        """Read a policy, such as ``on-demand`` or ``bid=1.25``.

        Raises
        ------
        advisor.base.errors.ArgumentError
            if there is no such policy
        """
        kind, _, ratio = text.strip().partition("=")
        if not ratio and kind in _RULES:
            return cls(kind)
        try:
            number = float(ratio)
        except ValueError:
            number = math.nan
        if kind != "bid" or not 1.0 <= number <= _LARGEST_RATIO:
            raise ArgumentError(
                Given("policy", text[:50]),
                f": one of {', '.join(_RULES)} or bid=TIMES is expected, from 1 to "
                f"{_LARGEST_RATIO:g} times the least bid",
            )
        return cls("bid", number)

    @property
    def name(self) -> str:
        """The text that `read` takes."""
        return f"bid={self.ratio:g}" if self.kind == "bid" else self.kind

    @property
    def needs_deadline(self) -> bool:
        """Whether it says nothing without a deadline."""
        return self.kind == "uniform-progress"

    def rules(self) -> Rules:
        """Return the rules of it for one play."""
        return AtRatio(self.ratio) if self.kind == "bid" else _RULES[self.kind]()


class _Steady:
    """Rules that look at the market only when there is nothing left to run on."""

    waits = True

    def looks_at_h(self, play: Play, session: Session) -> float:  # noqa: ARG002
        """Return when it looks again: never."""
        return math.inf

    def stays(self, play: Play, session: Session) -> bool:  # noqa: ARG002
        """Stay on what it has."""
        return True


class OnDemand(_Steady):
    """The machine of the least cost on demand that ends the job in time."""

    def choose(self, play: Play) -> Choice | None:
        """Return it."""
        return play.chooser.on_demand(play.left)


class AtRatio(_Steady):
    """A bid of so many times the least one."""

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio

    def choose(self, play: Play) -> Choice | None:
        """Return the machine on which it costs the job least."""
        return play.chooser.at_ratio(play.left, self._ratio)


class AdvisedBid(_Steady):
    """The bid that `advisor bid` advises, on the machine where it costs the job least."""

    def choose(self, play: Play) -> Choice | None:
        """Return it."""
        return play.chooser.advised(play.left)


class UniformProgress:
    """A bid, and on demand when the job is late; see the module."""

    waits = False

    def __init__(self) -> None:
        self._is_last = False
        self._reference: _Reference | None = None

    def choose(self, play: Play) -> Choice | None:
        """Return what to rent while nothing runs."""
        left = play.left
        reference = self._reference = self._reference or _Reference.of(play)
        if reference is None:  # nothing is for rent on demand: a bid is all there is
            return play.chooser.advised(left)
        bid = play.chooser.advised(left)
        changes_h = 2.0 * reference.change_h + (bid.segment_h if bid else 0.0)
        computing_h = reference.hours(play, left, left.share)
        self._is_last |= left.within_h < computing_h + changes_h
        if not self._is_last and bid:
            return bid
        late = 1.0 - left.share < play.outcome.hours / play.deadline_h
        return play.chooser.on_demand(left) if self._is_last or late else None

    def looks_at_h(self, play: Play, session: Session) -> float:
        """Return when it may leave what runs: enough progress, or the safety net."""
        if self._is_last or self._reference is None:
            return math.inf
        find = self._caught_up_h if session.choice.is_on_demand else self._too_late_h
        return max(find(play, session, self._reference), play.outcome.hours + LOOK_H)

    def stays(self, play: Play, session: Session) -> bool:
        """Leave a bid for the safety net, and on demand for a bid."""
        if session.choice.is_on_demand:
            return play.chooser.advised(play.left) is None
        reference, left = self._reference, play.left
        if reference is None:
            return True
        computing_h = reference.hours(play, left, 1.0 - session.live_share)
        leaves_h = reference.change_h + session.choice.segment_h + LOOK_H
        self._is_last = left.within_h < computing_h + leaves_h
        return not self._is_last

    @staticmethod
    def _caught_up_h(play: Play, session: Session, reference: _Reference) -> float:
        """Return when p(t) reaches (t + 2 d) / R(0) on demand."""
        gain = 1.0 / session.whole_h - 1.0 / play.deadline_h
        if gain <= 0.0:
            return math.inf
        begun = session.first_step_h / session.whole_h - session.live_share
        return (2.0 * reference.change_h / play.deadline_h + begun) / gain

    @staticmethod
    def _too_late_h(play: Play, session: Session, reference: _Reference) -> float:
        """Return when R(t) falls below C(t) + d while a bid runs."""
        left, first_h = play.left, session.first_step_h
        computing_h = reference.hours(play, left, 1.0 - session.live_share)
        change_h = reference.change_h + session.choice.segment_h
        at_first_h = play.deadline_h - first_h - computing_h - change_h
        training_h = reference.hours(play, left, 1.0) - reference.send_h
        loss = 1.0 - training_h / session.whole_h
        if at_first_h <= 0.0:
            return first_h + at_first_h
        return first_h + at_first_h / loss if loss > 0.0 else math.inf


@dataclass(frozen=True, slots=True)
class _Reference:
    """The machine on demand that all is measured by.

    Attributes
    ----------
    choice : how it was to be had at the start
    change_h : of a changeover, h: to pull, boot, fetch data and checkpoint, and the time
        between two looks at the market
    overhead : hours with checkpoints over those without
    send_h : to send the last checkpoint home, h
    """

    choice: Choice
    change_h: float
    overhead: float
    send_h: float

    @classmethod
    def of(cls, play: Play) -> _Reference | None:
        """Return the one of the least cost that leaves time for two changeovers."""
        terms = play.chooser.market.listings.terms
        change_h = terms.pull_h + terms.move_h + LOOK_H
        choice = play.chooser.on_demand(play.left, 2.0 * change_h)
        if choice is None:
            return None
        at = choice.listing
        write_h = float(terms.write_h[at])
        return cls(
            choice,
            float(change_h[at]) + write_h,
            1.0 + write_h / choice.segment_h,
            float(terms.send_h[at]) + write_h,
        )

    def hours(self, play: Play, left: Left, share: float) -> float:
        """Return the hours of computing that a share of the training takes on it."""
        training_h = play.chooser.market.listings.hours_at(left.error)
        whole_h = float(training_h[self.choice.listing]) * self.overhead
        return share * whole_h + self.send_h


_RULES: Mapping[str, Callable[[], Rules]] = {
    "on-demand": OnDemand,
    "advised-bid": AdvisedBid,
    "uniform-progress": UniformProgress,
}
