"""What is computed for each offer alone: how fast, in what image, at what cost.

Offers are evaluated in chunks, so that a million of them need no more memory than the
columns of the listing; what is equal among them is computed once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray, ObjectArray, distinct
from advisor.base.columns import concat
from advisor.cost.bill import Bill, bill
from advisor.cost.expected import Starts
from advisor.cost.job import Job
from advisor.hardware.machines import Machines
from advisor.market.offers import Offers
from advisor.ranking.policy import Costs, Policy
from advisor.software.fit import SoftwareFit
from advisor.throughput.dlperf import DlperfAdjustment
from advisor.throughput.kinds import GpuMemo
from advisor.throughput.performance import Performance, performance
from advisor.throughput.predict import Throughput, measure
from advisor.throughput.tables import Tables
from advisor.throughput.user_runs import Calibration

CHUNK = 4096
"""Offers that are evaluated together: their arrays fit a processor's cache, about."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What is computed for each of N offers alone, see `Ranking`."""

    machines: Machines
    adjustment: DlperfAdjustment
    throughput: Throughput
    software: SoftwareFit
    host_need_gb: FloatArray
    start_risk: FloatArray
    bill: Bill
    unusable: ObjectArray
    flags: Mapping[str, BoolArray]


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates offers for one job, a chunk at a time; what is equal only once."""

    job: Job
    tables: Tables
    measured: Calibration | None
    memo: GpuMemo

    @classmethod
    def of(cls, job: Job, tables: Tables) -> Self:
        """Return an evaluator that has seen no offer yet."""
        tables = tables.knowing(job.machines)
        measured = measure(
            job.runs,
            job.workload,
            tables.model,
            tables.gpus,
            tables.cpus,
            others=job.other_runs,
            known=tables.known,
        )
        return cls(job, tables, measured, GpuMemo())

    @property
    def chunk(self) -> int:
        """Offers that are evaluated together; fewer where each is costed at many bids."""
        return CHUNK // 4 if self.job.rental == "interruptible" else CHUNK

    def performance(self, offers: Offers) -> Performance:
        """Return how the job runs on offers, before money is spoken of."""
        return performance(
            offers,
            self.job.workload,
            self.tables,
            self.job.images,
            fit_batch=self.job.fit_batch,
            memory_margin=self.job.memory_margin,
            measured=self.measured,
            memo=self.memo,
            ids=offers.machine_id,
            market=self.job.market,
        )

    def bill(self, offers: Offers, here: Performance) -> Bill:
        """Return what the job costs where it runs so."""
        starts = starts_of(offers, here, self.job)
        return bill(offers, here.machines, here.throughput, self.job, starts)

    def all(self, offers: Offers) -> tuple[Evaluated, Counter[str]]:
        """Evaluate offers; also count those that do not run the job, by reason."""
        parts = list(self._chunks(offers, np.arange(len(offers))))
        unusable = sum((out for _, out in parts), Counter[str]())
        return concat([part for part, _ in parts]), unusable

    def costs(
        self, offers: Offers, places: IntArray, policy: Policy
    ) -> tuple[Costs, Counter[str]]:
        """Return what decides among the offers at `places`; count as `all` does."""
        costs, unusable = list[Costs](), Counter[str]()
        for part, out in self._chunks(offers, places):
            costs.append(Costs.of(part.bill, part.unusable == "", policy))
            unusable += out
        return concat(costs), unusable

    def _chunks(
        self, offers: Offers, places: IntArray
    ) -> Iterator[tuple[Evaluated, Counter[str]]]:
        """Evaluate the offers at `places` chunk by chunk, one at least."""
        if len(places) > self.chunk:
            self._prime(offers, places)
        for start in range(0, max(len(places), 1), self.chunk):
            yield self._evaluated(offers.take(places[start : start + self.chunk]))

    def _prime(self, offers: Offers, places: IntArray) -> None:
        """Note what is known of the GPUs of all these offers, asked for at once.

        The figures are then those of one chunk, to the last bit that a matrix product
        rounds by what else is in it.
        """
        memory = np.nan_to_num(offers.gpu_ram_mb, nan=-1.0)  # NaN is not equal to itself
        named = (offers.gpu_name, memory, offers.num_gpus)
        _, code = distinct(zip(*(one[places].tolist() for one in named), strict=True))
        _, first = np.unique(code, return_index=True)
        self._evaluated(offers.take(places[first]))

    def _evaluated(self, offers: Offers) -> tuple[Evaluated, Counter[str]]:
        """Evaluate one chunk."""
        job = self.job
        here = self.performance(offers)
        cost = self.bill(offers, here)
        unusable = why_unusable(here, cost, job)
        found = Evaluated(
            machines=here.machines,
            adjustment=here.adjustment,
            throughput=here.throughput,
            software=here.software,
            host_need_gb=here.host_need_gb,
            start_risk=here.host_risk,
            bill=cost,
            unusable=unusable,
            flags={
                **here.of_machine,
                **cost.flags,
                "price_contradictory": offers.price_contradictory,
                **here.of_training,
                "deverified": offers.verification == "deverified",
                "unverified": (offers.verification != "")
                & (offers.verification != "verified"),
                **here.of_fit,
            },
        )
        return found, Counter(unusable[unusable != ""].tolist())


def starts_of(offers: Offers, here: Performance, job: Job) -> Starts:
    """Return how the job comes to run on each offer.

    A machine that does not run the image, whose GPU does not hold the training, or that
    is broken is not tried twice.
    """
    gpu_risk = np.nan_to_num(here.throughput.memory_risk)
    deverified = offers.verification == "deverified"
    broken = np.where(deverified, job.assumptions.deverified_fails, 0.0)
    failed = here.host_failed_starts + (here.software.risk + gpu_risk + broken)
    runs = (1.0 - gpu_risk) * (1.0 - here.software.risk) * (1.0 - broken)
    runs = runs * (1.0 - np.nan_to_num(here.host_risk))
    return Starts(failed, 1.0 - runs)


def why_unusable(here: Performance, cost: Bill, job: Job) -> ObjectArray:
    """Return why each offer does not run the job, ``""`` where it does."""
    reasons = {
        **here.software.reasons,
        "gpu_memory_too_small": ~here.throughput.fits,
        "host_ram_too_small": here.host_too_small,
        "unknown_gpu": np.isnan(here.throughput.samples_per_s),
        "no_bid_below_on_demand": np.isnan(cost.bid_usd_per_hour)
        & (job.rental == "interruptible"),
        "ends_too_soon": cost.ends_too_soon,
    }
    unusable = np.full(len(here.host_risk), "", dtype=object)
    for reason, holds in reversed(reasons.items()):  # of several the first is shown
        unusable[holds] = reason
    return unusable
