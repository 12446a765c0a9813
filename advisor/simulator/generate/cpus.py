"""Which CPU, board and PCIe link a machine with given GPUs has."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from advisor.simulator.generate.calibration import (
    Calibration,
    Candidate,
    CpuModel,
    GpuModel,
)
from advisor.simulator.generate.draws import Draws

PCIE_GB_S_PER_LANE = {1: 0.25, 2: 0.5, 3: 0.985, 4: 1.969, 5: 3.938}
"""Payload bandwidth of one lane by generation, GB/s (PCI-SIG)."""

_THREADS_LOG_SD = 0.12  # how near a CPU must come to the threads drawn; our choice
_YEARS_SD = 5.0  # a host is built within some years of its GPU; our choice
_MAX_GPUS = {"desktop": 4, "LGA2066": 4, "sTR4": 4, "sTRX4": 4, "workstation": 7}
_USABLE_LANES = {"SP3": 160, "SP5": 160}  # two EPYCs spend lanes on each other
_MINING_MAX_THREADS = 2.5  # per GPU: a board with a lane a GPU has a small CPU


@dataclass(frozen=True, slots=True)
class Brain:
    """CPUs, board and PCIe link of a machine.

    Attributes
    ----------
    cpu, sockets : model, and how many of it
    mobo_name : a board that holds them
    pci_gen, gpu_lanes : of each GPU's link
    """

    cpu: CpuModel
    sockets: int
    mobo_name: str
    pci_gen: int
    gpu_lanes: int

    @property
    def threads(self) -> int:
        """Hardware threads of the machine."""
        return self.cpu.threads * self.sockets

    @property
    def link_gb_s(self) -> float:
        """Payload bandwidth of a GPU's link, GB/s."""
        return PCIE_GB_S_PER_LANE[self.pci_gen] * self.gpu_lanes


def draw_brain(
    gpu: GpuModel,
    total_gpus: int,
    threads_per_gpu: float,
    draws: Draws,
    data: Calibration,
) -> Brain:
    """Draw CPUs with about the threads asked for, and what goes with them.

    A CPU's weight is the share of its platform among machines of this size, how
    often it was seen, how near it comes to the threads and how near in years it
    is to the GPU. Only CPUs that such a machine can be built with are asked.
    """
    mined = threads_per_gpu <= _MINING_MAX_THREADS
    held = data.candidates.get((gpu, total_gpus, mined))
    if held is None:
        held = _candidates(gpu, total_gpus, mined=mined, data=data)
        data.candidates[gpu, total_gpus, mined] = held
    target = math.log(threads_per_gpu * total_gpus)
    weights = [
        one.log_share
        - 0.5 * (((one.log_threads - target) / _THREADS_LOG_SD) ** 2 + one.age**2)
        for one in held
    ]
    best = max(weights)  # keeps the nearest CPU's weight from vanishing
    chosen = draws.position([math.exp(weight - best) for weight in weights])
    cpu, sockets = held[chosen].cpu, held[chosen].sockets
    boards = data.boards[cpu.socket, sockets, gpu.kind == "sxm"]
    return Brain(
        cpu=cpu,
        sockets=sockets,
        mobo_name=boards[draws.integer(0, len(boards))],
        pci_gen=min(cpu.pcie_gen, gpu.pcie_gen),
        gpu_lanes=_lanes(
            draws, data, cpu=cpu, sockets=sockets, gpu=gpu, total_gpus=total_gpus
        ),
    )


def _candidates(
    gpu: GpuModel, total_gpus: int, *, mined: bool, data: Calibration
) -> tuple[Candidate, ...]:
    """Return the CPUs that such a machine can be built with."""
    allowed = [
        (cpu, sockets)
        for cpu in data.cpus
        for sockets in range(1, cpu.max_sockets + 1)
        if _can_hold(cpu, sockets, gpu, total_gpus, mined=mined)
    ]
    platforms = data.shares["platform", _size_group(total_gpus)]
    rivals = Counter(cpu.platform for cpu, _ in allowed)

    def often(cpu: CpuModel) -> float:
        return platforms[cpu.platform] * (1 + cpu.hosts_seen) / rivals[cpu.platform]

    return tuple(
        Candidate(
            cpu=cpu,
            sockets=sockets,
            log_share=math.log(often(cpu)),
            log_threads=math.log(cpu.threads * sockets),
            age=(gpu.year - 1 - cpu.year) / _YEARS_SD,
        )
        for cpu, sockets in allowed
    )


def _size_group(total_gpus: int) -> str:
    if total_gpus <= 2:
        return "1 GPU" if total_gpus == 1 else "2 GPUs"
    return "3-4 GPUs" if total_gpus <= 4 else "5 GPUs and more"


def _can_hold(
    cpu: CpuModel, sockets: int, gpu: GpuModel, total_gpus: int, *, mined: bool
) -> bool:
    """Return whether such a machine exists; `mined`: its CPU is a miner's small one."""
    if gpu.kind == "sxm":
        # SXM boards with a fifth-generation link came with CPUs of that
        # generation; A100s also sit in older servers, one by one.
        too_old = gpu.pcie_gen == 5 and cpu.pcie_gen < 5
        many_on_old = total_gpus > 2 and cpu.pcie_gen < 4
        half = total_gpus >= 8 and sockets == 1  # eight SXM GPUs: two CPUs
        return cpu.platform == "server" and not (too_old or many_on_old or half)
    if gpu.kind == "datacenter" and gpu.price_usd_per_hour > 0.5:
        return cpu.platform == "server" or (
            cpu.platform == "workstation" and total_gpus <= 4 and cpu.pcie_gen >= 4
        )
    if cpu.platform == "server":
        return sockets == 2 or total_gpus <= 8
    most = _MAX_GPUS.get(cpu.socket, _MAX_GPUS[cpu.platform])
    if total_gpus <= most:
        return True
    # A mining board: one lane a GPU, and only for what miners once bought.
    return (
        cpu.platform == "desktop"
        and gpu.kind == "consumer"
        and gpu.year <= 2021
        and mined
    )


def _lanes(
    draws: Draws,
    data: Calibration,
    *,
    cpu: CpuModel,
    sockets: int,
    gpu: GpuModel,
    total_gpus: int,
) -> int:
    """Return the PCIe lanes of each GPU."""
    if cpu.platform == "desktop":
        lanes = _desktop_lanes(gpu, total_gpus, draws, data)
    else:
        usable = cpu.pcie_lanes * sockets
        if sockets == 2:
            usable = _USABLE_LANES.get(cpu.socket, usable)
        # Eight-GPU servers without lanes enough have PCIe switches.
        lanes = 16 if usable / total_gpus >= 16 or gpu.kind == "sxm" else 8
        if draws.chance(data.share("half_lanes", "server", "True")):
            lanes //= 2
    return min(lanes, gpu.pcie_lanes)


def _desktop_lanes(
    gpu: GpuModel, total_gpus: int, draws: Draws, data: Calibration
) -> int:
    """Return the lanes of each GPU on a desktop CPU, which has 16 to 24."""
    if total_gpus > _MAX_GPUS["desktop"]:
        return 1
    if total_gpus >= 3:
        return 1 if gpu.year <= 2021 and draws.chance(0.5) else 4
    if gpu.year <= 2021 and draws.chance(data.share("odd", "all", "riser")):
        return 1
    if total_gpus == 2:
        return 8 if draws.chance(0.7) else 4
    return 16
