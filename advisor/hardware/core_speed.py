"""How fast one core of a host is, from what the market says of its CPU.

A ladder, the best information first; each step down widens the spread:

1. a speed that the user measured on the machine;
2. a name with a PassMark single-thread score: geometric mean of that score and of the
   class score, what CPUs of its microarchitecture score at its boost clock;
3. a name with a score bridged from Geekbench 6, joined with the class score likewise;
4. a name whose class score is all there is;
5. a name that is in no table, but shows its family: what the family's members score,
   and how far they differ;
6. no name, but a clock;
7. no clock, but the PCIe generation of the host, and whether the name's brand is of
   desktops;
8. nothing.

A brand alone ("Xeon(R)") and the name of a virtual CPU are no names. With a name the
market's clock is ignored: it is base, boost or an instant reading, nobody says which,
and predicts worse than the name does. Each step is an estimate of its own, so that
learning more can move a speed either way; but on one step a faster clock or a newer
PCIe generation never lowers it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from advisor.hardware.constants import SPREAD_OF
from advisor.hardware.cpus import Cpu, FamilyCpu

REFERENCE_SCORE = 2100.0
"""PassMark single-thread score of a core of speed 1, by definition."""

REFERENCE_CLOCK_GHZ = 3.0
"""Clock at which `CpuConstants.clock_score` holds, by definition."""

MAX_CLOCK_GHZ = 6.2
"""Fastest boost clock on sale in 2026; a higher figure counts as this one."""

# Brands of desktop CPUs. "Core Processor" without i3 to Ultra is a virtual machine's.
_DESKTOP = re.compile(r"ryzen(?! threadripper)|\bcore\W+(i[3579]|ultra)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CpuConstants:
    """Constants of the ladder and of cores; values live in the artifact.

    Attributes
    ----------
    score_exponent : speed grows as the score to this power
    score_weight : weight of the CPU's own score in the geometric mean with the class
        score, 0 to 1
    measured_log_sd, passmark_log_sd, geekbench6_log_sd, microarchitecture_log_sd,
    clock_log_sd, pcie_log_sd, nothing_log_sd : standard deviation of the natural
        logarithm of the speed on each step
    clock_score, clock_exponent : score of a core whose clock alone is known, at
        `REFERENCE_CLOCK_GHZ`, and the power of the clock that it grows as
    pcie3_score, pcie4_score, pcie5_score : score of a core of a host of that PCIe
        generation
    desktop_factor : score of a desktop over that of a server of its generation
    core_per_thread : cores that a hardware thread is worth where two share one
    core_per_thread_log_sd : standard deviation of its natural logarithm
    whole_core_log_sd : the same of a thread that has a core of its own
    """

    score_exponent: float
    score_weight: float
    measured_log_sd: float
    passmark_log_sd: float
    geekbench6_log_sd: float
    microarchitecture_log_sd: float
    clock_score: float
    clock_exponent: float
    clock_log_sd: float
    pcie3_score: float
    pcie4_score: float
    pcie5_score: float
    desktop_factor: float
    pcie_log_sd: float
    nothing_log_sd: float
    core_per_thread: float
    core_per_thread_log_sd: float = field(metadata={SPREAD_OF: "core_per_thread"})
    whole_core_log_sd: float


class CoreSpeed(NamedTuple):
    """Speed of a core, 1 at `REFERENCE_SCORE`, and the log-sd of it."""

    speed: float
    log_sd: float


def named_speed(cpu: Cpu, constants: CpuConstants) -> CoreSpeed:
    """Return how fast one core of a CPU is whose name is known: steps 2 to 5."""
    if isinstance(cpu, FamilyCpu):
        by_family = _speed(cpu.single_thread_score, constants.passmark_log_sd, constants)
        of_score = constants.score_exponent * cpu.score_log_sd
        return CoreSpeed(by_family.speed, math.hypot(by_family.log_sd, of_score))
    spreads = {
        "passmark": constants.passmark_log_sd,
        "geekbench6": constants.geekbench6_log_sd,
        "microarchitecture": constants.microarchitecture_log_sd,
    }
    score = cpu.single_thread_score
    if not math.isnan(cpu.class_score):
        weight = constants.score_weight
        score = score**weight * cpu.class_score ** (1.0 - weight)
    return _speed(score, spreads[cpu.score_basis], constants)


def unnamed_speed(
    cpu_ghz: float, pci_gen: float, desktop: bool, constants: CpuConstants
) -> CoreSpeed:
    """Return how fast one core of an unknown CPU is: steps 6 to 8.

    Parameters
    ----------
    cpu_ghz : the market's clock, NaN where unknown
    pci_gen : PCIe generation of the host's link to its GPUs, NaN where unknown; a
        GPU older than the host hides a newer one
    desktop : whether the name's brand is of desktop CPUs
    """
    if not math.isnan(cpu_ghz):
        clock = min(cpu_ghz, MAX_CLOCK_GHZ) / REFERENCE_CLOCK_GHZ
        score = constants.clock_score * clock**constants.clock_exponent
        return _speed(score, constants.clock_log_sd, constants)
    if math.isnan(pci_gen):
        return _speed(REFERENCE_SCORE, constants.nothing_log_sd, constants)
    scores = (constants.pcie3_score, constants.pcie4_score, constants.pcie5_score)
    score = scores[int(min(max(pci_gen, 3.0), 5.0)) - 3]
    factor = constants.desktop_factor if desktop else 1.0
    return _speed(factor * score, constants.pcie_log_sd, constants)


def is_desktop_brand(cpu_name: str) -> bool:
    """Return whether a name, even of a brand alone, is of a desktop CPU."""
    return _DESKTOP.search(cpu_name) is not None


def _speed(score: float, log_sd: float, constants: CpuConstants) -> CoreSpeed:
    return CoreSpeed((score / REFERENCE_SCORE) ** constants.score_exponent, log_sd)
