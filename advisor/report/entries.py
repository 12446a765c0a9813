"""A ranking as plain dictionaries: what JSON, CSV and the table show.

Numbers that are unknown are `None`, never zero and never NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from advisor.ranking.offer import RankedOffer
from advisor.ranking.ranking import Ranking
from advisor.throughput.spread import Z90, Spread

Entry = dict[str, Any]


def entries(ranking: Ranking, top: int | None = None) -> list[Entry]:
    """Return the best `top` offers of a ranking (all if `None`), best first.

    Each entry also says how it compares with others, see `ranking.ties.Comparison`.
    """
    shown = ranking[:top]
    return [
        {**entry(offer), **_compared(offer, leader, rank)}
        for (offer, leader), rank in zip(
            shown.with_ties(), shown.ranks.tolist(), strict=True
        )
    ]


def _compared(offer: RankedOffer, leader: RankedOffer | None, rank: int) -> Entry:
    """Return the keys of an entry that say how it compares."""
    found, at = offer.ranking.comparison(rank), rank - 1
    low, high = interval_of(offer, found.own, at)
    return {
        "epoch_usd_own_low": number(low),
        "epoch_usd_own_high": number(high),
        "first_cheaper": number(found.first_cheaper[at]),
        "tied_with": None if leader is None else leader.offer_id,
    }


def interval_of(offer: RankedOffer, part: Spread, at: int) -> tuple[float, float]:
    """Return the 90 % interval, $, that a part of its spread makes of a cost per epoch.

    As the whole interval, it lies about the middle, not about the expected cost, which is
    the greater, and holds that: so each part's lies within the whole.

    Parameters
    ----------
    part : log-sd of the cost through this part, of several offers
    at : which of them this one is
    """
    middle = float(offer.ranking.bill.epoch_usd_middle[offer.at])
    mean = offer.cost_usd_per_epoch
    low = middle * math.exp(-Z90 * float(part.fall[at]))
    high = middle * math.exp(Z90 * float(part.rise[at]))
    return min(low, mean), max(high, mean)


def entry(offer: RankedOffer) -> Entry:
    """Return one offer as the versioned JSON contract has it, its ties not looked at."""
    return {key: read(offer) for key, read in _OF_OFFER.items()}


def basis(ranking: Ranking) -> dict[str, Any]:
    """Return what every figure of a ranking rests on: job, model, assumptions."""
    job = ranking.job
    return {
        "workload": {
            **asdict(job.workload),
            "epochs": job.epochs,
            "disk_gb": job.disk_gb,
            "rental": job.rental,
        },
        "model": dict(ranking.model_identity),
        "assumptions": {name: asdict(one) for name, one in ranking.assumptions.items()},
    }


def number(value: float | None) -> float | None:
    """Return `value` as JSON can hold it: unknown and unlimited are `None`."""
    if value is None:
        return None
    plain = float(value)
    return plain if math.isfinite(plain) else None


_OF_OFFER: Mapping[str, Callable[[RankedOffer], Any]] = {
    "rank": lambda one: one.rank,
    "offer_id": lambda one: one.offer_id,
    "machine_id": lambda one: one.machine_id,
    "gpu_name": lambda one: one.gpu_name,
    "num_gpus": lambda one: one.num_gpus,
    "cpu_name": lambda one: one.cpu_name,
    "cpu_cores": lambda one: number(one.cpu_cores),
    "cpu_ghz": lambda one: number(one.cpu_ghz),
    "usd_per_hour": lambda one: number(one.price_usd_per_h),
    "bid_usd_per_hour": lambda one: number(one.bid_usd_per_h),
    "samples_per_s": lambda one: number(one.samples_per_s),
    "samples_per_s_low": lambda one: number(one.samples_per_s_low),
    "samples_per_s_high": lambda one: number(one.samples_per_s_high),
    "bound_by": lambda one: one.bound_by,
    "limits": lambda one: {name: number(rate) for name, rate in one.limits.items()},
    "micro_batch": lambda one: one.micro_batch,
    "accumulation_steps": lambda one: one.accumulation_steps,
    "memory_gb": lambda one: number(one.memory_gb),
    "memory_margin_gb": lambda one: number(one.memory_margin_gb),
    "memory_risk": lambda one: number(one.memory_risk),
    "epoch_hours": lambda one: number(one.epoch_h),
    "epoch_hours_low": lambda one: number(one.epoch_h_low),
    "epoch_hours_high": lambda one: number(one.epoch_h_high),
    "epoch_usd": lambda one: number(one.cost_usd_per_epoch),
    "epoch_usd_low": lambda one: number(one.cost_usd_per_epoch_low),
    "epoch_usd_high": lambda one: number(one.cost_usd_per_epoch_high),
    "epoch_rent_usd": lambda one: number(one.rent_usd_per_epoch),
    "epoch_storage_usd": lambda one: number(one.storage_usd_per_epoch),
    "epoch_traffic_usd": lambda one: number(one.traffic_usd_per_epoch),
    "epoch_next_machine_usd": lambda one: number(one.next_machine_usd_per_epoch),
    "epoch_waiting_usd": lambda one: number(one.waiting_usd_per_epoch),
    "job_usd": lambda one: number(one.job_usd),
    "job_hours": lambda one: number(one.job_h),
    "checkpoint_hours": lambda one: number(one.checkpoint_h),
    "expected_failures": lambda one: number(one.expected_failures),
    "expected_preemptions": lambda one: number(one.expected_preemptions),
    "expected_moves": lambda one: number(one.expected_moves),
    "expected_failed_starts": lambda one: number(one.expected_failed_starts),
    "image": lambda one: one.image,
    "compute_capability": lambda one: number(one.compute_capability),
    "cuda_max": lambda one: number(one.cuda_max),
    "driver_version": lambda one: one.driver_version,
    "cpu_arch": lambda one: one.cpu_arch,
    "host_ram_gb": lambda one: number(one.host_ram_gb),
    "host_ram_needed_gb": lambda one: number(one.host_ram_needed_gb),
    "host_ram_risk": lambda one: number(one.host_ram_risk),
    "inet_down_mbit_s": lambda one: number(one.inet_down_mbit_s),
    "inet_up_mbit_s": lambda one: number(one.inet_up_mbit_s),
    "disk_mb_s": lambda one: number(one.disk_mb_s),
    "verification": lambda one: one.verification,
    "hosting_type": lambda one: number(one.hosting_type),
    "direct_port_count": lambda one: number(one.direct_port_count),
    "reliability": lambda one: number(one.reliability),
    "geolocation": lambda one: one.geolocation,
    "duration_s": lambda one: number(one.duration_s),
    "core_speed": lambda one: number(one.core_speed),
    "tied_with": lambda _: None,
    "alternatives": lambda one: [other.offer_id for other in one.alternatives],
    "flags": lambda one: list(one.flags),
}
"""Key of an entry -> what it is of an offer; ties are not looked at here."""

ENTRY_KEYS: tuple[str, ...] = (
    *_OF_OFFER,
    *("epoch_usd_own_low", "epoch_usd_own_high", "first_cheaper"),
)
"""The keys of an entry of a ranking."""
