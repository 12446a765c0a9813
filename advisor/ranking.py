"""Offers in the order of what an epoch costs on them, and why others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from advisor.arrays import BoolArray, IntArray
from advisor.cost.bill import TRAFFIC_USD_PER_GB_IF_UNKNOWN, Assumption, Bill, Job, bill
from advisor.hardware.cpus import CpuTable, load_cpus
from advisor.hardware.gpus import GpuTable, load_gpus
from advisor.hardware.machines import THREADS_PER_GPU, Machines, describe
from advisor.market.filters import Filters, apply_filters
from advisor.market.offers import Offers, parse_offers
from advisor.resources import models_folder
from advisor.throughput.artefact import MODELLED, ThroughputModel, load_model
from advisor.throughput.health import BROKEN_LOG_SD, EXPONENT, Health, health
from advisor.throughput.predict import Throughput, predict
from advisor.workloads.memory import USABLE_SHARE

SortKey = Literal["epoch-cost", "epoch-time", "price"]
SORT_KEYS: tuple[SortKey, ...] = get_args(SortKey)


@dataclass(frozen=True, slots=True)
class Tables:
    """What predictions rest on: the hardware tables and the throughput model."""

    gpus: GpuTable
    cpus: CpuTable
    model: ThroughputModel


def load_tables() -> Tables:
    """Load the hardware tables and the model that ship with the package."""
    return Tables(load_gpus(), load_cpus(), load_model(models_folder()))


@dataclass(frozen=True, slots=True)
class Ranking:
    """Offers in order, the best first, each array with one entry an offer.

    Attributes
    ----------
    offers, machines, throughput, bill : what the rooms before say of the same N
        offers, in one and the same order, which is not the ranking's
    order : positions into them, the best offer first, shape (R,), R <= N
    flags : name -> whether it holds, shape (N,) each
    excluded : reason -> how many of the records read are left out for it
    read : records that the market gave
    job : what is to be done
    assumptions : name -> figure that the answer rests on and nobody measured
    model_identity : which model predicted
    """

    offers: Offers
    machines: Machines
    throughput: Throughput
    bill: Bill
    order: IntArray
    flags: Mapping[str, BoolArray]
    excluded: Mapping[str, int]
    read: int
    job: Job
    assumptions: Mapping[str, Assumption]
    model_identity: Mapping[str, Any]


def rank(
    records: Iterable[Any],
    job: Job,
    tables: Tables,
    filters: Filters,
    sort: SortKey = "epoch-cost",
) -> Ranking:
    """Rank a market's records by what an epoch of `job` costs.

    Parameters
    ----------
    records : offers as the market's JSON has them
    job : what is to be done
    tables : hardware tables and throughput model
    filters : the user's constraints
    sort : what the order goes by; ties go to the cheaper epoch, the shorter
        epoch, the lower price and at last the lower offer id
    """
    listed = list(records)
    parsed, excluded = parse_offers(listed)
    keep, filtered = apply_filters(parsed, filters, job.disk_gb)
    ranking = rank_offers(parsed.take(keep), job, tables, sort)
    reasons = excluded + filtered + Counter(ranking.excluded)
    return replace(ranking, excluded=dict(sorted(reasons.items())), read=len(listed))


def rank_offers(
    offers: Offers, job: Job, tables: Tables, sort: SortKey = "epoch-cost"
) -> Ranking:
    """Rank offers that are parsed already and that all meet the constraints."""
    machines = describe(offers, tables.gpus, tables.cpus, tables.model.cpu)
    condition = health(offers, machines, tables.model.gpu.dlperf)
    throughput = predict(machines, job.workload, tables.model, condition)
    cost = bill(offers, throughput, job)
    usable, unusable = _usable(throughput)
    return Ranking(
        offers=offers,
        machines=machines,
        throughput=throughput,
        bill=cost,
        order=_order(offers, cost, usable, sort),
        flags=_flags(offers, machines, condition, throughput, cost),
        excluded=dict(sorted(unusable.items())),
        read=len(offers),
        job=job,
        assumptions=_assumptions(tables.model),
        model_identity={
            **tables.model.identity,
            "rests_on": tables.model.rests_on(job.workload),
        },
    )


def _usable(throughput: Throughput) -> tuple[BoolArray, Counter[str]]:
    """Return which offers run the workload at all, and the reasons of the others."""
    unknown = np.isnan(throughput.samples_per_s) & throughput.fits
    too_small = ~throughput.fits
    excluded = Counter(
        unknown_gpu=int(np.sum(unknown)), gpu_memory_too_small=int(np.sum(too_small))
    )
    return ~(unknown | too_small), +excluded


def _order(offers: Offers, cost: Bill, usable: BoolArray, sort: SortKey) -> IntArray:
    """Return the positions of the usable offers, the best first."""
    by = {
        "epoch-cost": cost.epoch_usd,
        "epoch-time": cost.epoch_hours,
        "price": cost.usd_per_hour,
    }
    keys = (
        offers.offer_id,
        cost.usd_per_hour,
        cost.epoch_hours,
        cost.epoch_usd,
        by[sort],
    )
    order = np.lexsort(keys)
    return order[usable[order]]


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
            [gpu is not None and gpu.vendor != MODELLED for gpu in machines.gpu],
            dtype=bool,
        ),
        **condition.flags,
        **cost.flags,
        "batch_accumulated": throughput.accumulation_steps > 1,
        "ram_unknown": np.isnan(machines.ram_gb),
        "disk_speed_unknown": np.isnan(machines.disk_mb_s),
        "unverified": ~np.isin(offers.verification, ("", "verified")),
    }


def _assumptions(model: ThroughputModel) -> dict[str, Assumption]:
    """Return the assumptions of this ranking by name."""
    return {
        "traffic_usd_per_gb_if_unknown": TRAFFIC_USD_PER_GB_IF_UNKNOWN,
        "threads_per_gpu_if_unknown": Assumption(
            THREADS_PER_GPU,
            "threads",
            "median of 1,447 Vast.ai offers of June to September 2026",
        ),
        "usable_gpu_memory": Assumption(
            USABLE_SHARE, "share", "1.5 % is the driver's, the rest an assumption"
        ),
        "dlperf_exponent": Assumption(
            EXPONENT,
            "1",
            "assumption: power of the DLPerf score over the median of its GPU and number "
            "of GPUs that their rate follows, beyond a factor of 1.1 and within 0.75 to "
            "1.1 (advisor.throughput.health)",
        ),
        "dlperf_broken_log_sd": Assumption(
            BROKEN_LOG_SD,
            "1",
            "assumption: added log-sd of the rate where the score cannot be right",
        ),
        **{
            name: Assumption(value, unit, source)
            for name, (value, unit, source) in model.assumptions.items()
        },
    }
