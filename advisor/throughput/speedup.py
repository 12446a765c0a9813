"""Whether it is worth moving a computation to a GPU at all.

It is a number of calls of W operations that touch B bytes of memory. Of W the share p
runs in parallel; the rest runs on one core of the CPU either way (G. M. Amdahl,
"Validity of the single processor approach", AFIPS 1967). What runs in parallel takes as
long as its arithmetic or its memory, whichever is slower (S. Williams, A. Waterman and
D. Patterson, "Roofline", CACM 52, 2009)::

    CPU: calls x ((1 - p) W / core + max(p W / cores, B / memory) + call)
    GPU: calls x ((1 - p) W / core + max(p W / GPU, B / memory, launch))
         + copies + start-up

A launch costs the CPU time while the GPU works on the one before, so that only the
longer of the two counts. Copies and start-up are once or in each call.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from advisor.base.assumption import Assumption
from advisor.base.errors import Given, UsageError
from advisor.base.units import BYTES_PER_GB
from advisor.hardware.gpus import Gpu
from advisor.hardware.machines import PCIE_EFFICIENCY
from advisor.throughput import arithmetic
from advisor.throughput.arithmetic import (
    ITEM_BYTES,
    MEMORY_SHARE,
    Arithmetic,
    Processor,
    core_gflops,
    gpu_tflops,
    link_gb_s,
    vector_tflops,
)
from advisor.throughput.functions import FUNCTIONS
from advisor.throughput.spread import Z90

CPU_LOG_SD = Assumption(
    0.3, "1", "assumption: spread of the logarithm of the CPU's sustained rate"
)
GPU_LOG_SD = Assumption(
    0.25, "1", "assumption: spread of the logarithm of the GPU's sustained rate"
)
FUNCTION_LOG_SD = Assumption(
    0.5, "1", "assumption: the same of either where each number of an array is worked on"
)
START_UP = Assumption(
    1.0, "s", "assumption: context and libraries of the GPU, until its first kernel"
)
START_UP_LOG_SD = Assumption(
    0.5, "1", "assumption: spread of the logarithm of the start-up"
)
KERNEL_LAUNCH = Assumption(
    1e-5,
    "s",
    "a call of CuPy until its kernel is on the way: 8.5 and 11.4 us (cupy pull requests "
    "2474 and 3298), 12 us (its user guide)",
)
CALL = Assumption(
    5e-7, "s", "a call of NumPy: 0.4 us (Quansight-Labs/uarray issue 156), 0.3 measured"
)
COPY = Assumption(
    2e-5, "s", "assumption: to set off a copy to the GPU and one back, and wait for it"
)
VECTOR_SHARE = Assumption(
    0.7, "share", "assumption: of a GPU's vector peak that functions of numbers reach"
)


@dataclass(frozen=True, slots=True)
class Work:
    """What is computed.

    Attributes
    ----------
    gflop : 10^9 operations of a call; of a function of each number, its numbers
    touched_gb : 10^9 bytes of memory that a call reads and writes
    data_gb : 10^9 bytes that cross the link
    calls : how often
    parallel : share of the operations that runs in parallel, 0 to 1
    copies_each, start_up_each : whether data cross, and the GPU starts up, in every call
        rather than once
    function : whose cost stands for an operation, of
        `advisor.throughput.functions.FUNCTIONS`; empty: products of matrices
    """

    gflop: float
    touched_gb: float = 0.0
    data_gb: float = 0.0
    calls: float = 1.0
    parallel: float = 1.0
    copies_each: bool = False
    start_up_each: bool = False
    function: str = ""


@dataclass(frozen=True, slots=True)
class Rates:
    """What runs how fast.

    Attributes
    ----------
    gpu_tflops, cpu_tflops, core_tflops : sustained, of the GPU, of all cores together
        and of one alone, 10^12 operations/s
    link_gb_s : copies between host and GPU, 10^9 bytes/s
    gpu_gb_s, cpu_gb_s : memory, 10^9 bytes/s
    """

    gpu_tflops: float
    cpu_tflops: float
    core_tflops: float
    link_gb_s: float
    gpu_gb_s: float = math.inf
    cpu_gb_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Times:
    """Where the time goes, s.

    Attributes
    ----------
    serial_s : on one core, with the GPU as without it
    parallel_s : on all cores that are used
    compute_s, transfer_s, start_up_s : on the GPU, over the link, before the first kernel
    launch_s : of calls, as far as the GPU waits for them
    """

    serial_s: float
    parallel_s: float
    compute_s: float
    transfer_s: float
    start_up_s: float
    launch_s: float = 0.0

    @property
    def cpu_s(self) -> float:
        """All of it on the CPU."""
        return self.serial_s + self.parallel_s

    @property
    def gpu_s(self) -> float:
        """With the GPU."""
        on_gpu = self.compute_s + self.launch_s
        return self.serial_s + on_gpu + self.transfer_s + self.start_up_s

    @property
    def factor(self) -> float:
        """How many times as fast the GPU makes it."""
        return self.cpu_s / self.gpu_s


@dataclass(frozen=True, slots=True)
class Speedup:
    """What the GPU makes of a computation.

    Attributes
    ----------
    work, rates, times : behind it
    low, high : 90 % interval of `Times.factor`
    cpu_bound, gpu_bound : ``"arithmetic"``, ``"memory"`` or ``"calls"``, what its
        parallel part waits for
    resident : times with the data on the GPU already
    each : times with the data copied in every call
    calls_that_pay : calls from which on the GPU is faster; None: never
    """

    work: Work
    rates: Rates
    times: Times
    low: float
    high: float
    cpu_bound: str
    gpu_bound: str
    resident: Times
    each: Times
    calls_that_pay: float | None

    @property
    def resident_factor(self) -> float:
        """The factor with the data on the GPU already."""
        return self.resident.factor


def product_work(sizes: tuple[int, int, int], precision: Arithmetic) -> Work:
    """Return the product of two matrices, M x K and K x N: 2 M N K operations."""
    rows, inner, columns = map(float, sizes)
    numbers = rows * inner + inner * columns + rows * columns
    moved = numbers * ITEM_BYTES[precision] / BYTES_PER_GB
    return Work(2.0 * rows * inner * columns / 1e9, moved, moved)


def function_work(function: str, numbers: float, precision: Arithmetic) -> Work:
    """Return a function of each number of an array: its arguments are read, one written.

    Raises
    ------
    advisor.base.errors.UsageError
        if the arithmetic has no such function
    """
    known = FUNCTIONS[function]
    integer = precision.startswith("int")
    if precision in {"tf32", "amp"} or (integer and not known.integers):
        raise UsageError(
            *(Given("precision"), f" {precision} has no {function} of each number: "),
            "fp64, fp32, fp16 and bf16 have",
        )
    moved = numbers * (known.arguments + 1) * ITEM_BYTES[precision] / BYTES_PER_GB
    return Work(numbers / 1e9, moved, moved, function=function)


def speedup(work: Work, rates: Rates) -> Speedup:
    """Compare a computation on a CPU with the same on a GPU."""
    middle = _times(work, rates)
    spreads = (GPU_LOG_SD, CPU_LOG_SD)
    if work.function:
        spreads = (FUNCTION_LOG_SD, FUNCTION_LOG_SD)
    by_gpu, by_cpu = (math.exp(Z90 * sd.value) for sd in spreads)
    by_start = math.exp(Z90 * START_UP_LOG_SD.value)
    worse = (
        _times(work, _faster(rates, gpu=1.0 / by_gpu)),
        _times(work, _faster(rates, cpu=by_cpu)),
        _times(work, rates, by_start),
    )
    better = (
        _times(work, _faster(rates, gpu=by_gpu)),
        _times(work, _faster(rates, cpu=1.0 / by_cpu)),
        _times(work, rates, 1.0 / by_start),
    )
    low, high = (
        math.hypot(*(math.log(one.factor / middle.factor) for one in side))
        for side in (worse, better)
    )
    cpu, gpu = _cpu_parts(work, rates), _gpu_parts(work, rates)
    return Speedup(
        work=work,
        rates=rates,
        times=middle,
        low=middle.factor * math.exp(-low),
        high=middle.factor * math.exp(high),
        cpu_bound=max(cpu, key=lambda part: cpu[part]),
        gpu_bound=max(gpu, key=lambda part: gpu[part]),
        resident=_times(replace(work, data_gb=0.0), rates),
        each=_times(replace(work, copies_each=True), rates),
        calls_that_pay=_calls_that_pay(work, rates),
    )


def _times(work: Work, rates: Rates, start_up: float = 1.0) -> Times:
    """Return the times, those of the start-up so many times as long."""
    calls = work.calls
    alone = (1.0 - work.parallel) * work.gflop / 1000.0
    cpu, gpu = _cpu_parts(work, rates), _gpu_parts(work, rates)
    computed = max(gpu["arithmetic"], gpu["memory"])
    copied = work.data_gb / rates.link_gb_s
    copied += COPY.value if work.data_gb > 0.0 else 0.0
    return Times(
        serial_s=calls * alone / rates.core_tflops,
        parallel_s=calls * (max(cpu["arithmetic"], cpu["memory"]) + cpu["calls"]),
        compute_s=calls * computed,
        transfer_s=copied * (calls if work.copies_each else 1.0),
        start_up_s=start_up * START_UP.value * (calls if work.start_up_each else 1.0),
        launch_s=calls * max(gpu["calls"] - computed, 0.0),
    )


def _cpu_parts(work: Work, rates: Rates) -> dict[str, float]:
    """Return what the parallel part of a call takes on the CPU, s."""
    return {
        "arithmetic": work.parallel * work.gflop / 1000.0 / rates.cpu_tflops,
        "memory": work.touched_gb / rates.cpu_gb_s,
        "calls": CALL.value,
    }


def _gpu_parts(work: Work, rates: Rates) -> dict[str, float]:
    """Return what the parallel part of a call takes on the GPU, s."""
    return {
        "arithmetic": work.parallel * work.gflop / 1000.0 / rates.gpu_tflops,
        "memory": work.touched_gb / rates.gpu_gb_s,
        "calls": KERNEL_LAUNCH.value,
    }


def _faster(rates: Rates, gpu: float = 1.0, cpu: float = 1.0) -> Rates:
    """Return rates that are so many times as high."""
    return replace(
        rates,
        gpu_tflops=rates.gpu_tflops * gpu,
        gpu_gb_s=rates.gpu_gb_s * gpu,
        cpu_tflops=rates.cpu_tflops * cpu,
        core_tflops=rates.core_tflops * cpu,
        cpu_gb_s=rates.cpu_gb_s * cpu,
    )


def _calls_that_pay(work: Work, rates: Rates) -> float | None:
    """Return the calls from which on the GPU is faster; None: it never is."""
    one, two = (_times(replace(work, calls=calls), rates) for calls in (1.0, 2.0))
    saved = (two.cpu_s - one.cpu_s) - (two.gpu_s - one.gpu_s)
    if one.factor >= 1.0:
        return 1.0
    return float(math.ceil(1.0 + (one.gpu_s - one.cpu_s) / saved)) if saved > 0 else None


def rates_of(
    gpu: Gpu,
    cpu: Processor,
    precision: Arithmetic,
    work: Work | None = None,
    threads: float | None = None,
) -> Rates:
    """Return the sustained rates of a GPU and of a CPU for a kind of work.

    Parameters
    ----------
    work : None: products of matrices that memory does not bind
    threads : cores that the CPU's code uses; None: all of them for products, one for
        functions and for integers, as NumPy does

    Raises
    ------
    advisor.base.errors.UsageError
        if the GPU has no such arithmetic
    """
    function = work.function if work is not None else ""
    alone = bool(function) or precision.startswith("int")
    used = min(threads or (1.0 if alone else cpu.cores), cpu.cores)
    clock = cpu.core_ghz if used == 1.0 else cpu.ghz
    touched = work.touched_gb if work is not None else 0.0
    # Half precision is computed in FP32 on a CPU, on numbers of twice the bytes.
    narrow = 0.5 if precision in {"amp", "bf16", "fp16"} else 1.0
    memory = min(used * cpu.core_gb_s(touched), cpu.memory_gb_s * MEMORY_SHARE.value)
    if touched * 1000.0 < cpu.cache_mb / 2.0:
        memory = used * cpu.core_gb_s(touched)
    if function:
        known = FUNCTIONS[function]
        instructions = known.instructions(precision)
        on_gpu = vector_tflops(gpu, precision) / 2.0 * VECTOR_SHARE.value / instructions
        each_core = 1.0 / known.cycles(precision, wide=cpu.wide)
    else:
        on_gpu = gpu_tflops(gpu, precision)
        each_core = core_gflops(cpu, 1.0, precision)
    return Rates(
        gpu_tflops=on_gpu,
        cpu_tflops=used * clock * each_core / 1000.0,
        core_tflops=cpu.core_ghz * each_core / 1000.0,
        link_gb_s=link_gb_s(gpu, cpu),
        gpu_gb_s=gpu.memory_bandwidth_gb_s * MEMORY_SHARE.value,
        cpu_gb_s=memory * narrow,
    )


def stated(work: Work | None = None) -> dict[str, Assumption]:
    """Return what an answer assumes, by name."""
    function = work is not None and bool(work.function)
    shares = {
        "cpu_share": arithmetic.CPU_SHARE,
        "gpu_fp32_share": arithmetic.UNMEASURED_SHARE,
        "cpu_log_sd": CPU_LOG_SD,
        "gpu_log_sd": GPU_LOG_SD,
    }
    if function:
        shares = {"vector_share": VECTOR_SHARE, "function_log_sd": FUNCTION_LOG_SD}
    return {
        **shares,
        "start_up_s": START_UP,
        "start_up_log_sd": START_UP_LOG_SD,
        "launch_s": KERNEL_LAUNCH,
        "call_s": CALL,
        "copy_s": COPY,
        "core_gb_s": arithmetic.CORE_GB_S,
        "memory_share": MEMORY_SHARE,
        "operations_if_unknown": arithmetic.USUAL_OPERATIONS,
        "pcie_efficiency": Assumption(
            PCIE_EFFICIENCY,
            "share",
            "of the link's rate that copies from pinned memory reach (published: 12 of "
            "15.8 GB/s on generation 3, 25 of 31.5 on generation 4)",
        ),
    }
