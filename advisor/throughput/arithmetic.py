"""What a CPU and a GPU compute, in each precision: sustained rates and memory.

A core's rate is clock x operations a cycle x the share of it that sustained work gets.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from advisor.base.assumption import Assumption
from advisor.base.errors import UsageError
from advisor.hardware.cpus import Cpu
from advisor.hardware.gpus import Gpu
from advisor.hardware.machines import PCIE_EFFICIENCY, PCIE_GB_S_PER_LANE
from advisor.hardware.vector_rates import vector_rates
from advisor.workloads.profile import Precision

Arithmetic = Literal["fp64", Precision, "int64", "int32", "int8"]
"""Arithmetic: NumPy's default is ``fp64``, of whole numbers ``int64``."""

ARITHMETICS: tuple[Arithmetic, ...] = (
    "fp64",
    *get_args(Precision),
    "int64",
    "int32",
    "int8",
)

ITEM_BYTES: dict[Arithmetic, int] = {
    "fp64": 8,
    "fp32": 4,
    "tf32": 4,
    "amp": 2,
    "bf16": 2,
    "fp16": 2,
    "int64": 8,
    "int32": 4,
    "int8": 1,
}
"""Bytes of a number."""

CPU_SHARE = Assumption(
    0.7, "share", "assumption: of a CPU's peak that large matrix products reach"
)
UNMEASURED_SHARE = Assumption(
    0.8,
    "share",
    "assumption: of a GPU's FP64 peak that products reach, and of the other peaks of "
    "makers whose cards nobody measured",
)
INTEGER_SHARE = Assumption(
    0.3,
    "share",
    "assumption: of a GPU's rate of integers that CuPy's own product of them reaches",
)
INTEGER_CYCLES = Assumption(
    8.0,
    "cycle",
    "a multiplication and addition in NumPy's product of integers, which is one plain "
    "loop: 0.3 to 1.2 GFLOP/s measured with NumPy 2.4 on a core of Zen 5",
)
USUAL_OPERATIONS = Assumption(
    32.0,
    "FLOP/cycle",
    "FP32 operations of a core and cycle where they are unknown: two 256-bit units that "
    "multiply and add, as all desktop cores since Haswell and Zen 2 (vendors' manuals)",
)
CORE_GB_S = Assumption(
    12.0,
    "GB/s",
    "assumption: what one core moves between memory and registers; 15 to 19 measured "
    "with NumPy 2.4 on a core of Zen 5, less on slower clocks",
)
CACHE_FACTOR = Assumption(
    4.0,
    "1",
    "a core's rate from its L3 cache over that from memory: 1.25 against 0.3 ns a sum "
    "measured with NumPy 2.4 on a core of Zen 5",
)
MEMORY_SHARE = Assumption(
    0.8, "share", "assumption: of nominal memory bandwidth that long arrays reach"
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

_WIDE_AMD = frozenset({"Zen 4", "Zen 4c", "Zen 5", "Zen 5c"})

_SOCKET_GB_S = {
    "Sandy Bridge": 51.2,
    "Ivy Bridge": 59.7,
    "Haswell": 68.3,
    "Broadwell": 76.8,
    "Skylake": 128.0,
    "Cascade Lake": 140.8,
    "Cooper Lake": 153.6,
    "Ice Lake": 204.8,
    "Sapphire Rapids": 307.2,
    "Emerald Rapids": 358.4,
    "Granite Rapids": 614.4,
    "Zen": 170.7,
    "Zen 2": 204.8,
    "Zen 3": 204.8,
    "Zen 4": 460.8,
    "Zen 4c": 460.8,
    "Zen 5": 576.0,
    "Zen 5c": 576.0,
}
"""Memory bandwidth of a server's socket, 10^9 bytes/s: channels x rate x 8 bytes, from
the vendors' product pages of the largest models."""

_LINE_GB_S = (
    (r"epyc 4\d\d4", 83.2),  # AM5: 2 channels of DDR5-5200
    (r"epyc 4\d\d5", 89.6),  # 2 x DDR5-5600
    (r"epyc 8\d\d4", 230.4),  # SP6: 6 x DDR5-4800
    (r"threadripper 1", 85.3),  # 4 x DDR4-2667
    (r"threadripper 2", 93.9),  # 4 x DDR4-2933
    (r"threadripper 3", 102.4),  # 4 x DDR4-3200
    (r"threadripper 7", 166.4),  # 4 x DDR5-5200
    (r"threadripper 9", 204.8),  # 4 x DDR5-6400
    (r"threadripper pro [35]", 204.8),  # 8 x DDR4-3200
    (r"threadripper pro 7", 332.8),  # 8 x DDR5-5200
    (r"threadripper pro 9", 409.6),  # 8 x DDR5-6400
    (r"xeon w 12", 46.9),  # 2 x DDR4-2933
    (r"xeon w 13", 51.2),  # 2 x DDR4-3200
    (r"xeon w 21", 85.3),  # 4 x DDR4-2666
    (r"xeon w 22", 93.9),  # 4 x DDR4-2933
    (r"xeon w 31", 128.0),  # 6 x DDR4-2666
    (r"xeon w 32", 140.8),  # 6 x DDR4-2933
    (r"xeon w 33", 204.8),  # 8 x DDR4-3200
    (r"xeon w\d 2[45]", 153.6),  # 4 x DDR5-4800
    (r"xeon w\d 3[45]", 307.2),  # 8 x DDR5-4800
    (r"xeon 6[57]", 409.6),  # 8 x DDR5-6400; the 6900 have twelve
    (r"xeon e5 [12]4", 38.4),  # 3 x DDR3-1600
    (r"core i7 77", 42.7),  # 2 x DDR4-2666
    (r"core i7 [79][89]..x|core i9 [79]", 85.3),  # 4 x DDR4-2666
    (r"core i9 10...xe?$", 93.9),  # 4 x DDR4-2933
)
"""Memory bandwidth of a socket, 10^9 bytes/s, of lines of products that have other
channels than the servers of their microarchitecture: the start of a key, first match;
channels and rates from the lines' product pages (amd.com; intel.com, ARK)."""

_SLOW_LINE_GB_S = {"bronze": 102.4, "silver": 115.2, "gold 5": 115.2}
"""The same of lines of Skylake with slower memory (DDR4-2133 and -2400)."""

_DESKTOP_GB_S = 45.0
"""Two channels of DDR4-2800, between the 34 of 2015 and the 90 of 2024."""

_WORKSTATION_GB_S = 2.0 * _DESKTOP_GB_S
"""Four channels, of one whose line and microarchitecture are unknown."""

_SMALL_SERVER = "xeon e3"
"""Servers with the chips of desktops: two channels, no 512-bit vectors."""


@dataclass(frozen=True, slots=True)
class Processor:
    """A CPU as this computation sees it.

    Attributes
    ----------
    cores : physical cores that compute
    ghz : clock of all of them together, GHz
    core_ghz : clock of one alone, GHz
    operations : FP32 operations of a core and cycle
    wide : whether it has 512-bit vectors
    memory_gb_s : nominal bandwidth of its memory, 10^9 bytes/s
    cache_mb : L3 cache, 10^6 bytes; 0 where unknown
    pcie_gen : of its link to the GPU; NaN where unknown
    """

    cores: float
    ghz: float
    core_ghz: float
    operations: float
    wide: bool = False
    memory_gb_s: float = _DESKTOP_GB_S
    cache_mb: float = 0.0
    pcie_gen: float = math.nan

    def core_gb_s(self, touched_gb: float) -> float:
        """Return 10^9 bytes/s of one core over arrays of so many 10^9 bytes."""
        fits = touched_gb * 1000.0 < self.cache_mb / 2.0
        return CORE_GB_S.value * (CACHE_FACTOR.value if fits else 1.0)


def processor(
    cpu: Cpu | None, cores: float | None = None, ghz: float | None = None
) -> Processor:
    """Return what a CPU does: its own figures, or those that the user states.

    Parameters
    ----------
    cpu : row of the table; None: in no table, so that `cores` and `ghz` must be stated
    cores, ghz : physical cores and clock; None: those of `cpu`
    """
    if cpu is None:
        clock = ghz or math.nan
        return Processor(cores or math.nan, clock, clock, USUAL_OPERATIONS.value)
    base = cpu.boost_ghz if math.isnan(cpu.base_ghz) else cpu.base_ghz
    boost = base if math.isnan(cpu.boost_ghz) else cpu.boost_ghz
    large = cpu.segment in {"server", "workstation"}
    server = large and not cpu.key.startswith(_SMALL_SERVER)
    wide = (server and cpu.microarchitecture in _WIDE) or (
        cpu.microarchitecture in _WIDE_AMD
    )
    return Processor(
        cores=cores or cpu.cores,
        ghz=ghz or base,
        core_ghz=ghz or boost,
        operations=_operations(cpu, server=server),
        wide=wide,
        memory_gb_s=_socket_gb_s(cpu),
        cache_mb=float(np.nan_to_num(cpu.l3_mb)),
        pcie_gen=cpu.pcie_gen,
    )


def _operations(cpu: Cpu, *, server: bool) -> float:
    """Return FP32 operations of a core and cycle."""
    if cpu.microarchitecture in _WIDE and server:
        older = cpu.microarchitecture in {"Skylake", "Cascade Lake"}
        one = older and any(line in cpu.key for line in _ONE_UNIT)
        return USUAL_OPERATIONS.value if one else _TWO_UNITS
    return _OPERATIONS.get(cpu.microarchitecture, USUAL_OPERATIONS.value)


def _socket_gb_s(cpu: Cpu) -> float:
    """Return the nominal memory bandwidth of a socket, 10^9 bytes/s."""
    if cpu.segment in {"server", "workstation"}:
        for line, gb_s in _LINE_GB_S:
            if re.match(line, cpu.key):
                return gb_s
    if cpu.segment == "workstation":  # the chips of servers: E5-1600, Core X
        return _SOCKET_GB_S.get(cpu.microarchitecture, _WORKSTATION_GB_S)
    if cpu.segment != "server" or cpu.key.startswith(_SMALL_SERVER):
        return _DESKTOP_GB_S
    if cpu.microarchitecture == "Skylake":
        for line, slow in _SLOW_LINE_GB_S.items():
            if line in cpu.key:
                return slow
    return _SOCKET_GB_S.get(cpu.microarchitecture, _DESKTOP_GB_S)


def gpu_tflops(gpu: Gpu, precision: Arithmetic) -> float:
    """Return the sustained rate of matrix products on a GPU, 10^12 FLOP/s.

    The usable rate times the share of it that large products reach, as measured or by
    cards of its kind (`Gpu.matmul_share`, `Gpu.fp32_share`); an assumption in FP64. A
    precision that the GPU lacks runs as FP32.

    Raises
    ------
    advisor.base.errors.UsageError
        if it has no such arithmetic
    """
    if precision == "fp64":
        rate = gpu.fp32_tflops * vector_rates(gpu).fp64_matrix * UNMEASURED_SHARE.value
        return _there(gpu, precision, rate)
    if precision in {"int64", "int32", "int8"}:
        return vector_tflops(gpu, precision) * INTEGER_SHARE.value
    on_tensor_cores = {
        "fp32": math.nan,
        "tf32": gpu.tf32_tflops,
        "amp": gpu.fp16_tflops,
        "bf16": gpu.bf16_tflops,
        "fp16": gpu.fp16_tflops,
    }[precision]
    if math.isnan(on_tensor_cores) or on_tensor_cores <= gpu.fp32_tflops:
        return gpu.fp32_tflops * _or_assumed(gpu.fp32_share)
    return on_tensor_cores * _or_assumed(gpu.matmul_share)


def _or_assumed(share: float) -> float:
    return UNMEASURED_SHARE.value if math.isnan(share) else share


def vector_tflops(gpu: Gpu, precision: Arithmetic) -> float:
    """Return the nominal rate of vectors on a GPU, no tensor cores, 10^12 FLOP/s.

    A 64-bit integer takes about four operations of 32 bits (assumption: two of an
    addition, more of a multiplication). BF16 is computed as FP32, and so is FP16 where a
    card is slow at it: CUDA's own functions convert.

    Raises
    ------
    advisor.base.errors.UsageError
        if it has no such arithmetic
    """
    rates = vector_rates(gpu)
    over_fp32 = {
        "fp64": rates.fp64,
        "fp16": max(rates.fp16, 1.0),
        "int64": rates.int32 / 4.0,
        "int32": rates.int32,
        "int8": rates.int32,
    }.get(precision, 1.0)
    return _there(gpu, precision, gpu.fp32_tflops * over_fp32)


def _there(gpu: Gpu, precision: Arithmetic, rate: float) -> float:
    if math.isnan(rate):
        known = vector_rates(gpu).source
        message = f"{gpu.name} has no {precision.upper()} that is known ({known})"
        raise UsageError(message)
    return rate


def core_gflops(cpu: Processor, ghz: float, precision: Arithmetic) -> float:
    """Return the sustained rate of products on one core, 10^9 operations/s.

    Half precision is computed as FP32: no BLAS has it, and NumPy's own is hundreds of
    times slower.
    """
    if precision in {"int64", "int32", "int8"}:
        return 2.0 * ghz / INTEGER_CYCLES.value
    width = 0.5 if precision == "fp64" else 1.0
    return ghz * cpu.operations * width * CPU_SHARE.value


def link_gb_s(gpu: Gpu, cpu: Processor | None = None) -> float:
    """Return 10^9 bytes/s that copies between host and GPU reach.

    The slower end counts: an older CPU's link under a newer card.
    """
    own = float(np.nan_to_num(gpu.pcie_gen, nan=3.0))
    host = math.nan if cpu is None else cpu.pcie_gen
    generation = int(np.clip(np.nanmin([own, host]), 1, 6))
    lanes = float(np.nan_to_num(gpu.pcie_lanes, nan=16.0))
    return PCIE_GB_S_PER_LANE[generation - 1] * lanes * PCIE_EFFICIENCY
