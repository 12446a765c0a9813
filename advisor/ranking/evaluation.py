"""What is said of each offer alone: how fast, in what image, at what cost, if at all.

Offers are evaluated in chunks, so that a million of them need no more memory than the
columns of the listing; what is equal among them is computed once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray, distinct, joined
from advisor.base.resources import models_folder
from advisor.cost.bill import Bill, bill
from advisor.cost.expected import Starts
from advisor.cost.job import Job
from advisor.hardware.cpus import CpuTable, load_cpus
from advisor.hardware.gpus import GpuTable, load_gpus
from advisor.hardware.machines import Machines, describe
from advisor.market.offers import Offers
from advisor.ranking.policy import Choice, Costs
from advisor.software.fit import SoftwareFit, software_fit
from advisor.throughput.artifact import MODELLED, ThroughputModel, load_model
from advisor.throughput.health import Health, health
from advisor.throughput.kinds import GpuMemo
from advisor.throughput.own_runs import Measured
from advisor.throughput.predict import Throughput, measure, predict
from advisor.workloads.host_memory import (
    HostMemory,
    failed_starts,
    host_memory,
    host_risk,
    surely_too_small,
)

CHUNK = 4096
"""Offers that are evaluated together: their arrays fit a processor's cache, about."""

_TIGHT = 0.1
"""Probability that the host's memory does not suffice from which it is told."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What predictions rest on: the hardware tables and the throughput model."""

    gpus: GpuTable
    cpus: CpuTable
    model: ThroughputModel


def load_tables(models: Path | None = None) -> Tables:
    """Load the hardware tables, and the model of a folder (None: the shipped one)."""
    return Tables(load_gpus(), load_cpus(), load_model(models or models_folder()))


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What is said of each of N offers alone, see `Ranking`."""

    machines: Machines
    condition: Health
    throughput: Throughput
    software: SoftwareFit
    host_need_gb: FloatArray
    start_risk: FloatArray
    bill: Bill
    usable: BoolArray
    flags: Mapping[str, BoolArray]


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates offers for one job, a chunk at a time; what is equal only once."""

    job: Job
    tables: Tables
    measured: Measured | None
    memo: GpuMemo

    @classmethod
    def of(cls, job: Job, tables: Tables) -> Self:
        """Return an evaluator that has seen no offer yet."""
        model = tables.model
        measured = measure(job.runs, job.workload, model, tables.gpus, tables.cpus)
        return cls(job, tables, measured, GpuMemo())

    @property
    def chunk(self) -> int:
        """Offers that are evaluated together; fewer where each is costed at many bids."""
        return CHUNK // 4 if self.job.rental == "interruptible" else CHUNK

    def all(self, offers: Offers) -> tuple[Evaluated, Counter[str]]:
        """Evaluate offers; also count those that do not run the job, by reason."""
        parts = list(self._chunks(offers, np.arange(len(offers))))
        unusable = sum((out for _, out in parts), Counter[str]())
        return joined([part for part, _ in parts]), unusable

    def costs(
        self, offers: Offers, places: IntArray, choice: Choice
    ) -> tuple[Costs, Counter[str]]:
        """Return what decides among the offers at `places`; count as `all` does."""
        costs, unusable = list[Costs](), Counter[str]()
        for part, out in self._chunks(offers, places):
            costs.append(Costs.of(part.bill, part.usable, choice))
            unusable += out
        return joined(costs), unusable

    def _chunks(
        self, offers: Offers, places: IntArray
    ) -> Iterator[tuple[Evaluated, Counter[str]]]:
        """Evaluate the offers at `places` chunk by chunk, one at least."""
        if len(places) > self.chunk:
            self._prime(offers, places)
        for start in range(0, max(len(places), 1), self.chunk):
            yield self._evaluated(offers.take(places[start : start + self.chunk]))

    def _prime(self, offers: Offers, places: IntArray) -> None:
        """Note what is said of the GPUs of all these offers, asked for at once.

        The figures are then those of one chunk, to the last bit that a matrix product
        rounds by what else is in it.
        """
        memory = np.nan_to_num(offers.gpu_ram_mb, nan=-1.0)  # NaN is not equal to itself
        told = (offers.gpu_name, memory, offers.num_gpus)
        _, code = distinct(zip(*(one[places].tolist() for one in told), strict=True))
        _, first = np.unique(code, return_index=True)
        self._evaluated(offers.take(places[first]))

    def _evaluated(self, offers: Offers) -> tuple[Evaluated, Counter[str]]:
        """Evaluate one chunk."""
        job, tables = self.job, self.tables
        machines = describe(offers, tables.gpus, tables.cpus, tables.model.cpu)
        condition = health(offers, machines, tables.model.dlperf)
        throughput = predict(
            machines,
            job.workload,
            tables.model,
            condition,
            fit_batch=job.fit_batch,
            memory_margin=job.memory_margin,
            measured=self.measured,
            memo=self.memo,
        )
        software = software_fit(offers, machines.gpu, job.images)
        need = _host_memory(machines, throughput, job)
        risk = host_risk(need.total, machines.ram_gb)
        gpu_risk = np.nan_to_num(throughput.memory_risk)
        deverified = offers.verification == "deverified"
        broken = np.where(deverified, job.assumptions.deverified_fails, 0.0)
        # A machine that does not run the image, whose GPU does not hold the training, or
        # that is broken is not tried twice.
        once = software.risk + gpu_risk + broken
        failed = failed_starts(need.total, machines.ram_gb) + once
        runs = (1.0 - gpu_risk) * (1.0 - software.risk) * (1.0 - broken)
        runs = runs * (1.0 - np.nan_to_num(risk))
        cost = bill(offers, machines, throughput, job, Starts(failed, 1.0 - runs))
        too_small = surely_too_small(need, machines.ram_gb)
        usable, unusable = _usable(throughput, software, too_small, cost, job)
        flags = {
            **_flags(offers, machines, condition, throughput, cost),
            "bf16_lacking": machines.lacks_bf16 & (job.workload.precision == "bf16"),
            **software.flags,
            "host_ram_tight": np.nan_to_num(risk) > _TIGHT,
            "gpu_memory_tight": gpu_risk > _TIGHT,
            "batch_fitted": np.full(len(offers), job.fit_batch),
        }
        found = Evaluated(
            machines,
            condition,
            throughput,
            software,
            need.total,
            risk,
            cost,
            usable,
            flags,
        )
        return found, unusable


def _host_memory(machines: Machines, throughput: Throughput, job: Job) -> HostMemory:
    """Return what the job needs of the host's memory on each offer."""
    held = np.maximum(throughput.micro_batch, 1)
    return host_memory(
        job.workload, machines.num_gpus, machines.threads, held, fitted=job.fit_batch
    )


def _usable(
    throughput: Throughput,
    software: SoftwareFit,
    host_too_small: BoolArray,
    cost: Bill,
    job: Job,
) -> tuple[BoolArray, Counter[str]]:
    """Return which offers run the job at all, and the reasons of the others."""
    reasons = {
        **software.reasons,
        "gpu_memory_too_small": ~throughput.fits,
        "host_ram_too_small": host_too_small,
        "unknown_gpu": np.isnan(throughput.samples_per_s),
        "no_bid_below_on_demand": np.isnan(cost.bid_usd_per_hour)
        & (job.rental == "interruptible"),
        "ends_too_soon": cost.ends_too_soon,
    }
    usable = np.ones(len(throughput.fits), dtype=bool)
    excluded: Counter[str] = Counter()
    for reason, holds in reasons.items():
        excluded[reason] = int(np.sum(usable & holds))
        usable &= ~holds
    return usable, +excluded


def _flags(
    offers: Offers,
    machines: Machines,
    condition: Health,
    throughput: Throughput,
    cost: Bill,
) -> dict[str, BoolArray]:
    """Return what a reader should know of each offer beside its figures."""
    return {
        **machines.flags,
        "gpu_not_modelled": np.array(
            [gpu is not None and gpu.vendor != MODELLED for gpu in machines.models],
            dtype=bool,
        )[machines.model],
        **condition.flags,
        **cost.flags,
        "price_contradictory": offers.price_contradictory,
        "batch_accumulated": throughput.accumulation_steps > 1,
        "ram_unknown": np.isnan(machines.ram_gb),
        "disk_speed_unknown": np.isnan(machines.disk_mb_s),
        "deverified": offers.verification == "deverified",
        "unverified": (offers.verification != "") & (offers.verification != "verified"),
    }
