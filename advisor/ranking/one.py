"""One offer of a ranking alone, costed again with one thing changed.

What would lift the machine, what each assumption is worth, and what other bids cost:
every answer is the same prediction and the same cost estimate, of this offer, with one
figure moved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.base.assumption import Assumption
from advisor.cost.bid_table import Bid, bids_on
from advisor.cost.bill import bill
from advisor.cost.expected import Starts
from advisor.cost.job import Job, needed_disk_gb
from advisor.hardware.machines import Machines
from advisor.market.offers import Offers
from advisor.ranking.evaluation import Evaluator, starts_of, why_unusable
from advisor.ranking.ranking import Ranking
from advisor.throughput.advice import Advice, advise
from advisor.throughput.kinds import GpuMemo
from advisor.throughput.performance import Performance
from advisor.throughput.predict import Throughput
from advisor.throughput.spread import Z90
from advisor.throughput.tables import Tables

WORTH = 0.01
"""Share of the cost from which what an assumption changes matters (assumption: a cent of
each dollar)."""

_CORE_TIME = "cpu_ms_per_sample"
"""The figure of a profile that states its spread."""

Kind = Literal["cost", "model", "workload"]
"""What an assumption is of: the cost model, whose figures `Assumptions` names; the model
of throughput and hardware; the profile."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one assumption changes of the cost of one offer.

    Attributes
    ----------
    name : of the assumption
    of : what it is of
    assumption : the figure with its range
    epoch_usd : cost of the job per epoch, $
    epoch_usd_at_low, epoch_usd_at_high : the same with the figure at either end of its
        range; None where no range is known, NaN where the job would not run there
    """

    name: str
    of: Kind
    assumption: Assumption
    epoch_usd: float
    epoch_usd_at_low: float | None = None
    epoch_usd_at_high: float | None = None

    @property
    def largest(self) -> float:
        """The greater change of the two, $ per epoch, above 0; infinite where NaN is."""
        both = (self.epoch_usd_at_low, self.epoch_usd_at_high)
        changes = [abs(one - self.epoch_usd) for one in both if one is not None]
        return max((math.inf if math.isnan(one) else one for one in changes), default=0.0)

    @property
    def matters(self) -> bool:
        """Whether it changes the cost by `WORTH` of it or more."""
        return self.largest >= WORTH * self.epoch_usd


@dataclass(frozen=True, slots=True)
class One:
    """One offer alone, evaluated.

    Attributes
    ----------
    evaluator : evaluates it, with what is known of its GPU noted
    offers : it alone (N = 1)
    here : how the job runs on it
    epoch_usd : what an epoch costs there, $
    """

    evaluator: Evaluator
    offers: Offers
    here: Performance
    epoch_usd: float

    @classmethod
    def of(cls, ranking: Ranking, at: int) -> Self:
        """Take the offer at a position out of a ranking."""
        evaluator = Evaluator(ranking.job, ranking.tables, ranking.measured, GpuMemo())
        offers = ranking.offers.take(np.array([at]))
        here = evaluator.performance(offers)
        return cls(evaluator, offers, here, float(ranking.bill.epoch_usd[at]))

    def advice(self) -> Advice:
        """Return what holds the machine back, and what would lift it, at what cost."""
        job, tables = self.evaluator.job, self.evaluator.tables
        return advise(
            self.here.machines,
            float(self.here.machines.threads[0]),
            job.workload,
            tables.model,
            self.here.adjustment,
            fit_batch=job.fit_batch,
            memory_margin=job.memory_margin,
            measured=self.evaluator.measured,
            usable_share=tables.memory.usable_gpu_memory,
            costing=self._cost_of,
        )

    def _cost_of(self, machines: Machines, throughput: Throughput) -> FloatArray:
        """Return what an epoch costs on variants of the machine, at the same price."""
        job, count = self.evaluator.job, len(machines.num_gpus)
        once = starts_of(self.offers, self.here, job)
        starts = Starts(
            np.broadcast_to(once.failed, count), np.broadcast_to(once.elsewhere, count)
        )
        copies = self.offers.take(np.zeros(count, dtype=np.int64))
        return bill(copies, machines, throughput, job, starts).epoch_usd

    def bids(self) -> tuple[Bid, ...]:
        """Return what the job costs at each of several bids, the lowest bid first."""
        job, here = self.evaluator.job, self.here
        starts = starts_of(self.offers, here, job)
        return bids_on(self.offers, here.machines, here.throughput, job, starts)

    def effects(self) -> tuple[Effect, ...]:
        """Return what each assumption changes of the cost, the greatest change first."""
        return tuple(sorted(self._effects(), key=lambda one: -one.largest))

    def _effects(self) -> Iterator[Effect]:
        job, tables = self.evaluator.job, self.evaluator.tables
        for name, one in job.assumptions.listed().items():
            yield self._effect(name, "cost", one)
        for name, one in tables.assumptions().items():
            yield self._effect(name, "model", one)
        if job.workload.cpu_ms_per_sample > 0.0:
            yield self._effect(_CORE_TIME, "workload", _core_time(job))

    def _effect(self, name: str, of: Kind, one: Assumption) -> Effect:
        if one.low is None or one.high is None:
            return Effect(name, of, one, self.epoch_usd)
        low, high = (self._cost_with(name, of, value) for value in (one.low, one.high))
        return Effect(name, of, one, self.epoch_usd, low, high)

    def _cost_with(self, name: str, of: Kind, value: float) -> float:
        """Return what an epoch costs with another figure; NaN where it does not run."""
        here, evaluator = self.here, self.evaluator
        job, tables = evaluator.job, evaluator.tables
        if of == "cost":
            evaluator = replace(evaluator, job=_assuming(job, name, value))
        else:
            if of == "workload":
                job = replace(
                    job, workload=replace(job.workload, cpu_ms_per_sample=value)
                )
            else:
                tables = tables.replaced(name, value)
            evaluator = self._evaluator(job, tables)
            here = evaluator.performance(self.offers)
        cost = evaluator.bill(self.offers, here)
        runs = why_unusable(here, cost, evaluator.job)[0] == ""
        return float(cost.epoch_usd[0]) if runs else math.nan

    def _evaluator(self, job: Job, tables: Tables) -> Evaluator:
        """Return an evaluator of a changed job or model.

        What the model says of the GPU stays: no assumption changes that. What runs of the
        user's own say of the rest is found anew.
        """
        known = GpuMemo(rates=self.evaluator.memo.rates)
        if self.evaluator.measured is None and not job.machines:
            return Evaluator(job, tables, None, known)
        return replace(Evaluator.of(job, tables), memo=known)


def _assuming(job: Job, name: str, value: float) -> Job:
    """Return the job with another assumption, on the disk that it then needs."""
    moved = replace(job.assumptions, **{name: value})
    disk_gb = job.disk_gb
    if disk_gb == needed_disk_gb(job.workload, job.assumptions):  # nobody stated another
        disk_gb = needed_disk_gb(job.workload, moved)
    return replace(job, assumptions=moved, disk_gb=disk_gb)


def _core_time(job: Job) -> Assumption:
    """Return the core time of a sample, which the profile states with a spread."""
    workload = job.workload
    value, factor = workload.cpu_ms_per_sample, math.exp(Z90 * workload.cpu_ms_log_sd)
    return Assumption(
        value,
        "core-ms per sample",
        workload.sources.get(_CORE_TIME, "the profile"),
        value / factor,
        value * factor,
        "90 % interval of the profile's cpu_ms_log_sd",
    )
