"""A job on one offer, and a throughput that is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from advisor.base.resources import models_folder
from advisor.cost.assumptions import Assumptions
from advisor.cost.bill import Bill, bill
from advisor.cost.expected import AT_ONCE, Starts
from advisor.cost.job import Job, Rental
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.hardware.machines import describe
from advisor.market.offers import parse_offers
from advisor.throughput.artifact import load_model
from advisor.throughput.predict import Throughput
from advisor.workloads.load import load_workload
from advisor.workloads.profile import Workload

GPUS, CPUS = load_gpus(), load_cpus()
MODEL = load_model(models_folder())
CALM = {
    "failure_band": 1.0,
    "preemption_band": 1.0,
    "gpu_failures_per_h": 0.0,
    "delivered_log_sd": 0.0,
}

BillOf = Callable[..., Bill]


def throughput(count: int, rate: float, spread: float, cold: float) -> Throughput:
    """Return `count` equal throughputs, each known to a factor of `spread`."""
    every = np.ones(count)
    return Throughput(
        samples_per_s=every * rate,
        low=every * rate / spread,
        high=every * rate * spread,
        cold_samples_per_s=every * cold,
        limits={"gpu": every * rate},
        bound_by=np.array(["gpu"] * count, dtype=np.object_),
        micro_batch=every.astype(np.int64),
        accumulation_steps=every.astype(np.int64),
        memory_gb=every,
        memory_margin_gb=every,
        memory_risk=0.0 * every,
        fits=every.astype(bool),
    )


def bill_of(
    *records: dict[str, Any],
    rate: float = 1000.0,
    spread: float = 1.0,
    cold: float = 1e12,
    epochs: int = 10,
    disk_gb: float = 180.0,
    rental: Rental = "on-demand",
    workload: str | Workload = "resnet50",
    assumed: dict[str, float] | None = None,
    starts: Starts = AT_ONCE,
) -> Bill:
    """Return the bill of a job at a known rate, in the order of the records."""
    offers, _ = parse_offers(list(records))
    machines = describe(offers, GPUS, CPUS, MODEL.cpu)
    assumptions = Assumptions().replaced(assumed or {})
    trained = load_workload(workload) if isinstance(workload, str) else workload
    job = Job(trained, epochs, disk_gb, rental, assumptions)
    rates = throughput(len(offers), rate, spread, min(cold, rate))
    return bill(offers, machines, rates, job, starts)


@pytest.fixture(scope="session", name="bill_of")
def bill_of_records() -> BillOf:
    """Return the function that costs a job at a known rate."""
    return bill_of


@pytest.fixture(scope="session")
def calm() -> dict[str, float]:
    """Return the assumptions under which nothing is uncertain."""
    return CALM
