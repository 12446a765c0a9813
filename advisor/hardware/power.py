"""How much a power limit below the card's own slows it.

The dynamic power of a chip goes with the clock times the square of the voltage, and the
voltage with the clock: with its cube. So where the limit binds the clock, and with it the
rate of what computes, follows the cube root of the power that is left for it::

    rate = ((P / P0 - static) / (1 - static)) ^ (1/3)      P0: the card's own limit

Published points of P / P0 and rate, of a card beside itself at its own limit (of the A100
beside its faster module, the same chip and memory):

- RTX 3090, ResNet-50, TensorFlow: 0.80 and 0.95 (Puget Systems, "Quad RTX3090 GPU Wattage
  Limited", 2020);
- RTX 3090, ViT-B/16 trained in FP32: 0.80 and 0.87, in TF32: 0.80 and 0.93, 0.66 and 0.83
  (blog.qwertyforce.dev, "Optimal power limit for deep learning tasks on RTX 3090"; its
  shares of the rate at 480 W over 0.92 and 0.97, interpolated at 350 W);
- A100 40 GB at 250 W (PCIe) and 400 W (SXM), MLPerf training v1.0 of Lenovo: 0.625 and
  0.85 (ResNet-50), 0.83 (SSD);
- A100 80 GB at 300 W and 500 W, MLPerf training v1.1 of Lenovo: 0.60 and 0.88
  (ResNet-50), 0.86 (SSD);
- H100 PCIe at 310 W and 350 W, MLPerf training v3.0 and v3.1 of Lenovo: 0.89 and 0.96
  (Mask R-CNN), 0.94 (ResNet-50), 0.92 (U-Net), 0.90 (RNN-T), software one release apart;
- V100, SDXL: 0.80 and 0.93, 0.70 and 0.88 (bradrlaw/ai-server, pull request 32);
- RTX 5090, drafted decoding: 0.67 and 0.82 (sudoingX/qwen38-mtp, pull request 47).

On these fifteen the law with a static share of 0.1 errs by 3.7 % (root mean square).
What is bound by the memory loses less near the limit (decoding on an RTX 3090: 0.94 at
0.71; on an RTX 5090: 0.95 at 0.67) and falls off a cliff below half of it (0.62 at 0.50,
0.41 at 0.43): the spread covers the first, nothing rests on the second.
"""

from __future__ import annotations

import numpy as np

from advisor.base.arrays import FloatArray

STATIC_SHARE = 0.1
"""Share of the card's limit that no clock saves: memory, fans, leakage. Fitted on the
published points above: 0 to 0.15 do about as well, 0.25 errs by half as much again."""

SPREAD = 0.4
"""Log-sd of the factor over its logarithm: the exponents of the points above have a
standard deviation of 0.17 about their mean of 0.44."""

LEAST_SHARE = 0.3
"""Below this share of the card's limit nothing falls any more (assumption): drivers take
no limit below some 30 to 60 % of a card's own, and nobody published a training there."""


def power_factor(
    limit_w: FloatArray, card_w: FloatArray, static_share: float = STATIC_SHARE
) -> FloatArray:
    """Return what a power limit leaves of the rate of a GPU, of the shape of both.

    At most 1: a limit above the card's own makes nothing faster that was not measured. 1
    where either is unknown (NaN) or not above 0.

    Parameters
    ----------
    limit_w : power limit of one GPU as it is set, W
    card_w : power limit that the card is sold with, W
    static_share : share of it that no clock saves

    Examples
    --------
    >>> power_factor(np.array([450.0, 300.0, np.nan]), np.array([450.0] * 3)).round(3)
    array([1.   , 0.857, 1.   ])
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        share = limit_w / card_w
    known = np.where((limit_w > 0.0) & (card_w > 0.0), share, 1.0)
    dynamic = (np.clip(known, LEAST_SHARE, 1.0) - static_share) / (1.0 - static_share)
    factor: FloatArray = np.cbrt(dynamic)
    return factor
