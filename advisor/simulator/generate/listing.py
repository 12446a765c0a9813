"""What the market shows of a machine: offers with all of its 100 keys."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from advisor.base.units import MIB_PER_GIB
from advisor.market.offers import HOURS_PER_MONTH
from advisor.simulator.generate.machines import SEARCHED_DISK_GB, Machine

_GB_PER_PRICED_TB = 1024.0  # as Vast counts them where it prices a TB

_CONSTANTS: dict[str, Any] = {
    "bundled_results": None,
    "cluster_id": None,
    "cpu_arch": "amd64",
    "credit_discount_max": 0.0,
    "discount_rate": 0.0,
    "discounted_hourly": 0.0,
    "expected_reliability": 0.0,
    "external": None,
    "gpu_arch": "nvidia",
    "gpu_display_active": False,
    "hostname": None,
    "is_bid": False,
    "logo": "/static/logos/vastai_small2.png",
    "nw_disk_avg_bw": None,
    "nw_disk_max_bw": None,
    "nw_disk_min_bw": None,
    "rentable": True,
    "rented": False,
    "resource_type": "gpu",
    "rn": 1,
    "sla_broker_rate": None,
    "sla_r_claim": 0.0,
    "sla_sigma_x": None,
    "start_date": None,
    "target_reliability": 0.0,
    "time_remaining": "",
    "time_remaining_isbid": "",
    "webpage": None,
}
"""Fields that have one value in both published offers with all keys."""


def offered_sizes(least: int, free: int) -> tuple[int, ...]:
    """Return the GPU counts that the market lists: doubling up to all that are free.

    A machine with seven free GPUs and no least number is listed as 1, 2, 4 and 7
    GPUs (published offers).

    Parameters
    ----------
    least : fewest GPUs that the owner lets at once
    free : GPUs that nobody rents
    """
    sizes = []
    size = least
    while size < free:
        sizes.append(size)
        size *= 2
    return (*sizes, free) if free >= least else ()


def list_offers(
    machine: Machine,
    free_gpu_ids: Sequence[int],
    now_unix_s: float,
    first_offer_id: int,
) -> list[dict[str, Any]]:
    """Return the market's offers of one machine.

    The offers share GPUs: the smaller ones are slices of the greater.

    Parameters
    ----------
    machine : the machine
    free_gpu_ids : those of its GPUs that nobody rents
    now_unix_s : time of the search, seconds since 1970
    first_offer_id : id of the first offer, the others follow

    Returns
    -------
    one dictionary an offer, as the market's JSON has it
    """
    sizes = offered_sizes(machine.least_gpus, len(free_gpu_ids))
    return [
        _offer(machine, tuple(free_gpu_ids[:size]), now_unix_s, first_offer_id + number)
        for number, size in enumerate(sizes)
    ]


def _offer(
    machine: Machine, gpu_ids: tuple[int, ...], now_unix_s: float, offer_id: int
) -> dict[str, Any]:
    """Return one offer, its keys in the market's order."""
    count = len(gpu_ids)
    offer = {
        **_CONSTANTS,
        **_identity(machine, gpu_ids, offer_id),
        **_gpus(machine, count),
        **_host_hardware(machine, count),
        **_network(machine, count),
        **_terms(machine, now_unix_s),
        **_money(machine, count),
    }
    offer.update(_values_for_money(machine, offer))
    return dict(sorted(offer.items()))


def _identity(
    machine: Machine, gpu_ids: tuple[int, ...], offer_id: int
) -> dict[str, Any]:
    return {
        "id": offer_id,
        "ask_contract_id": offer_id,
        "avail_vol_ask_id": offer_id + 6,
        "bundle_id": zlib.crc32(f"{machine.machine_id}:{gpu_ids}".encode()),
        "machine_id": machine.machine_id,
        "host_id": machine.host.host_id,
        "gpu_ids": list(gpu_ids),
        "num_gpus": len(gpu_ids),
        "gpu_frac": len(gpu_ids) / machine.total_gpus,
    }


def _gpus(machine: Machine, count: int) -> dict[str, Any]:
    gpu = machine.gpu
    scaling = max(pair for pair in machine.scaling if pair[0] <= count)[1]
    return {
        "gpu_name": gpu.gpu_name,
        "gpu_ram": gpu.gpu_ram_mb,
        "gpu_total_ram": gpu.gpu_ram_mb * count,
        "gpu_lanes": machine.brain.gpu_lanes,
        "gpu_max_power": machine.power_w,
        "gpu_max_temp": machine.gpu_temp_c,
        "gpu_mem_bw": machine.mem_bw_gb_s,
        "pci_gen": float(machine.brain.pci_gen),
        "pcie_bw": machine.pcie_gb_s,
        "bw_nvlink": machine.nvlink_gb_s if machine.total_gpus > 1 else 0.0,
        "compute_cap": gpu.compute_cap,
        "total_flops": round(gpu.tflops_fp32 * count, 6),
        "dlperf": round(machine.dlperf * scaling * count, 3),
        "cuda_max_good": machine.cuda_max_good,
        "driver_version": machine.driver_version,
        "driver_vers": _driver_number(machine.driver_version),
    }


def _driver_number(version: str) -> int:
    """Return 595071005 for 595.71.05."""
    major, minor, patch = (*map(int, version.split(".")), 0, 0)[:3]
    return major * 1_000_000 + minor * 1_000 + patch


def _host_hardware(machine: Machine, count: int) -> dict[str, Any]:
    share = count / machine.total_gpus
    brain, disk = machine.brain, machine.disk
    known, named = machine.cpu_known, machine.cpu_named
    return {
        "cpu_name": brain.cpu.cpu_name if named else None,
        "cpu_cores": brain.threads if known else None,
        "cpu_cores_effective": brain.threads * share if known else 0.0,
        "cpu_ghz": machine.cpu_ghz if known else None,
        "cpu_ram": int(machine.ram_mb * share),
        "has_avx": int(known),
        "mobo_name": brain.mobo_name,
        "disk_name": disk.disk_name,
        "disk_bw": disk.disk_bw_mb_s,
        "disk_space": round(machine.disk_gb * share, 1),
        "avail_vol_size": float(int(machine.disk_gb)),
        "os_version": "20.04" if machine.cuda_max_good < 12.5 else "22.04",
    }


def _network(machine: Machine, count: int) -> dict[str, Any]:
    host = machine.host
    share = count / machine.total_gpus
    return {
        "inet_up": machine.inet_up_mbit_s,
        "inet_down": machine.inet_down_mbit_s,
        "inet_up_cost": host.inet_up_usd_per_gb,
        "inet_down_cost": host.inet_down_usd_per_gb,
        "internet_up_cost_per_tb": host.inet_up_usd_per_gb * _GB_PER_PRICED_TB,
        "internet_down_cost_per_tb": host.inet_down_usd_per_gb * _GB_PER_PRICED_TB,
        "public_ipaddr": host.public_ipaddr,
        "static_ip": host.static_ip,
        "direct_port_count": int(machine.ports * share),
        "geolocation": host.geolocation,
        "geolocode": zlib.crc32(host.geolocation.encode()),
    }


def _terms(machine: Machine, now_unix_s: float) -> dict[str, Any]:
    duration = machine.duration_s
    return {
        "reliability": machine.reliability,
        "reliability2": machine.reliability,
        # Fits both published offers with all keys to 4 decimals.
        "reliability_mult": round(1 / (1 + 10 * (1 - machine.reliability)), 7),
        "verification": machine.verification,
        "vericode": int(machine.verification == "verified"),
        "hosting_type": int(machine.host.datacenter),
        "is_vm_deverified": machine.verification == "deverified",
        "vms_enabled": machine.vms_enabled,
        "duration": duration,
        "end_date": None if duration is None else now_unix_s + duration,
    }


def _money(machine: Machine, count: int) -> dict[str, Any]:
    """Return the prices; the sums hold to the last bit."""
    storage = machine.host.storage_usd_per_gb_month
    base = machine.price_usd_per_gpu_hour * count
    disk = storage * SEARCHED_DISK_GB / HOURS_PER_MONTH
    total = base + disk
    bill = {
        "discountTotalHour": 0,
        "discountedTotalPerHour": total,
        "diskHour": disk,
        "gpuCostPerHour": base,
        "slaPremiumPerHour": 0.0,
        "totalHour": total,
    }
    stopped = {"gpuCostPerHour": 0, "totalHour": disk, "discountedTotalPerHour": disk}
    return {
        "dph_base": base,
        "dph_total": total,
        "discounted_dph_total": total,
        # Both published offers with all keys add 1.25 GB of download.
        "dph_total_adj": total + 1.25 * machine.host.inet_down_usd_per_gb,
        "min_bid": machine.bid_usd_per_gpu_hour * count,
        "storage_cost": storage,
        "storage_total_cost": disk,
        "avail_vol_dph": storage / HOURS_PER_MONTH,
        "search": bill,
        "instance": {**bill, **stopped, "slaPremiumPerHour": 0},
    }


def _values_for_money(machine: Machine, offer: dict[str, Any]) -> dict[str, Any]:
    per_dollar = offer["dlperf"] / offer["dph_total"]
    memory_gib = offer["gpu_total_ram"] / MIB_PER_GIB
    return {
        "dlperf_per_dphtotal": per_dollar,
        "flops_per_dphtotal": offer["total_flops"] / offer["dph_total"],
        "vram_costperhour": round(offer["dph_base"] / memory_gib, 6),
        "score": round(per_dollar * machine.score_ratio, 3),
    }
