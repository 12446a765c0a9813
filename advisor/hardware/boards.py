"""Kinds of GPU boards, and the share of its matrix rate that a card sustains.

Nobody has published the matrix rate of most cards. What they sustain follows from two
things: whether their tensor cores run at half rate with FP32 accumulation, as those of
GeForce cards do, so that power is left and the clock stays above the stated one; and, of
cards at full rate, how much power each multiprocessor has. In plain FP32 it is the power,
too, where a multiprocessor can use all of its lanes for it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from advisor.base.arrays import FloatArray

if TYPE_CHECKING:
    from advisor.hardware.gpus import Gpu

FULL, HALF = "full-rate tensor cores", "half-rate tensor cores"
NONE = "no tensor cores"
DOUBLE = "no tensor cores, FP16 above FP32"
LAPTOP = "laptop"
"""Kinds of boards, see `board`; those of laptops whose tensor cores run at full rate are
``"laptop, full-rate tensor cores"``. GP100 has twice its FP32 rate in FP16, of which its
products, accumulated in FP32, reach half; other cards without tensor cores are taken to
have one rate in both."""

HALF_RATE_FLOP = 768.0
"""FLOP per clock of a multiprocessor, FP16 with FP32 accumulation, below which its tensor
cores run at half rate: 512 against 1,024 and more on every architecture from Volta on
(NVIDIA's whitepapers)."""

TENSOR_CORES = 1.5
"""Matrix rate over FP32 rate above which products run on tensor cores, on cards that
have them: they are two or more times as fast as the vector units on every one."""

FIRST_TENSOR_CORES = 7.0
"""Compute capability of the first cards with tensor cores (Volta)."""

SHARED_LANES, OWN_LANES = "shared FP32 lanes", "own FP32 lanes"
_SHARING, _SHARING_FROM = (8.6, 8.9), 12.0
"""Compute capabilities whose multiprocessors use half of their FP32 lanes for integers,
too (whitepapers of GA102, AD102 and GB202). With all of them running, power decides the
clock: what is sustained follows the law to within 9 %. Of other cards power tells
nothing."""

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


def kinds_of(gpu: Gpu) -> tuple[str, ...]:
    """Return the kinds of boards whose shares a card may have, the narrowest first."""
    kind = board(gpu)
    wider = (NONE,) if kind == DOUBLE else ()
    return (f"{gpu.architecture}, {kind}", kind, *wider)


def _tensor_cores(gpu: Gpu) -> str:
    if not gpu.fp16_tflops > TENSOR_CORES * gpu.fp32_tflops:
        return NONE
    if not gpu.compute_capability >= FIRST_TENSOR_CORES:
        return DOUBLE
    per_clock = 1e6 * gpu.fp16_tflops / (gpu.sm_count * gpu.boost_mhz)
    return HALF if per_clock < HALF_RATE_FLOP else FULL


def with_shares(
    gpus: Sequence[Gpu], fp16: Mapping[str, float], fp32: Mapping[str, float]
) -> Iterator[Gpu]:
    """Fill in what NVIDIA's cards sustain of their matrix rates.

    These are `advisor.hardware.gpus.Gpu.matmul_share` and ``fp32_share``. See `_Shares`
    for cards that nobody measured.

    Parameters
    ----------
    gpus : all cards
    fp16, fp32 : GPU -> measured rate of large matrix products, 10^12 FLOP/s
    """
    cards = [gpu for gpu in gpus if gpu.vendor == "NVIDIA"]
    half = _Shares.of(
        {gpu: fp16[gpu.name] / gpu.fp16_tflops for gpu in cards if gpu.name in fp16},
        kind=board,
        by_power=FULL,
    )
    single = _Shares.of(
        {gpu: fp32[gpu.name] / gpu.fp32_tflops for gpu in cards if gpu.name in fp32},
        kind=_lanes,
        by_power=SHARED_LANES,
    )
    for gpu in gpus:
        known = gpu.vendor == "NVIDIA"
        yield replace(
            gpu,
            matmul_share=half.share(gpu) if known else math.nan,
            fp32_share=single.share(gpu) if known else math.nan,
        )


@dataclass(frozen=True, slots=True)
class _Shares:
    """What cards sustain of a nominal rate, by those that were measured.

    Of a card that nobody measured: that of the same chip at the same clock with another
    memory; or else by the law of power, if it is of the kind that it holds for, in a
    laptop times what the clocks of laptops add; or else the median of its kind and
    architecture, or of its kind where fewer than `FEWEST_CARDS` were measured.

    Attributes
    ----------
    measured : GPU -> share
    chips : `_chip` -> share
    medians : kind, or kind and architecture -> median share
    law : slope and intercept of ln share over `_log_power`
    kind : of a card
    by_power : the kind that the law holds for
    """

    measured: Mapping[str, float]
    chips: Mapping[tuple[str, float, float, str], float]
    medians: Mapping[tuple[str, ...], float]
    law: FloatArray
    kind: Callable[[Gpu], str]
    by_power: str

    @classmethod
    def of(
        cls, measured: Mapping[Gpu, float], kind: Callable[[Gpu], str], by_power: str
    ) -> _Shares:
        """Take the medians, and fit the law by least squares."""
        found: dict[tuple[str, ...], list[float]] = {}
        for gpu, share in measured.items():
            for key in ((kind(gpu),), (kind(gpu), gpu.architecture)):
                found.setdefault(key, []).append(share)
        fitted = [gpu for gpu in measured if kind(gpu) == by_power]
        law = np.array([math.nan, math.nan])
        if len(fitted) >= FEWEST_CARDS:
            powers = [_log_power(gpu) for gpu in fitted]
            law = np.polyfit(powers, [math.log(measured[gpu]) for gpu in fitted], 1)
        return cls(
            measured={gpu.name: share for gpu, share in measured.items()},
            chips={_chip(gpu): share for gpu, share in measured.items()},
            medians={
                key: statistics.median(values)
                for key, values in found.items()
                if len(key) == 1 or len(values) >= FEWEST_CARDS
            },
            law=law,
            kind=kind,
            by_power=by_power,
        )

    def share(self, gpu: Gpu) -> float:
        """Return what a card sustains of its nominal rate; NaN where nothing tells."""
        if gpu.name in self.measured:
            return self.measured[gpu.name]
        if _chip(gpu) in self.chips:
            return self.chips[_chip(gpu)]
        kind = self.kind(gpu)
        if kind.endswith(self.by_power):
            share = math.exp(np.polyval(self.law, _log_power(gpu)))
            return share * (self._laptop_clock() if is_laptop(gpu) else 1.0)
        wider = self.medians.get((kind,), math.nan)
        return self.medians.get((kind, gpu.architecture), wider)

    def _laptop_clock(self) -> float:
        """Return by how much the clocks of laptops are above the stated ones."""
        laptops = self.medians.get((LAPTOP,), math.nan)
        return laptops / self.medians.get((HALF,), math.nan)


def _lanes(gpu: Gpu) -> str:
    """Return the kind of a card by what its FP32 lanes share; laptops apart."""
    if is_laptop(gpu):
        return LAPTOP
    is_shared = gpu.compute_capability in _SHARING or (
        gpu.compute_capability >= _SHARING_FROM
    )
    return SHARED_LANES if is_shared else OWN_LANES


def _chip(gpu: Gpu) -> tuple[str, float, float, str]:
    """Return what cards share that differ in their memory alone."""
    return gpu.die, gpu.sm_count, gpu.boost_mhz, gpu.interconnect


def _log_power(gpu: Gpu) -> float:
    """Return ln of the power that each multiprocessor has for each GHz, W."""
    return math.log(1e3 * gpu.tdp_w / (gpu.sm_count * gpu.boost_mhz))
