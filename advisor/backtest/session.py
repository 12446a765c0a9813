"""A job on one machine, hour by hour: what is done there, and what is paid."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from advisor.backtest.choices import Choice
from advisor.backtest.market import Listings
from advisor.base.arrays import FloatArray
from advisor.cost.terms import Terms

ENOUGH = 1e-9
"""Share of a training, and hours, that are as good as nothing."""


@dataclass(slots=True)
class Outcome:
    """What a job has come to.

    Attributes
    ----------
    horizon_h : hours after its start at which it is given up
    hours : since its start
    usd : paid so far
    share : of the training that is in a checkpoint, 0 to 1
    is_done : it has ended, and its last checkpoint is home
    machines : that were rented
    lost : bids that lost their GPUs
    failed : machines that failed
    """

    horizon_h: float
    hours: float = 0.0
    usd: float = 0.0
    share: float = 0.0
    is_done: bool = False
    machines: int = 0
    lost: int = 0
    failed: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the job is done, or given up."""
        return self.is_done or self.hours >= self.horizon_h - ENOUGH

    def pass_until(self, hours: float, usd_per_h: float = 0.0) -> None:
        """Let time pass, and pay for it."""
        until = max(min(hours, self.horizon_h), self.hours)
        self.usd += usd_per_h * (until - self.hours)
        self.hours = until


class Session:
    """A job on one machine.

    Parameters
    ----------
    outcome : of the job so far; from here on it pays
    choice : the machine, and how it is rented
    listings : of the market
    training_h : of the whole job on each of them, with nothing going wrong, shape (K,)

    Attributes
    ----------
    pull_left_h, begin_left_h : hours until the machine runs, and from then to the first
        step
    training_h : of the whole job here, with nothing going wrong
    """

    def __init__(
        self,
        outcome: Outcome,
        choice: Choice,
        listings: Listings,
        training_h: FloatArray,
    ) -> None:
        self.choice, self._outcome = choice, outcome
        self._terms = _Terms.of(listings.terms, choice.listing)
        self.training_h = float(training_h[choice.listing])
        self.pull_left_h = self._terms.pull_h
        self.begin_left_h = self._terms.begin_h
        self._cycle_h = 0.0
        downloaded_gb = self._terms.image_gb + self._terms.dataset_gb
        if self._outcome.share > 0.0:
            self.begin_left_h = self._terms.move_h
            downloaded_gb += self._terms.checkpoint_gb
        self._outcome.usd += downloaded_gb * self._terms.download_usd_per_gb
        self._outcome.machines += 1

    @property
    def storage_usd_per_h(self) -> float:
        """Price of the disk, which is paid also while nothing runs, $/h."""
        return self._terms.storage_usd_per_h

    @property
    def first_step_h(self) -> float:
        """When it trains, h."""
        return self._outcome.hours + self.pull_left_h + self.begin_left_h

    @property
    def live_share(self) -> float:
        """Share of the training that is done, also what is in no checkpoint yet."""
        work_h = min(self._cycle_h, self.choice.segment_h)
        return min(self._outcome.share + work_h / self.training_h, 1.0)

    @property
    def whole_h(self) -> float:
        """Hours of the whole training here, with its checkpoints."""
        return self.training_h * (1.0 + self._terms.write_h / self.choice.segment_h)

    def advance(self, until_h: float) -> None:
        """Let it go on until a moment, or to the end of the job."""
        paid = self.storage_usd_per_h + self.choice.usd_per_h
        pulled_h = min(self.pull_left_h, until_h - self._outcome.hours)
        self._pass(pulled_h, self.storage_usd_per_h)
        self.pull_left_h -= pulled_h
        begun_h = min(self.begin_left_h, until_h - self._outcome.hours)
        self._pass(begun_h, paid)
        self.begin_left_h -= begun_h
        if self.pull_left_h > 0.0 or self.begin_left_h > 0.0:
            return
        needed_h = self._needed_h()
        worked_h = min(needed_h, until_h - self._outcome.hours)
        self._pass(worked_h, paid)
        self._write(worked_h)
        if worked_h >= needed_h:
            self._upload(1)
            self._outcome.share, self._outcome.is_done = 1.0, True

    def interrupt(self) -> None:
        """Lose the work since the last checkpoint; here it starts again."""
        self._cycle_h = 0.0
        if self._outcome.share > 0.0:
            self.begin_left_h = self._terms.resume_h
        elif self.pull_left_h <= 0.0:  # the beginning begins anew
            self.begin_left_h = self._terms.begin_h
            gigabytes = self._terms.dataset_gb
            self._outcome.usd += gigabytes * self._terms.download_usd_per_gb

    def leave(self) -> None:
        """Write a checkpoint, and give the machine up."""
        share = self.live_share
        if share > self._outcome.share:
            paid = self.storage_usd_per_h + self.choice.usd_per_h
            self._pass(self._terms.write_h, paid)
            self._upload(1)
            self._outcome.share = share

    def _needed_h(self) -> float:
        """Return the hours from here to the end of the job."""
        work_h = (1.0 - self._outcome.share) * self.training_h
        count = max(math.ceil(work_h / self.choice.segment_h - ENOUGH), 1)
        whole_h = work_h + count * self._terms.write_h + self._terms.send_h
        return max(whole_h - self._cycle_h, 0.0)

    def _write(self, worked_h: float) -> None:
        """Count the checkpoints that hours of work write."""
        cycle_h = self.choice.segment_h + self._terms.write_h
        self._cycle_h += worked_h
        count = math.floor(self._cycle_h / cycle_h)
        work_h = (1.0 - self._outcome.share) * self.training_h
        count = min(count, math.ceil(work_h / self.choice.segment_h - ENOUGH) - 1)
        if count > 0:
            self._cycle_h -= count * cycle_h
            self._outcome.share += count * self.choice.segment_h / self.training_h
            self._upload(count)

    def _upload(self, count: int) -> None:
        usd = self._terms.checkpoint_gb * self._terms.upload_usd_per_gb
        self._outcome.usd += count * usd

    def _pass(self, hours: float, usd_per_h: float) -> None:
        self._outcome.pass_until(self._outcome.hours + hours, usd_per_h)


@dataclass(frozen=True, slots=True)
class _Terms:
    """The figures of `advisor.cost.terms.Terms` on one machine."""

    storage_usd_per_h: float
    download_usd_per_gb: float
    upload_usd_per_gb: float
    pull_h: float
    begin_h: float
    resume_h: float
    move_h: float
    write_h: float
    send_h: float
    image_gb: float
    dataset_gb: float
    checkpoint_gb: float

    @classmethod
    def of(cls, terms: Terms, listing: int) -> Self:
        figures = (np.asarray(getattr(terms, one.name)) for one in fields(cls))
        return cls(*(float(one[listing] if one.ndim else one) for one in figures))
