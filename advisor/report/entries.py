"""A ranking as plain dictionaries: what JSON, CSV and the table show.

Numbers that are unknown are `None`, never zero and never NaN.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from advisor.ranking.offer import RankedOffer
from advisor.ranking.ranking import Ranking

Entry = dict[str, Any]


def entries(ranking: Ranking, top: int | None = None) -> list[Entry]:
    """Return the best `top` offers of a ranking (all if `None`), best first.

    Each entry also names the better offer that it cannot be told from.
    """
    return [
        {**entry(offer), "tied_with": None if leader is None else leader.offer_id}
        for offer, leader in ranking[:top].with_ties()
    ]


def entry(offer: RankedOffer) -> Entry:
    """Return one offer as the versioned JSON contract has it, its ties not looked at."""
    return {
        "rank": offer.rank,
        "offer_id": offer.offer_id,
        "machine_id": offer.machine_id,
        "gpu_name": offer.gpu_name,
        "num_gpus": offer.num_gpus,
        "cpu_name": offer.cpu_name,
        "cpu_cores": number(offer.cpu_cores),
        "cpu_ghz": number(offer.cpu_ghz),
        "usd_per_hour": number(offer.price_usd_per_h),
        "bid_usd_per_hour": number(offer.bid_usd_per_h),
        "samples_per_s": number(offer.samples_per_s),
        "samples_per_s_low": number(offer.samples_per_s_low),
        "samples_per_s_high": number(offer.samples_per_s_high),
        "bound_by": offer.bound_by,
        "limits": {name: number(rate) for name, rate in offer.limits.items()},
        "micro_batch": offer.micro_batch,
        "accumulation_steps": offer.accumulation_steps,
        "memory_gb": number(offer.memory_gb),
        "memory_margin_gb": number(offer.memory_margin_gb),
        "memory_risk": number(offer.memory_risk),
        "epoch_hours": number(offer.epoch_h),
        "epoch_hours_low": number(offer.epoch_h_low),
        "epoch_hours_high": number(offer.epoch_h_high),
        "epoch_usd": number(offer.cost_usd_per_epoch),
        "epoch_usd_low": number(offer.cost_usd_per_epoch_low),
        "epoch_usd_high": number(offer.cost_usd_per_epoch_high),
        "epoch_rent_usd": number(offer.rent_usd_per_epoch),
        "epoch_storage_usd": number(offer.storage_usd_per_epoch),
        "epoch_traffic_usd": number(offer.traffic_usd_per_epoch),
        "epoch_next_machine_usd": number(offer.next_machine_usd_per_epoch),
        "epoch_waiting_usd": number(offer.waiting_usd_per_epoch),
        "job_usd": number(offer.job_usd),
        "job_hours": number(offer.job_h),
        "checkpoint_hours": number(offer.checkpoint_h),
        "expected_failures": number(offer.expected_failures),
        "expected_preemptions": number(offer.expected_preemptions),
        "expected_moves": number(offer.expected_moves),
        "expected_failed_starts": number(offer.expected_failed_starts),
        "image": offer.image,
        "compute_capability": number(offer.compute_capability),
        "cuda_max": number(offer.cuda_max),
        "driver_version": offer.driver_version,
        "cpu_arch": offer.cpu_arch,
        "host_ram_gb": number(offer.host_ram_gb),
        "host_ram_needed_gb": number(offer.host_ram_needed_gb),
        "host_ram_risk": number(offer.host_ram_risk),
        "inet_down_mbit_s": number(offer.inet_down_mbit_s),
        "inet_up_mbit_s": number(offer.inet_up_mbit_s),
        "disk_mb_s": number(offer.disk_mb_s),
        "verification": offer.verification,
        "hosting_type": number(offer.hosting_type),
        "direct_port_count": number(offer.direct_port_count),
        "reliability": number(offer.reliability),
        "geolocation": offer.geolocation,
        "duration_s": number(offer.duration_s),
        "core_speed": number(offer.core_speed),
        "tied_with": None,
        "alternatives": [other.offer_id for other in offer.alternatives],
        "flags": list(offer.flags),
    }


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
