"""How fast one core of a host is, from what the market says of its CPU.

A ladder, the best information first; each step down widens the spread:

1. a name with a PassMark single-thread score;
2. a name with a score bridged from Geekbench 6;
3. a name with a score by its microarchitecture and boost clock;
4. no name, but a clock;
5. nothing.

With a name the market's clock is ignored: it is base, boost or an instant reading,
nobody says which, and predicts worse than the name does.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from advisor.hardware.cpus import Cpu

REFERENCE_SCORE = 2100.0
"""PassMark single-thread score of a core of speed 1, by definition."""

SCORE_EXPONENT = 0.9
"""Speed grows as the score to this power (feasibility study on published figures,
November 2026: JPEG decoding and augmentation rates of one core)."""

MAX_CLOCK_GHZ = 6.2
"""Fastest boost clock on sale in 2026; a higher figure counts as this one."""

NAMED_LOG_SD = {"passmark": 0.12, "geekbench6": 0.15, "microarchitecture": 0.18}
"""Log-sd of the speed by `Cpu.score_basis` (the same study)."""

CLOCK_LOG_SD = 0.27
"""Log-sd of the speed where only a clock is known (measured, see below)."""

NOTHING_LOG_SD = 0.30
"""Log-sd of the speed where nothing is known (the same study)."""

# Score of a core of which only the clock is known: 2,180 x (GHz / 3)^0.3. Regression
# over the server CPUs of the table since 2013 whose clock is told as the base for a
# half, as the boost for a quarter and as nonsense (1.5 to 5.5 GHz) for a quarter,
# about the proportions of published offers: exponent 0.25 on servers, 0.32 on all
# CPUs; 2,177 at 3 GHz; spread 0.27.
_CLOCK_SCORE = 2180.0
_CLOCK_GHZ = 3.0
_CLOCK_EXPONENT = 0.3


class CoreSpeed(NamedTuple):
    """Speed of a core, 1 at `REFERENCE_SCORE`, and the log-sd of it."""

    speed: float
    log_sd: float


def core_speed(cpu: Cpu | None, cpu_ghz: float) -> CoreSpeed:
    """Return how fast one core is; see the ladder above.

    Parameters
    ----------
    cpu : the CPU that the name means, None where it means none
    cpu_ghz : the market's clock, NaN where unknown
    """
    if cpu is not None:
        return _speed(cpu.single_thread_score, NAMED_LOG_SD[cpu.score_basis])
    if math.isnan(cpu_ghz):
        return _speed(REFERENCE_SCORE, NOTHING_LOG_SD)
    clock = min(cpu_ghz, MAX_CLOCK_GHZ) / _CLOCK_GHZ
    return _speed(_CLOCK_SCORE * clock**_CLOCK_EXPONENT, CLOCK_LOG_SD)


def _speed(score: float, log_sd: float) -> CoreSpeed:
    return CoreSpeed((score / REFERENCE_SCORE) ** SCORE_EXPONENT, log_sd)
