"""Whether it is worth moving a computation to a GPU at all.

Of W operations the share p runs in parallel; the rest runs on one core of the CPU either
way (G. M. Amdahl, "Validity of the single processor approach", AFIPS 1967)::

    CPU: (1 - p) W / core + p W / all cores
    GPU: (1 - p) W / core + p W / GPU + bytes / link + start-up

A core's rate is clock x operations a cycle x the share of it that sustained work gets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from advisor.assumption import Assumption
from advisor.hardware.cpus import Cpu
from advisor.hardware.gpus import Gpu
from advisor.hardware.machines import PCIE_EFFICIENCY, PCIE_GB_S_PER_LANE
from advisor.throughput.spread import Z90
from advisor.workloads.profile import Precision

CPU_SHARE = Assumption(
    0.7, "share", "assumption: of a CPU's peak that large matrix products reach"
)
FP32_SHARE = Assumption(
    0.8, "share", "assumption: of a GPU's plain FP32 peak that large products reach"
)
CPU_LOG_SD = Assumption(
    0.3, "1", "assumption: spread of the logarithm of the CPU's sustained rate"
)
GPU_LOG_SD = Assumption(
    0.25, "1", "assumption: spread of the logarithm of the GPU's sustained rate"
)
START_UP = Assumption(
    1.0, "s", "assumption: context and libraries of the GPU, until its first kernel"
)
USUAL_OPERATIONS = Assumption(
    32.0,
    "FLOP/cycle",
    "FP32 operations of a core and cycle where they are unknown: two 256-bit units that "
    "multiply and add, as all desktop cores since Haswell and Zen 2 (vendors' manuals)",
)

_OPERATIONS = {
    "Sandy Bridge": 16.0,
    "Ivy Bridge": 16.0,
    "Zen": 16.0,
    "Zen+": 16.0,
    "Zen 5": 64.0,
    "Zen 5c": 64.0,
}
"""FP32 operations of a core and cycle where they are not 32 (vendors' manuals)."""

_WIDE = frozenset(
    {
        *("Skylake", "Cascade Lake", "Cooper Lake", "Ice Lake", "Sapphire Rapids"),
        *("Emerald Rapids", "Granite Rapids"),
    }
)
_TWO_UNITS = 64.0
_ONE_UNIT = ("bronze", "silver", "gold 5")
"""Servers of `_WIDE` have two 512-bit units; of the older two these lines have one."""


@dataclass(frozen=True, slots=True)
class Processor:
    """A CPU as this computation sees it.

    Attributes
    ----------
    cores : physical cores that compute
    ghz : clock of all of them together, GHz
    core_ghz : clock of one alone, GHz
    operations : FP32 operations of a core and cycle
    """

    cores: float
    ghz: float
    core_ghz: float
    operations: float


@dataclass(frozen=True, slots=True)
class Rates:
    """What runs how fast.

    Attributes
    ----------
    gpu_tflops, cpu_tflops, core_tflops : sustained, of the GPU, of all cores together
        and of one alone, 10^12 FLOP/s
    link_gb_s : copies between host and GPU, 10^9 bytes/s
    """

    gpu_tflops: float
    cpu_tflops: float
    core_tflops: float
    link_gb_s: float


@dataclass(frozen=True, slots=True)
class Times:
    """Where the time goes, s.

    Attributes
    ----------
    serial_s : on one core, with the GPU as without it
    parallel_s : on all cores
    compute_s, transfer_s, start_up_s : on the GPU, over the link, before the first kernel
    """

    serial_s: float
    parallel_s: float
    compute_s: float
    transfer_s: float
    start_up_s: float

    @property
    def cpu_s(self) -> float:
        """All of it on the CPU."""
        return self.serial_s + self.parallel_s

    @property
    def gpu_s(self) -> float:
        """With the GPU."""
        return self.serial_s + self.compute_s + self.transfer_s + self.start_up_s

    @property
    def factor(self) -> float:
        """How many times as fast the GPU makes it."""
        return self.cpu_s / self.gpu_s


@dataclass(frozen=True, slots=True)
class Speedup:
    """What the GPU makes of a computation.

    Attributes
    ----------
    rates, times : behind it
    low, high : 90 % interval of `Times.factor`
    resident_factor : the factor with the data on the GPU already
    """

    rates: Rates
    times: Times
    low: float
    high: float
    resident_factor: float


def processor(
    cpu: Cpu | None, cores: float | None = None, ghz: float | None = None
) -> Processor:
    """Return what a CPU does: its own figures, or those that the user told.

    Parameters
    ----------
    cpu : row of the table; None: in no table, so that `cores` and `ghz` must be told
    cores, ghz : physical cores and clock; None: those of `cpu`
    """
    if cpu is None:
        told = ghz or math.nan
        return Processor(cores or math.nan, told, told, USUAL_OPERATIONS.value)
    base = cpu.boost_ghz if math.isnan(cpu.base_ghz) else cpu.base_ghz
    boost = base if math.isnan(cpu.boost_ghz) else cpu.boost_ghz
    return Processor(cores or cpu.cores, ghz or base, ghz or boost, _operations(cpu))


def _operations(cpu: Cpu) -> float:
    """Return FP32 operations of a core and cycle."""
    server = cpu.segment in {"server", "workstation"}
    if cpu.microarchitecture in _WIDE and server:
        older = cpu.microarchitecture in {"Skylake", "Cascade Lake"}
        one = older and any(line in cpu.key for line in _ONE_UNIT)
        return USUAL_OPERATIONS.value if one else _TWO_UNITS
    return _OPERATIONS.get(cpu.microarchitecture, USUAL_OPERATIONS.value)


def gpu_tflops(gpu: Gpu, precision: Precision) -> float:
    """Return the sustained matrix rate of a GPU, 10^12 FLOP/s.

    The usable rate times the share of it that large products reach: measured ones on
    tensor cores (`Gpu.matmul_share`), an assumption in plain FP32, at which a precision
    runs that the GPU lacks.
    """
    on_tensor_cores = {
        "fp32": math.nan,
        "tf32": gpu.tf32_tflops,
        "amp": gpu.fp16_tflops,
        "bf16": gpu.bf16_tflops,
        "fp16": gpu.fp16_tflops,
    }[precision]
    if math.isnan(on_tensor_cores) or on_tensor_cores <= gpu.fp32_tflops:
        return gpu.fp32_tflops * FP32_SHARE.value
    measured = gpu.matmul_share
    return on_tensor_cores * (FP32_SHARE.value if math.isnan(measured) else measured)


def link_gb_s(gpu: Gpu) -> float:
    """Return 10^9 bytes/s that copies between host and GPU reach."""
    generation = int(np.clip(np.nan_to_num(gpu.pcie_gen, nan=3.0), 1, 6))
    lanes = float(np.nan_to_num(gpu.pcie_lanes, nan=16.0))
    return PCIE_GB_S_PER_LANE[generation - 1] * lanes * PCIE_EFFICIENCY


def speedup(gflop: float, data_gb: float, rates: Rates, parallel: float = 1.0) -> Speedup:
    """Compare a computation on a CPU with the same on a GPU.

    Parameters
    ----------
    gflop : 10^9 operations, above zero
    data_gb : 10^9 bytes that cross the link
    rates : of both
    parallel : share of the operations that runs in parallel, 0 to 1
    """

    def times(gpu: float = 1.0, cpu: float = 1.0, data: float = data_gb) -> Times:
        """Return the times with rates that many times as high."""
        work, alone = parallel * gflop / 1000.0, (1.0 - parallel) * gflop / 1000.0
        return Times(
            serial_s=alone / (rates.core_tflops * cpu),
            parallel_s=work / (rates.cpu_tflops * cpu),
            compute_s=work / (rates.gpu_tflops * gpu),
            transfer_s=data / rates.link_gb_s,
            start_up_s=START_UP.value,
        )

    middle = times()
    by_gpu, by_cpu = (math.exp(Z90 * sd.value) for sd in (GPU_LOG_SD, CPU_LOG_SD))
    worse = times(gpu=1.0 / by_gpu), times(cpu=by_cpu)
    better = times(gpu=by_gpu), times(cpu=1.0 / by_cpu)
    low, high = (
        math.hypot(*(math.log(one.factor / middle.factor) for one in side))
        for side in (worse, better)
    )
    return Speedup(
        rates=rates,
        times=middle,
        low=middle.factor * math.exp(-low),
        high=middle.factor * math.exp(high),
        resident_factor=times(data=0.0).factor,
    )


def rates_of(gpu: Gpu, cpu: Processor, precision: Precision) -> Rates:
    """Return the sustained rates of a GPU at a precision, and of a CPU in FP32."""
    of_cycle = cpu.operations * CPU_SHARE.value / 1000.0
    return Rates(
        gpu_tflops=gpu_tflops(gpu, precision),
        cpu_tflops=cpu.cores * cpu.ghz * of_cycle,
        core_tflops=cpu.core_ghz * of_cycle,
        link_gb_s=link_gb_s(gpu),
    )


def stated() -> dict[str, Assumption]:
    """Return what every answer assumes, by name."""
    return {
        "cpu_share": CPU_SHARE,
        "gpu_fp32_share": FP32_SHARE,
        "cpu_log_sd": CPU_LOG_SD,
        "gpu_log_sd": GPU_LOG_SD,
        "start_up_s": START_UP,
        "operations_if_unknown": USUAL_OPERATIONS,
        "pcie_efficiency": Assumption(
            PCIE_EFFICIENCY,
            "share",
            "of the link's rate that copies from pinned memory reach (published: 12 of "
            "15.8 GB/s on generation 3, 25 of 31.5 on generation 4)",
        ),
    }
