"""Offers in the order of what an epoch costs on them, and why others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.base.assumption import Assumption
from advisor.base.errors import AdvisorError, NothingFitsError, UsageError
from advisor.base.units import GB_PER_GIB
from advisor.cost.bids import BidCurve, bid_curve
from advisor.cost.bill import Bill
from advisor.cost.job import Job
from advisor.hardware.host import THREADS_PER_GPU
from advisor.hardware.machines import Machines
from advisor.market.filters import Filters, offers_meeting
from advisor.market.offers import Offers
from advisor.ranking.evaluation import Evaluator, Tables, load_tables
from advisor.ranking.policy import Choice, Costs, chosen, nearest_misses, refusal
from advisor.software.fit import SoftwareFit
from advisor.throughput.artifact import ThroughputModel
from advisor.throughput.health import BROKEN_LOG_SD, EXPONENT, Health
from advisor.throughput.own_runs import Measured
from advisor.throughput.predict import Throughput
from advisor.workloads.host_memory import (
    MORE_PER_TRY,
    NEED_LOG_SD,
    WORKER_GB,
    WORKERS,
)
from advisor.workloads.memory import USABLE_SHARE, memory_gb

if TYPE_CHECKING:
    from advisor.throughput.advice import Advice

__all__ = [
    "Ranking",
    "Tables",
    "advice_of",
    "bids_of",
    "find_offer",
    "load_tables",
    "nothing_left",
    "rank",
    "rank_of",
    "rank_offers",
]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Offers in order, the best first, each array with one entry an offer.

    Attributes
    ----------
    offers, machines, condition, throughput, software, bill : what the rooms before say
        of the same N offers, in one and the same order, which is not the ranking's
    host_need_gb : 10^9 bytes of host memory that the job needs there, shape (N,)
    start_risk : probability that the host's memory does not suffice for it, NaN where
        that is unknown, shape (N,)
    measured : what runs of the user's own say; None: there are none
    order : positions into them, the best offer first, shape (R,), R <= N; where so many
        were asked for, the best of them
    alternatives : position -> positions of offers that share its GPUs and rank lower
    usable : which offers run the job at all, shape (N,)
    flags : name -> whether it holds, shape (N,) each
    excluded : reason -> how many of the records read are left out for it
    read : records that the market gave
    tables : hardware tables and throughput model
    job : what is to be done
    choice : how the user chooses
    assumptions : name -> figure that the answer rests on and nobody measured
    model_identity : which model predicted
    """

    offers: Offers
    machines: Machines
    condition: Health
    measured: Measured | None
    throughput: Throughput
    software: SoftwareFit
    host_need_gb: FloatArray
    start_risk: FloatArray
    bill: Bill
    order: IntArray
    alternatives: Mapping[int, tuple[int, ...]]
    usable: BoolArray
    flags: Mapping[str, BoolArray]
    excluded: Mapping[str, int]
    read: int
    tables: Tables
    job: Job
    choice: Choice
    assumptions: Mapping[str, Assumption]
    model_identity: Mapping[str, Any]


def rank(
    records: Iterable[Any],
    job: Job,
    tables: Tables,
    filters: Filters,
    choice: Choice | None = None,
    *,
    top: int | None = None,
) -> Ranking:
    """Rank a market's records by what an epoch of `job` costs.

    Parameters
    ----------
    records : offers as the market's JSON has them; looked at once, so that a stream of
        them is never held whole
    job : what is to be done
    tables : hardware tables and throughput model
    filters : the user's constraints
    choice : how the user chooses; None: the least expected cost
    top : see `rank_offers`
    """
    offers, keep, excluded = offers_meeting(records, filters, job.disk_gb)
    read = int(keep.sum()) + excluded.total()
    ranking = _ranked(offers, np.flatnonzero(keep), job, tables, choice, top)
    reasons = excluded + Counter(ranking.excluded)
    return replace(ranking, excluded=dict(sorted(reasons.items())), read=read)


def rank_offers(
    offers: Offers,
    job: Job,
    tables: Tables,
    choice: Choice | None = None,
    *,
    top: int | None = None,
) -> Ranking:
    """Rank offers that are parsed already and that all meet the constraints.

    Parameters
    ----------
    offers : N offers
    job : what is to be done
    tables : hardware tables and throughput model
    choice : how the user chooses; None: the least expected cost
    top : how many of the best are asked for; None: all. The ranking may then hold these
        alone, with those that share their GPUs, or the nearest misses where there is no
        choice; order, figures and counts are those of the whole
    """
    return _ranked(offers, np.arange(len(offers)), job, tables, choice, top)


def _ranked(  # noqa: PLR0917  (those of `rank_offers`)
    offers: Offers,
    places: IntArray,
    job: Job,
    tables: Tables,
    choice: Choice | None,
    top: int | None,
) -> Ranking:
    """Rank the offers at `places`; a copy of all of them is not made for a few."""
    choice = choice or Choice()
    evaluator = Evaluator.of(job, tables)
    read = len(places)
    if top is None or read <= evaluator.chunk:
        offers, places = offers.take(places), np.arange(read)
        here, unusable = evaluator.all(offers)
        cost = Costs.of(here.bill, here.usable, choice)
        order, alternatives, excluded = chosen(offers, places, cost, choice)
    else:
        cost, unusable = evaluator.costs(offers, places, choice)
        order, alternatives, excluded = chosen(offers, places, cost, choice)
        order = order[:top]
        others = [other for at in order.tolist() for other in alternatives.get(at, ())]
        needed = np.unique(np.append(order, np.array(others, dtype=np.int64)))
        if not len(order):
            needed = places[nearest_misses(cost, choice)]
        place = {at: new for new, at in enumerate(needed.tolist())}
        alternatives = {
            place[at]: tuple(place[other] for other in alternatives[at])
            for at in order.tolist()
            if at in alternatives
        }
        offers, order = offers.take(needed), np.searchsorted(needed, order)
        here, _ = evaluator.all(offers)
    measured = evaluator.measured
    return Ranking(
        offers=offers,
        machines=here.machines,
        condition=here.condition,
        measured=measured,
        throughput=here.throughput,
        software=here.software,
        host_need_gb=here.host_need_gb,
        start_risk=here.start_risk,
        bill=here.bill,
        order=order,
        alternatives=alternatives,
        usable=here.usable,
        flags=here.flags,
        excluded=dict(sorted((unusable + excluded).items())),
        read=read,
        tables=tables,
        job=job,
        choice=choice,
        assumptions=_assumptions(job, tables.model),
        model_identity={
            **tables.model.identity,
            "rests_on": {
                **tables.model.rests_on(job.workload),
                "own_runs": measured.runs if measured else 0,
                "silent_runs": list(measured.silent) if measured else [],
            },
        },
    )


_USUAL_GIB = 24
"""Memory of a usual GPU for rent, from which it is said what would fit."""


def nothing_left(ranking: Ranking) -> AdvisorError:
    """Return the error of a ranking without a choice: why, and what would help."""
    if ranking.read == 0:
        message = "the market is empty: it lists no offer, or none of what was asked for"
        return NothingFitsError(message)
    if ranking.choice.limits_the_job and ranking.usable.any():
        cost = Costs.of(ranking.bill, ranking.usable, ranking.choice)
        return refusal(ranking.offers, cost, ranking.job, ranking.choice)
    counts = ", ".join(f"{name} {count:,}" for name, count in ranking.excluded.items())
    out = f" (left out: {counts})" if counts else ""
    message = f"no offer fits{out}: {_what_helps(ranking)}"
    return NothingFitsError(message)


def _what_helps(ranking: Ranking) -> str:
    """Return what to do where nothing fits."""
    if "gpu_memory_too_small" not in ranking.excluded:
        return "loosen the constraints or take a smaller workload"
    from advisor.workloads.fitting import (  # noqa: PLC0415  (a refusal alone)
        what_would_fit,
    )

    workload = ranking.job.workload
    hints = what_would_fit(workload, _USUAL_GIB * GB_PER_GIB, 1)
    needs = float(memory_gb(workload, 1))
    return (
        f"a sample needs {needs:.1f} GB of GPU memory; what would fit, from one GPU of "
        f"{_USUAL_GIB} GB: {', or '.join(hints) or 'nothing that this project knows'}"
    )


def find_offer(ranking: Ranking, offer_id: int) -> int:
    """Return the position of an offer that the job can run on.

    Raises
    ------
    advisor.base.errors.UsageError
        if the offer is not among those that were read and meet the constraints
    advisor.base.errors.NothingFitsError
        if the job cannot run on it, or the market is empty
    """
    if ranking.read == 0:
        raise nothing_left(ranking)
    (places,) = np.nonzero(ranking.offers.offer_id == offer_id)
    if not len(places):
        out = ", ".join(f"{name} {count:,}" for name, count in ranking.excluded.items())
        message = (
            f"offer {offer_id} is not among the {len(ranking.offers):,} offers that this "
            f"job could rent: it is gone, or left out ({out or 'nothing is'})"
        )
        raise UsageError(message)
    at = int(places[0])
    if not ranking.usable[at]:
        one = rank_offers(
            ranking.offers.take(places[:1]), ranking.job, ranking.tables, ranking.choice
        )
        message = f"offer {offer_id} cannot run this job: {', '.join(one.excluded)}"
        raise NothingFitsError(message)
    return at


def rank_of(ranking: Ranking, at: int) -> int | None:
    """Return the rank of the offer at a position; None where it is no choice."""
    (places,) = np.nonzero(ranking.order == at)
    return int(places[0]) + 1 if len(places) else None


def advice_of(ranking: Ranking, at: int) -> Advice:
    """Return what holds back the machine at a position, and what would lift it."""
    from advisor.throughput.advice import advise  # noqa: PLC0415  (not to rank)

    here = np.array([at])
    return advise(
        ranking.machines.take(here),
        float(ranking.machines.threads[at]),
        ranking.job.workload,
        ranking.tables.model,
        ranking.condition.take(here),
        fit_batch=ranking.job.fit_batch,
        memory_margin=ranking.job.memory_margin,
        measured=ranking.measured,
    )


def bids_of(ranking: Ranking, at: int) -> BidCurve:
    """Return what bids cost on the one offer at a position."""
    here = np.array([at])
    one = rank_offers(ranking.offers.take(here), ranking.job, ranking.tables)
    bill, job = one.bill, one.job
    listed = replace(bill.terms, gpu_usd_per_h=one.offers.dph_base)
    training_h = bill.epoch_hours * job.epochs
    return bid_curve(one.offers, listed, training_h, bill.failures_per_h, job)


def _assumptions(job: Job, model: ThroughputModel) -> dict[str, Assumption]:
    """Return the assumptions of this ranking by name."""
    return {
        **job.assumptions.listed(),
        "threads_per_gpu_if_unknown": Assumption(
            THREADS_PER_GPU,
            "threads",
            "median of 1,447 Vast.ai offers of June to September 2026",
        ),
        "usable_gpu_memory": Assumption(
            USABLE_SHARE, "share", "1.5 % is the driver's, the rest an assumption"
        ),
        "host_memory_log_sd": Assumption(
            NEED_LOG_SD,
            "1",
            "assumption: log-sd of the host memory that a job needs, see "
            "advisor.workloads.host_memory",
        ),
        "host_memory_of_next_try": Assumption(
            MORE_PER_TRY,
            "1",
            "assumption: memory of the machine that is tried where one had too little, "
            "over that one's; it costs and trains the same",
        ),
        "loader_workers_per_gpu": Assumption(
            WORKERS,
            "1",
            f"assumption, of {WORKER_GB} GB each: counted in the host memory alone",
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
