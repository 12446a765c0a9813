"""What the market's own measurements say of the state of the cards that an offer has.

Besides its score the market measures the bandwidth of the memory and states an FP32 rate
from the clocks. Neither is the data sheet's; but on one GPU both hardly differ from
machine to machine: what is lower than usual for the same GPU speaks of lower clocks, of
the memory or of the chip. It is compared with what real offers of that GPU showed, never
with the other offers at hand, and so far below that another card must be meant it says
nothing here (see `contradictions`).

A power limit, a slow memory and a low clock are three signs of one thing as often as
three things. The worst sign counts, not their product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray
from advisor.hardware.contradictions import BANDWIDTH_BOUNDS, FP32_BOUNDS
from advisor.hardware.power import SPREAD, STATIC_SHARE, power_factor
from advisor.market.facts import MachineFacts

USUAL_BANDWIDTH: Mapping[str, float] = {
    "A100-SXM4-40GB": 0.842,
    "A100-SXM4-80GB": 0.817,
    "RTX 4090": 0.870,
    "RTX 5090": 0.809,
}
"""Measured memory bandwidth over the data sheet's: median of 11, 9, 12 and 2 machines of
the real Vast.ai offers of June to September 2026 that state it (those of August do not).
The tenth to ninetieth percentiles lie within 3 % of the median, the lowest of all 8 %
below it."""

USUAL_FP32: Mapping[str, float] = {
    "A100-SXM4-40GB": 0.800,
    "A100-SXM4-80GB": 0.800,
    "RTX 4090": 0.990,
    "RTX 5090": 1.027,
}
"""Likewise of the stated FP32 rate, which strays by 1.5 % at most."""

OTHER_BANDWIDTH, OTHER_FP32 = 0.81, 0.80
"""The same for a GPU of which no such offer is known: the lowest median of any."""

AS_USUAL = 0.95
"""Share of the usual figure down to which nothing is said: the spread above."""

EXPONENT = 0.5
"""Power of what is below that which the rate of the GPU follows (assumption: a training
step is bound by the memory for about half of its time, by the clock for the other)."""


class CardState(NamedTuple):
    """What the state of the cards of N offers leaves of their rate, shape (N,) each.

    Attributes
    ----------
    factor : on the rate of a GPU, at most 1
    log_sd : standard deviation of its logarithm
    measured_slow : the market measured less than is usual for the card
    """

    factor: FloatArray
    log_sd: FloatArray
    measured_slow: BoolArray


def card_state(
    facts: MachineFacts,
    nominal: Mapping[str, FloatArray],
    names: Sequence[str],
    unknown: BoolArray,
    odd: Mapping[str, BoolArray],
    *,
    exponent: float = EXPONENT,
    power_static_share: float = STATIC_SHARE,
    power_spread: float = SPREAD,
) -> CardState:
    """Return what power limit, measured bandwidth and stated FP32 rate say of the cards.

    Parameters
    ----------
    facts : what is known of N machines, offered or not
    nominal : ``tdp_w``, ``fp32_tflops`` and ``memory_bandwidth_gb_s`` of the card that
        is named, NaN where it is unknown, shape (N,) each
    names : canonical, of each card, length N
    unknown : cards in no table, whose nominal figures are the offer's own, shape (N,)
    odd : flags of `contradictions.weighed_cards`: a part of a card and a mixture have
        been weighed there
    exponent : power of what is below the usual figures that the rate follows
    power_static_share, power_spread : see `advisor.hardware.power`
    """
    another = unknown | odd["gpu_slice"] | odd["mixed_gpus"]
    power = power_factor(facts.gpu_max_power_w, nominal["tdp_w"], power_static_share)
    bandwidth = facts.gpu_mem_bw_gb_s / nominal["memory_bandwidth_gb_s"]
    fp32 = facts.total_flops_tflops / facts.num_gpus / nominal["fp32_tflops"]
    memory = _shortfall(
        bandwidth, _usual(names, USUAL_BANDWIDTH, OTHER_BANDWIDTH), BANDWIDTH_BOUNDS
    )
    clock = _shortfall(fp32, _usual(names, USUAL_FP32, OTHER_FP32), FP32_BOUNDS)
    limited = np.where(another, 0.0, np.log(power))
    measured = np.where(another, 0.0, exponent * np.minimum(memory, clock))
    by_power = limited <= measured
    log_factor = np.minimum(limited, measured)
    return CardState(
        factor=np.exp(log_factor),
        log_sd=np.abs(log_factor) * np.where(by_power, power_spread, 1.0),
        measured_slow=measured < 0.0,
    )


def _usual(
    names: Sequence[str], of_gpu: Mapping[str, float], of_others: float
) -> FloatArray:
    return np.array([of_gpu.get(name, of_others) for name in names], dtype=np.float64)


def _shortfall(
    ratio: FloatArray, usual: FloatArray, bounds: tuple[float, float]
) -> FloatArray:
    """Return the logarithm of the share of the usual figure that one speaks for.

    0 where none is stated, it is as usual, or so low that another card is meant.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        below = np.log(ratio / (usual * AS_USUAL))
        speaks = (ratio >= bounds[0]) & (below < 0.0)
    shortfall: FloatArray = np.where(speaks, below, 0.0)
    return shortfall
