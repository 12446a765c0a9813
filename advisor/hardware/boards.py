"""Kinds of GPU boards, and the share of its matrix rate that a card sustains.

Nobody has published the matrix rate of most cards. What they sustain follows from two
things: whether their tensor cores run at half rate with FP32 accumulation, as those of
GeForce cards do, so that power is left and the clock stays above the stated one; and, of
cards at full rate, how much power each multiprocessor has.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from advisor.base.arrays import FloatArray

if TYPE_CHECKING:
    from advisor.hardware.gpus import Gpu

FULL, HALF = "full-rate tensor cores", "half-rate tensor cores"
NONE = "no tensor cores"
LAPTOP = "laptop"
"""Kinds of boards, see `board`; those of laptops whose tensor cores run at full rate are
``"laptop, full-rate tensor cores"``."""

HALF_RATE_FLOP = 768.0
"""FLOP per clock of a multiprocessor, FP16 with FP32 accumulation, below which its tensor
cores run at half rate: 512 against 1,024 and more on every architecture from Volta on
(NVIDIA's whitepapers; 569 by the data sheet of an A10G)."""

TENSOR_CORES = 1.5
"""Matrix rate over FP32 rate above which products run on tensor cores: they are two or
more times as fast as the vector units on every card that has them."""

FIRST_TENSOR_CORES = 7.0
"""Compute capability of the first cards with tensor cores (Volta)."""

LAPTOP_W = 200.0
"""Most that the GPU of a laptop takes, W: 175 by NVIDIA's data sheets. An RTX PRO 6000
Max-Q takes 300 and is a workstation's card."""

FEWEST_CARDS = 3
"""Measured cards of a kind and architecture whose median counts."""


def is_laptop(gpu: Gpu) -> bool:
    """Say whether a GPU is a laptop's, which runs above its stated base clock."""
    is_named = gpu.name.endswith(("Laptop", "Max-Q"))
    return is_named and not gpu.tdp_w > LAPTOP_W


def board(gpu: Gpu) -> str:
    """Return the kind of a board: by its tensor cores, and laptops apart."""
    rate = _tensor_cores(gpu)
    if not is_laptop(gpu):
        return rate
    return f"{LAPTOP}, {FULL}" if rate == FULL else LAPTOP


def _tensor_cores(gpu: Gpu) -> str:
    if not (
        gpu.compute_capability >= FIRST_TENSOR_CORES
        and gpu.fp16_tflops > TENSOR_CORES * gpu.fp32_tflops
    ):
        return NONE
    per_clock = 1e6 * gpu.fp16_tflops / (gpu.sm_count * gpu.boost_mhz)
    return HALF if per_clock < HALF_RATE_FLOP else FULL


def with_matmul_shares(
    gpus: Sequence[Gpu], measured: Mapping[str, float]
) -> Iterator[Gpu]:
    """Fill in `advisor.hardware.gpus.Gpu.matmul_share`, of NVIDIA's cards.

    Of a card that nobody measured: that of the same chip at the same clock with another
    memory; or else at full rate the power law `_law` of those that were measured, in a
    laptop times what the clocks of laptops add; or else the median of its kind and
    architecture, or of its kind where fewer than `FEWEST_CARDS` were measured.

    Parameters
    ----------
    gpus : all cards
    measured : GPU -> rate of large FP16 matrix products, 10^12 FLOP/s
    """
    cards = [gpu for gpu in gpus if gpu.vendor == "NVIDIA"]
    known = [gpu for gpu in cards if gpu.name in measured]
    shares = {gpu.name: measured[gpu.name] / gpu.fp16_tflops for gpu in known}
    twins = {_chip(gpu): shares[gpu.name] for gpu in known}
    medians = _medians(known, shares)
    law = _law([gpu for gpu in known if board(gpu) == FULL], shares)
    clocks = medians.get((LAPTOP,), math.nan) / medians.get((HALF,), math.nan)
    for gpu in gpus:
        if gpu.vendor != "NVIDIA":
            share = math.nan
        elif gpu.name in shares:
            share = shares[gpu.name]
        elif _chip(gpu) in twins:
            share = twins[_chip(gpu)]
        elif board(gpu).endswith(FULL):
            share = math.exp(np.polyval(law, _log_power(gpu)))
            share *= clocks if is_laptop(gpu) else 1.0
        else:
            wider = medians.get((board(gpu),), math.nan)
            share = medians.get((board(gpu), gpu.architecture), wider)
        yield replace(gpu, matmul_share=share)


def _chip(gpu: Gpu) -> tuple[str, float, float, str]:
    """Return what cards share that differ in their memory alone."""
    return gpu.die, gpu.sm_count, gpu.boost_mhz, gpu.interconnect


def _medians(
    gpus: Iterable[Gpu], shares: Mapping[str, float]
) -> dict[tuple[str, ...], float]:
    """Return the median shares of kinds, and of kinds and architectures."""
    found: dict[tuple[str, ...], list[float]] = {}
    for gpu in gpus:
        for key in ((board(gpu),), (board(gpu), gpu.architecture)):
            found.setdefault(key, []).append(shares[gpu.name])
    return {
        key: statistics.median(values)
        for key, values in found.items()
        if len(key) == 1 or len(values) >= FEWEST_CARDS
    }


def _law(gpus: Sequence[Gpu], shares: Mapping[str, float]) -> FloatArray:
    """Fit ln share over `_log_power`, a line by least squares, on cards at full rate."""
    if len(gpus) < FEWEST_CARDS:
        return np.array([math.nan, math.nan])
    powers = [_log_power(gpu) for gpu in gpus]
    line: FloatArray = np.polyfit(powers, [math.log(shares[g.name]) for g in gpus], 1)
    return line


def _log_power(gpu: Gpu) -> float:
    """Return ln of the power that each multiprocessor has for each GHz, W."""
    return math.log(1e3 * gpu.tdp_w / (gpu.sm_count * gpu.boost_mhz))
