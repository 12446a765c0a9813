"""Cards of two kinds sold under one name: what sums over a machine give away.

A host with an RTX 3090 and a smaller card may list two RTX 3090. Its total memory is then
no multiple of one card's, and its total FP32 rate shows how slow the other one is. In
data parallel training the smallest card sets the batch and the slowest one the step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray
from advisor.base.units import MIB_PER_GIB
from advisor.market.facts import MachineFacts

MIXED_LOG_SD = 0.3
"""Added log-sd of the rate of cards that are not alike (assumption: of the other card no
more is known than its memory, and perhaps its FP32 rate)."""

_STRAYS = 0.07
"""By how much the memory that a market shows strays from the nominal one."""

_LEAST_SHARE = 0.1
"""No other card is smaller or slower than this share of the one that is named; a sum that
says so was not over the cards (assumption)."""


class Mixed(NamedTuple):
    """What the sums of N offers give away, shape (N,) each.

    Attributes
    ----------
    mixed : whether the cards cannot be alike
    memory_gb : GiB of the smallest card, NaN where they may be alike
    rate : rate of the slowest card over that of the one that is named, else 1
    """

    mixed: BoolArray
    memory_gb: FloatArray
    rate: FloatArray


def mixed_cards(facts: MachineFacts, fp32_tflops: FloatArray) -> Mixed:
    """Return where the cards of an offer cannot be alike, and what the least one is.

    A total that is that of one card, or of another number of them, was counted otherwise
    and says nothing. The fewest cards that the sum allows are taken to be the other ones,
    which gives the least memory and rate. Where the total rate cannot be right the rate
    is taken to fall as the memory does (assumption).

    Parameters
    ----------
    facts : what is known of N machines, offered or not
    fp32_tflops : FP32 rate of the card that is named, shape (N,); NaN where unknown
    """
    number, each = facts.num_gpus, facts.gpu_ram_mb
    with np.errstate(invalid="ignore", divide="ignore"):
        in_cards = facts.gpu_total_ram_mb / each
        nearest = np.maximum(np.round(in_cards), 1.0)
        alike = np.abs(in_cards / nearest - 1.0) <= _STRAYS
        alike |= np.abs(in_cards / number - 1.0) <= _STRAYS
        mixed = (number > 1) & np.isfinite(in_cards) & ~alike
        lacking = number - in_cards  # of the memory of that many cards
        others = np.ceil(np.maximum(lacking, 0.0) / (1.0 - _LEAST_SHARE))
        share = np.where(others > 0, 1.0 - lacking / others, 1.0)
        slow = number - facts.total_flops_tflops / fp32_tflops
        rate = np.where(others > 0, 1.0 - slow / others, 1.0)
        plausible = (rate >= _LEAST_SHARE) & np.isfinite(rate)
        rate = np.minimum(np.where(plausible, rate, share), 1.0)
    return Mixed(
        mixed=mixed,
        memory_gb=np.where(mixed, share * each / MIB_PER_GIB, np.nan),
        rate=np.where(mixed, rate, 1.0),
    )
