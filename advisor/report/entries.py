"""A ranking as plain dictionaries: what JSON, CSV and the table show.

Numbers that are unknown are `None`, never zero and never NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from advisor.ranking.rank import Ranking

Entry = dict[str, Any]


def entries(
    ranking: Ranking,
    top: int | None = None,
    ties: Sequence[int | None] = (),
    *,
    simulated: bool = False,
) -> list[Entry]:
    """Return the best `top` offers of a ranking (all if `None`), best first.

    Each offer of a `simulated` market carries a flag that says so. `ties` is what
    `advisor.ranking.ties.tied_with` says of these offers; empty: nobody asked.
    """
    positions = ranking.order[:top].tolist()
    found = [entry(ranking, place, rank) for rank, place in enumerate(positions, 1)]
    for one, leader in zip(found, ties, strict=bool(ties)):
        if leader is not None:
            one["tied_with"] = int(ranking.offers.offer_id[leader])
    for one in found if simulated else ():
        one["flags"].append("simulated")
    return found


def entry(ranking: Ranking, at: int, rank: int | None) -> Entry:
    """Return one offer as the versioned JSON contract has it."""
    offers, machines = ranking.offers, ranking.machines
    throughput, bill, epochs = ranking.throughput, ranking.bill, ranking.job.epochs
    lines = bill.job
    traffic = lines.download_usd[at] + lines.upload_usd[at]
    machine_id = int(offers.machine_id[at])
    return {
        "rank": rank,
        "offer_id": int(offers.offer_id[at]),
        "machine_id": machine_id if machine_id >= 0 else None,
        "gpu_name": offers.gpu_name[at] or None,
        "num_gpus": int(offers.num_gpus[at]),
        "cpu_name": offers.cpu_name[at] or None,
        "cpu_cores": number(offers.cpu_threads[at]),
        "cpu_ghz": number(offers.cpu_ghz[at]),
        "usd_per_hour": number(bill.usd_per_hour[at]),
        "bid_usd_per_hour": number(bill.bid_usd_per_hour[at]),
        "samples_per_s": number(throughput.samples_per_s[at]),
        "samples_per_s_low": number(throughput.low[at]),
        "samples_per_s_high": number(throughput.high[at]),
        "bound_by": throughput.bound_by[at],
        "limits": {name: number(rate[at]) for name, rate in throughput.limits.items()},
        "micro_batch": int(throughput.micro_batch[at]),
        "accumulation_steps": int(throughput.accumulation_steps[at]),
        "memory_gb": number(throughput.memory_gb[at]),
        "memory_margin_gb": number(throughput.memory_margin_gb[at]),
        "memory_risk": number(throughput.memory_risk[at]),
        "epoch_hours": number(bill.epoch_hours[at]),
        "epoch_hours_low": number(bill.epoch_hours_low[at]),
        "epoch_hours_high": number(bill.epoch_hours_high[at]),
        "epoch_usd": number(bill.epoch_usd[at]),
        "epoch_usd_low": number(bill.epoch_usd_low[at]),
        "epoch_usd_high": number(bill.epoch_usd_high[at]),
        "epoch_rent_usd": number(lines.rent_usd[at] / epochs),
        "epoch_storage_usd": number(lines.storage_usd[at] / epochs),
        "epoch_traffic_usd": number(traffic / epochs),
        "epoch_next_machine_usd": number(lines.dearer_usd[at] / epochs),
        "epoch_waiting_usd": number(bill.epoch_waiting_usd[at]),
        "job_usd": number(bill.job_usd[at]),
        "job_hours": number(bill.job_hours[at]),
        "checkpoint_hours": number(bill.checkpoint_h[at]),
        "expected_failures": number(lines.failures[at]),
        "expected_preemptions": number(lines.preemptions[at]),
        "expected_moves": number(lines.moves[at]),
        "expected_failed_starts": number(lines.failed_starts[at]),
        "image": ranking.software.image[at] or None,
        "compute_capability": number(_capability(ranking, at)),
        "cuda_max": number(offers.cuda_max_good[at]),
        "driver_version": offers.driver_version[at] or None,
        "cpu_arch": ranking.software.hosts.cpu_arch[at] or None,
        "host_ram_gb": number(machines.ram_gb[at]),
        "host_ram_needed_gb": number(ranking.host_need_gb[at]),
        "host_ram_risk": number(ranking.start_risk[at]),
        "inet_down_mbit_s": number(offers.inet_down_mbit_s[at]),
        "inet_up_mbit_s": number(offers.inet_up_mbit_s[at]),
        "disk_mb_s": number(offers.disk_bw_mb_s[at]),
        "verification": offers.verification[at] or None,
        "hosting_type": number(offers.hosting_type[at]),
        "direct_port_count": number(offers.direct_port_count[at]),
        "reliability": number(offers.reliability[at]),
        "geolocation": offers.geolocation[at] or None,
        "duration_s": number(offers.duration_s[at]),
        "core_speed": number(machines.core_speed[at]),
        "tied_with": None,
        "alternatives": [
            int(offers.offer_id[other]) for other in ranking.alternatives.get(at, ())
        ],
        "flags": [name for name, holds in ranking.flags.items() if holds[at]],
    }


def _capability(ranking: Ranking, at: int) -> float:
    """Return the compute capability that the market tells, else the table's."""
    hosts = ranking.software.hosts
    told = float(hosts.capability[at])
    return float(hosts.named_capability[at]) if math.isnan(told) else told


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
