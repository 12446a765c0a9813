"""The spread of errors, as the log-sd whose 90 % interval holds 90 % of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from advisor.base.arrays import FloatArray

Z90 = 1.6448536269514722
"""Standard normal deviate that 5 % lie above: both tails leave 90 %."""


def spread90(errors: FloatArray) -> float:
    """Return the log-sd whose 90 % interval holds 90 % of the errors."""
    return float(np.quantile(np.abs(errors), 0.9)) / Z90


class Spread(NamedTuple):
    """How uncertain an efficiency is to either side: a 90 % interval leaves 5 % to each.

    Few machines do better than their links, and some do far worse.

    Attributes
    ----------
    fall, rise : log-sd downwards and upwards, (N,)
    """

    fall: FloatArray
    rise: FloatArray
