"""Simulated machines: everything about a host that does not change by the hour."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from advisor.base.units import MIB_PER_GIB
from advisor.simulator.generate.calibration import (
    Calibration,
    CpuModel,
    DiskModel,
    GpuModel,
)
from advisor.simulator.generate.cpus import Brain, draw_brain
from advisor.simulator.generate.draws import Draws
from advisor.simulator.generate.hosts import Host, draw_host, shown_price

SEARCHED_DISK_GB = 5.0
"""GB of disk in the market's `dph_total` unless a search asks for more.

Measured: ``(dph_total - dph_base) x 720 / storage_cost`` is 5 in the published
offers with 46 fields.
"""

_CPU_SPREADS_TOGETHER = 0.5  # memory goes with threads; our choice
_NETWORK_SYMMETRY = 0.7  # rank correlation of up with down; our choice
_RAM_REPORTED = 0.983  # of the installed GiB, as the published offers have it
_RAM_GIB = (
    8,
    16,
    24,
    32,
    48,
    64,
    96,
    128,
    192,
    256,
    384,
    512,
    768,
    1024,
    1536,
    2048,
    4096,
)
_MOST_RAM_GIB = {"desktop": 192, "workstation": 1024, "server": 4096}
_BROKEN_DLPERF = (0.02, 0.075)  # of the median; hosts with unknown CPU in the snapshot
_GPUS_ON_HGX = 8  # H100, H200 and B200 SXM come on boards of eight (vendor's data sheet)
_RTX_50_CAP = 1000
_LAST_DRIVER_OF_OLD = (750, 13.0)  # Maxwell, Pascal and Volta end with driver 580
_FIRST_CUDA_OF_RTX_50 = 12.8


class HostCpu(NamedTuple):
    """A CPU as a market lists it.

    Attributes
    ----------
    name : of it
    threads : hardware threads of the whole machine
    """

    name: str
    threads: int


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine and the terms it is let on.

    Attributes
    ----------
    machine_id : of the box
    host : its owner
    gpu : model of all its GPUs
    gpu_ids : one a GPU
    least_gpus : fewest GPUs that the owner lets at once
    brain : CPUs, board, PCIe
    cpu_named, cpu_known : False where the market shows no name, nothing at all
    cpu_ghz : what the market shows as the clock
    pcie_gb_s, mem_bw_gb_s, nvlink_gb_s, power_w, gpu_temp_c : of each GPU
    dlperf : score of one GPU
    scaling : number of GPUs -> score per GPU over that of one
    ram_mb, disk_gb : of the whole machine
    disk : model and measured bandwidth
    inet_up_mbit_s, inet_down_mbit_s : advertised
    ports : open ports of the whole machine
    reliability : 0 to 1
    verification : verified, unverified or deverified
    vms_enabled : whether virtual machines can be had
    driver_version, cuda_max_good : driver, and newest CUDA it runs
    price_usd_per_gpu_hour, bid_usd_per_gpu_hour : on demand, least bid
    duration_s : until the owner takes it off the market; None where not said
    score_ratio : the market's score over DLPerf per dollar
    """

    machine_id: int
    host: Host
    gpu: GpuModel
    gpu_ids: tuple[int, ...]
    least_gpus: int
    brain: Brain
    cpu_named: bool
    cpu_known: bool
    cpu_ghz: float
    pcie_gb_s: float
    mem_bw_gb_s: float
    nvlink_gb_s: float
    power_w: float
    gpu_temp_c: float
    dlperf: float
    scaling: tuple[tuple[int, float], ...]
    ram_mb: int
    disk_gb: float
    disk: DiskModel
    inet_up_mbit_s: float
    inet_down_mbit_s: float
    ports: int
    reliability: float
    verification: str
    vms_enabled: bool
    driver_version: str
    cuda_max_good: float
    price_usd_per_gpu_hour: float
    bid_usd_per_gpu_hour: float
    duration_s: float | None
    score_ratio: float

    @property
    def total_gpus(self) -> int:
        """GPUs in the machine."""
        return len(self.gpu_ids)

    def with_cpu(self, host: HostCpu) -> Self:
        """Return it with another CPU in it."""
        cpu = replace(self.brain.cpu, cpu_name=host.name, threads=host.threads)
        brain = replace(self.brain, cpu=cpu, sockets=1)
        return replace(self, brain=brain, cpu_named=True, cpu_known=True)


def build_machines(
    draws: Draws, data: Calibration
) -> Iterator[tuple[Machine, tuple[int, ...]]]:
    """Yield machines without end, each with the ids of its GPUs that are free.

    Parameters
    ----------
    draws : the stream to draw from
    data : what machines are like
    """
    machine_id, first_gpu_id = 4000, 20000
    hosts: list[Host] = []
    while True:
        machine_id += draws.integer(1, 300)
        first_gpu_id += draws.integer(1, 400)
        gpu = data.gpus[draws.position([gpu.machine_share for gpu in data.gpus])]
        least, free, total = _draw_counts(gpu, draws, data)
        machine = _draw_machine(
            draws,
            data,
            machine_id=machine_id,
            host=draw_host(gpu, hosts, draws, data),
            gpu=gpu,
            gpu_ids=tuple(range(first_gpu_id, first_gpu_id + total)),
            least_gpus=least,
        )
        first_gpu_id += total
        yield machine, machine.gpu_ids[:free]


def _draw_counts(gpu: GpuModel, draws: Draws, data: Calibration) -> tuple[int, int, int]:
    """Return the fewest GPUs let, the free ones and all of a machine."""
    group = ("listed_gpus", gpu.gpu_name)
    shares = data.shares.get(group) or data.shares["listed_gpus", gpu.kind]
    least, free = map(int, draws.pick(shares).split("-"))
    if gpu.kind == "sxm" and gpu.pcie_gen == 5:
        return least, free, max(free, _GPUS_ON_HGX)
    small = free <= 2 and gpu.kind in {"consumer", "pro"}
    group = ("whole_machine_free", "desktop" if small else "server")
    more = {
        int(total): share
        for total, share in data.shares["total_gpus", "all"].items()
        if int(total) > free
    }
    if not more or draws.chance(data.share(*group, "True")):
        return least, free, free
    return least, free, draws.pick(more)


def _draw_machine(
    draws: Draws,
    data: Calibration,
    *,
    machine_id: int,
    host: Host,
    gpu: GpuModel,
    gpu_ids: tuple[int, ...],
    least_gpus: int,
) -> Machine:
    """Return one machine of an owner."""
    total = len(gpu_ids)
    threads = max(draws.quantile(gpu.threads), 1.0)
    brain = draw_brain(gpu, total, threads, draws, data)
    known = not draws.chance(data.share("cpu_unknown", "all", "True"))
    named = known and not draws.chance(data.share("cpu_name_unknown", "all", "True"))
    group = f"hosting {int(host.datacenter)}"
    reliability = round(draws.quantile(data.quantiles["reliability2", group]), 7)
    ram_normal = draws.near(_threads_normal(brain, gpu, total), _CPU_SPREADS_TOGETHER)
    ram_gib = _ram_gib(gpu, total, brain.cpu.platform, ram_normal)
    down_normal = draws.normal()
    up_normal = draws.near(down_normal, _NETWORK_SYMMETRY)
    disk_gb = round(
        draws.quantile(data.quantiles["disk_gb_per_gpu", gpu.kind]) * total, 1
    )
    traits = {
        "datacenter": float(host.datacenter),
        "threads": math.log(brain.threads / total / gpu.threads.at(0.5)),
        "ram_gb": math.log(ram_gib / total / gpu.ram_gb),
        "reliability_below_97": float(reliability < 0.97),
    }
    price = _draw_price(gpu, traits, draws, data)
    bid = draws.quantile(data.quantiles["bid_ratio", "all"])
    cuda, driver = _draw_driver(gpu, draws, data)
    power_ratio = float(draws.pick(data.shares["power_limit", "all"]))
    return Machine(
        machine_id=machine_id,
        host=host,
        gpu=gpu,
        gpu_ids=gpu_ids,
        least_gpus=least_gpus,
        brain=brain,
        cpu_named=named,
        cpu_known=known,
        cpu_ghz=_draw_clock(brain.cpu, draws, data),
        pcie_gb_s=round(
            brain.link_gb_s * draws.quantile(data.quantiles["pcie_efficiency", "all"]), 1
        ),
        mem_bw_gb_s=round(
            gpu.mem_bw_gb_s * draws.quantile(data.quantiles["mem_bw_efficiency", "all"]),
            1,
        ),
        nvlink_gb_s=_draw_nvlink(gpu, draws, data),
        power_w=float(round(gpu.tdp_w * power_ratio)),
        gpu_temp_c=float(round(60 + 7 * draws.normal())),
        dlperf=_draw_dlperf(gpu, known, draws, data),
        scaling=_draw_scaling(gpu, brain, draws, data),
        ram_mb=round(ram_gib * MIB_PER_GIB * _RAM_REPORTED),
        disk_gb=disk_gb,
        disk=_draw_disk(disk_gb, brain.cpu.platform, draws, data),
        inet_up_mbit_s=round(
            draws.quantile(data.quantiles["inet_up", group], up_normal), 1
        ),
        inet_down_mbit_s=round(
            draws.quantile(data.quantiles["inet_down", group], down_normal), 1
        ),
        ports=int(draws.quantile(data.quantiles["ports", "all"])),
        reliability=reliability,
        verification=_draw_verification(reliability, draws, data),
        vms_enabled=draws.chance(data.share("vms_enabled", "all", "True")),
        driver_version=driver,
        cuda_max_good=cuda,
        price_usd_per_gpu_hour=price,
        bid_usd_per_gpu_hour=round(bid * price, 5),
        duration_s=_draw_duration(draws, data),
        score_ratio=draws.quantile(data.quantiles["score_ratio", "all"]),
    )


def _threads_normal(brain: Brain, gpu: GpuModel, total: int) -> float:
    """Return how far a machine's threads are from its GPU's median, roughly scaled."""
    median = gpu.threads.at(0.5)
    return min(max(math.log(brain.threads / total / median) / 0.5, -2.5), 2.5)


def _ram_gib(gpu: GpuModel, total: int, platform: str, normal: float) -> int:
    """Return the memory of a machine, a size that can be bought."""
    wanted = gpu.ram_gb * math.exp(gpu.ram_gb_log_sd * normal) * total
    possible = [size for size in _RAM_GIB if size <= _MOST_RAM_GIB[platform]]
    return min(possible, key=lambda size: abs(math.log(size / wanted)))


def _draw_price(
    gpu: GpuModel, traits: Mapping[str, float], draws: Draws, data: Calibration
) -> float:
    """Return $/h of one GPU: the model's median, what the machine adds, and taste."""
    effects = data.shares["price_effect", "all"]
    shift = math.fsum(effects[name] * value for name, value in traits.items())
    log_ratio = min(max(shift, -0.5), 0.5) + gpu.price_log_sd * draws.normal()
    price = gpu.price_usd_per_hour * math.exp(log_ratio)
    return shown_price(price, 0.01 if price > 0.3 else 0.001)


def _draw_clock(cpu: CpuModel, draws: Draws, data: Calibration) -> float:
    """Return a clock as markets show it: base, boost, an instant or nonsense."""
    kind = draws.pick(data.shares["clock", "all"])
    if kind == "base":
        return cpu.base_ghz
    if kind == "boost":
        return cpu.boost_ghz
    if kind == "reading":
        span = cpu.boost_ghz - cpu.base_ghz
        return round(cpu.base_ghz + span * draws.uniform(), 6)
    return round(cpu.boost_ghz * (1.15 + 0.2 * draws.uniform()), 1)


def _draw_nvlink(gpu: GpuModel, draws: Draws, data: Calibration) -> float:
    """Return the NVLink bandwidth; some hosts with NVLink report none."""
    reported = draws.chance(data.share("nvlink_reported", "sxm", "True"))
    return float(gpu.nvlink_gb_s) if gpu.kind == "sxm" and reported else 0.0


def _draw_dlperf(gpu: GpuModel, known: bool, draws: Draws, data: Calibration) -> float:
    """Return the score of one GPU; a host whose CPU is unknown is broken as a rule."""
    broken = draws.chance(data.share("broken", "all", "True"))
    score = gpu.dlperf * math.exp(gpu.dlperf_log_sd * draws.normal())
    if broken or not known:
        low, high = _BROKEN_DLPERF
        score = gpu.dlperf * (low + (high - low) * draws.uniform())
    return round(score, 3)


def _draw_scaling(
    gpu: GpuModel, brain: Brain, draws: Draws, data: Calibration
) -> tuple[tuple[int, float], ...]:
    """Return how the score per GPU falls with the number of GPUs.

    One level holds for all numbers of one machine; narrow links lower it.
    """
    link = "nvlink" if gpu.kind == "sxm" else "pcie"
    level = draws.uniform() * (1.0 if brain.gpu_lanes >= 16 else 0.7)
    known = {
        int(group.removeprefix(link)): quantiles
        for (quantity, group), quantiles in data.quantiles.items()
        if quantity == "dlperf_scaling" and group.startswith(link)
    }
    scaling, lowest = [(1, 1.0)], 1.0
    for count in sorted(known):
        lowest = min(lowest, known[count].at(level))
        scaling.append((count, round(lowest, 4)))
    return tuple(scaling)


def _draw_disk(
    disk_gb: float, platform: str, draws: Draws, data: Calibration
) -> DiskModel:
    """Return a disk (or the disk of an array) with room for what is offered."""
    fitting = [
        disk
        for disk in data.disks
        if disk.capacity_gb >= min(disk_gb, 15000.0)
        and (platform == "server" or not disk.enterprise or disk_gb > 4000)
    ]
    disk = fitting[draws.integer(0, len(fitting))]
    measured = disk.disk_bw_mb_s * math.exp(0.08 * draws.normal())
    return replace(disk, disk_bw_mb_s=round(measured, 1))


def _draw_verification(reliability: float, draws: Draws, data: Calibration) -> str:
    side = "below 0.9" if reliability < 0.9 else "0.9 and above"
    return draws.pick(data.shares["verification", f"reliability {side}"])


def _draw_driver(gpu: GpuModel, draws: Draws, data: Calibration) -> tuple[float, str]:
    """Return the newest CUDA version and a driver that runs it and the GPU.

    CUDA versions for which no published offer names a driver are left out.
    """
    old_cap, last_cuda = _LAST_DRIVER_OF_OLD
    shares = {
        cuda: share
        for cuda, share in data.shares["cuda_max_good", "all"].items()
        if ("driver", cuda) in data.shares
        and (gpu.compute_cap < _RTX_50_CAP or float(cuda) >= _FIRST_CUDA_OF_RTX_50)
        and (gpu.compute_cap >= old_cap or float(cuda) <= last_cuda)
    }
    cuda = draws.pick(shares)
    return float(cuda), draws.pick(data.shares["driver", cuda])


def _draw_duration(draws: Draws, data: Calibration) -> float | None:
    if draws.chance(data.share("odd", "all", "no_duration")):
        return None
    return float(round(draws.quantile(data.quantiles["duration", "all"])))
