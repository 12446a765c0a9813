"""What an offer says of its GPUs against what the card that it names is.

Less memory than the card was ever sold with is a slice of it (NVIDIA's MIG and virtual
GPUs) or a lesser card under its name: the rate falls as the memory does. More memory is
a modified card, which keeps its rate. Where the FP32 rate that the market states is below
the card's, either the name or the figure may be right: it moves the logarithm of the rate
half of the way, the measured bandwidth the other half if it says the same, and opens the
interval by as much. A bandwidth alone, which is measured badly at times, and a rate above
the card's open the interval, by less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, distinct
from advisor.base.units import MIB_PER_GIB
from advisor.hardware.mixed import MIXED_LOG_SD, mixed_cards
from advisor.hardware.names import mig_profile
from advisor.market.facts import MachineFacts

SAME_MEMORY = 0.15
"""Log-distance within which a market's memory is the card's: it strays by up to 7 %."""

SLICE_LOG_SD = 0.25
"""Added log-sd of the rate of a slice (assumption: one of a seventh of the cores may have
an eighth or a quarter of the memory; NVIDIA, "MIG User Guide", profiles)."""

FP32_BOUNDS = (0.7, 1.3)
"""FP32 rate of a card as markets state it over the table's: 0.8 to 1.03 on all 51
published offers that have it."""

BANDWIDTH_BOUNDS = (0.6, 1.15)
"""Likewise of the measured memory bandwidth: 0.75 to 0.88 on 50 of them, and 3.1."""

_USUAL_BANDWIDTH = 0.84  # measured over nominal, median of the same
_MOVES_NOTHING = 0.2  # log-sd over the logarithm of such a contradiction (assumption)
_WORST_LOG_SD = 0.5  # a figure that is a hundred times off says nothing
_STRAYS = 0.07  # by which a sum over cards strays
_LEAST_SHARE = 0.05  # of a card; no slice is smaller
_SLICES = 7.0  # parts that MIG makes of the cores of a GPU
_OF_FOUR = frozenset({"A30", "RTX PRO 6000"})  # families of which it makes four


class Weighed(NamedTuple):
    """What is left of the cards of N offers, shape (N,) each.

    Attributes
    ----------
    memory_gb : GiB of one GPU, of the smallest; NaN where unknown
    rate : rate of the slowest over that of the card that is named, at most 1
    log_sd : what is added to the standard deviation of the rate's logarithm
    flags : ``memory_modded``, ``gpu_slice``, ``mixed_gpus``, ``memory_contradictory``,
        ``flops_contradictory``, ``bandwidth_contradictory``, see `Machines`
    """

    memory_gb: FloatArray
    rate: FloatArray
    log_sd: FloatArray
    flags: Mapping[str, BoolArray]


def weighed_cards(
    facts: MachineFacts, nominal: Mapping[str, FloatArray], family: Sequence[str]
) -> Weighed:
    """Weigh what offers say of their cards.

    Parameters
    ----------
    facts : what is known of N machines, offered or not
    nominal : ``memory_gb``, ``fp32_tflops`` and ``memory_bandwidth_gb_s`` of the card
        that is named, NaN where it is unknown, shape (N,) each
    family : of the card, ``""`` where it is unknown, length N
    """
    stated, contradictory = _stated_memory(facts, nominal["memory_gb"])
    profile, profile_gb = _profiles(facts, family)
    sliced = np.isfinite(profile)
    stated = np.where(sliced, np.fmin(stated, profile_gb), stated)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = stated / nominal["memory_gb"]
        modded = np.abs(np.log(share)) > SAME_MEMORY
        is_slice = sliced | (modded & (share < 1.0))
        memory = np.where(modded, stated, np.fmin(stated, nominal["memory_gb"]))
    mixed = mixed_cards(facts, nominal["fp32_tflops"])
    flops = _flops(facts, nominal["fp32_tflops"])
    bandwidth = facts.gpu_mem_bw_gb_s / nominal["memory_bandwidth_gb_s"]
    explained = is_slice | mixed.mixed
    odd_flops = ~explained & _outside(flops, FP32_BOUNDS)
    odd_bandwidth = ~explained & _outside(bandwidth, BANDWIDTH_BOUNDS)
    off = np.zeros((2, len(facts)))
    off[0, odd_flops] = np.log(flops[odd_flops])
    off[1, odd_bandwidth] = np.log(bandwidth[odd_bandwidth] / _USUAL_BANDWIDTH)
    lower = np.minimum(off, 0.0)
    rate = np.exp(np.where(lower[0] < 0.0, 0.5 * lower.sum(axis=0), 0.0))
    spread = np.maximum(-0.5 * lower[0], _MOVES_NOTHING * np.abs(off).max(axis=0))
    with np.errstate(invalid="ignore"):
        stated_share = np.where(flops < FP32_BOUNDS[0], flops, share)
    of_slice = np.clip(np.where(sliced, profile, stated_share), _LEAST_SHARE, 1.0)
    rate = np.where(is_slice, of_slice, rate) * mixed.rate
    spreads = np.stack(
        [
            np.minimum(spread, _WORST_LOG_SD),
            np.where(is_slice, SLICE_LOG_SD, 0.0),
            np.where(mixed.mixed, MIXED_LOG_SD, 0.0),
        ]
    )
    return Weighed(
        memory_gb=np.fmin(memory, mixed.memory_gb),
        rate=rate,
        log_sd=np.sqrt((spreads**2).sum(axis=0)),
        flags={
            "memory_modded": modded,
            "gpu_slice": is_slice,
            "mixed_gpus": mixed.mixed,
            "memory_contradictory": contradictory,
            "flops_contradictory": odd_flops,
            "bandwidth_contradictory": odd_bandwidth,
        },
    )


def _stated_memory(
    facts: MachineFacts, nominal_gb: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Return GiB of one GPU as the offer states it, and where it contradicts itself.

    One card has no more memory than all of them. And where the memory of one is given as
    the sum, and a share of it would be that of the card, the share is meant.
    """
    each, total = facts.gpu_ram_mb, facts.gpu_total_ram_mb
    number = facts.num_gpus
    with np.errstate(invalid="ignore"):
        alone = (number == 1) & (total < (1.0 - _STRAYS) * each)
        sums = (number > 1) & (np.abs(total / each - 1.0) <= _STRAYS)
        in_cards = each / number / MIB_PER_GIB / nominal_gb
        summed = sums & (np.abs(in_cards - 1.0) <= _STRAYS)
    stated = np.where(alone, total, np.where(summed, each / number, each))
    return stated / MIB_PER_GIB, alone | summed


def _profiles(
    facts: MachineFacts, family: Sequence[str]
) -> tuple[FloatArray, FloatArray]:
    """Return the share of the cores and the GiB that MIG profiles in the names state."""
    pairs, code = distinct(zip(facts.gpu_name.tolist(), family, strict=True))
    found = [_profile(name, of) for name, of in pairs]
    both: FloatArray = np.array(found, dtype=np.float64).reshape(-1, 2)[code]
    return both[:, 0], both[:, 1]


def _profile(name: str, family: str) -> tuple[float, float]:
    found = mig_profile(name)
    if found is None:
        return (np.nan, np.nan)
    parts = 4.0 if family in _OF_FOUR else _SLICES
    return (min(found.slices / parts, 1.0), found.memory_gb)


def _flops(facts: MachineFacts, fp32_tflops: FloatArray) -> FloatArray:
    """Return the stated FP32 rate of one card over the table's, NaN where none is stated.

    A sum over another number of cards than the offer has says nothing.
    """
    in_cards = facts.total_flops_tflops / fp32_tflops
    nearest = np.maximum(np.round(in_cards), 1.0)
    whole = ~_outside(in_cards / nearest, FP32_BOUNDS) & (nearest != facts.num_gpus)
    return np.where(whole, np.nan, in_cards / facts.num_gpus)


def _outside(values: FloatArray, bounds: tuple[float, float]) -> BoolArray:
    least, most = bounds
    with np.errstate(invalid="ignore"):
        return (values < least) | (values > most)
