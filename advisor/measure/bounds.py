"""What no machine does: bounds of physics on measured figures.

A figure beyond one of these is a slip of the measurement, or of its unit; a figure within
them may still be surprising.
"""

from __future__ import annotations

import math

from advisor.hardware.boards import TENSOR_CORES, is_laptop
from advisor.hardware.core_speed import REFERENCE_SCORE, CpuConstants
from advisor.hardware.gpus import Gpu
from advisor.throughput.expected import CLOCK_MARGIN, WINOGRAD
from advisor.throughput.features import tensor_rate
from advisor.throughput.readings import REFERENCE_RATES

MOST_OF_BEST_CORE = 3.0
"""How far a core may be above the best that is known (assumption): from one year to the
next a core gained less than a half."""

BEST_SCORE = 5000.0
"""PassMark single-thread score of the fastest core of the CPU table (Ryzen 7 9850X3D),
rounded up."""

LAPTOP_MARGIN = 1.5
"""Instead of `CLOCK_MARGIN` for laptops, whose nominal rates are at base clocks: measured
matrix rates go up to 1.4 times what the usual share of laptops gives."""


def most_matmul_tflops(gpu: Gpu, precision: str) -> float:
    """Return what matrix products of a card cannot go beyond, 10^12 FLOP/s.

    Its nominal rate, where published measurements are above it those, and the margin of a
    faster clock; infinite where the rate is unknown. A precision that the card lacks runs
    as FP32.
    """
    nominal = tensor_rate(gpu, precision)
    nominal = gpu.fp32_tflops if math.isnan(nominal) else nominal
    share = max(gpu.matmul_share, 1.0) if gpu.matmul_share > 0.0 else 1.0
    most = _margin(gpu) * nominal * share
    return math.inf if math.isnan(most) else most


def most_bandwidth_gb_s(gpu: Gpu) -> float:
    """Return what the memory of a card cannot go beyond, GB/s; infinite if unknown."""
    most = _margin(gpu) * gpu.memory_bandwidth_gb_s
    return math.inf if math.isnan(most) else most


def _margin(gpu: Gpu) -> float:
    return LAPTOP_MARGIN if is_laptop(gpu) else CLOCK_MARGIN


def most_of_core(line: str, constants: CpuConstants) -> float:
    """Return what one core cannot go beyond in a line, in its unit.

    Infinite where nobody knows what the reference core does.
    """
    reference = REFERENCE_RATES.get(line, math.inf)
    speed: float = (BEST_SCORE / REFERENCE_SCORE) ** constants.score_exponent
    return MOST_OF_BEST_CORE * speed * reference


def most_rate(
    gpu: Gpu, precision: str, gmacs: float, *, is_frozen: bool = False
) -> float:
    """Return samples/s of a training that one GPU cannot go beyond, infinite if unknown.

    Parameters
    ----------
    gmacs : 10^9 multiply-accumulates of a forward pass
    is_frozen : most weights are, so that no gradient of theirs is computed: a backward
        pass takes as much as a forward pass, else twice as much
    """
    passes = 2.0 if is_frozen else 3.0
    most = _margin(gpu) * _counted_tflops(gpu, precision) * 1e3 / (passes * 2.0 * gmacs)
    return math.inf if math.isnan(most) else most


def _counted_tflops(gpu: Gpu, precision: str) -> float:
    """Return the operations that are counted with all units busy, 10^12 FLOP/s.

    Without tensor cores a convolution takes fewer than are counted (`WINOGRAD`).
    """
    nominal = tensor_rate(gpu, precision)
    if nominal > TENSOR_CORES * gpu.fp32_tflops:
        return nominal
    return WINOGRAD * max(gpu.fp32_tflops, nominal)  # a precision that it lacks is NaN
