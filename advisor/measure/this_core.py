"""How fast a core of this machine is: by what it compresses, and by its name.

A name says what the model scores at its best; what a virtual machine, a power limit or a
neighbor leaves of it only a measurement says. Both are estimates of the same speed, and
are averaged by how well each is known.
"""

from __future__ import annotations

import math
import statistics

from advisor.hardware.core_speed import CoreSpeed, CpuConstants, named_speed
from advisor.hardware.cpus import CpuTable
from advisor.measure.probe.core import Deflate
from advisor.workloads.dataset import Core, this_cpu

REFERENCE_ZLIB_MB_S = 20.1
"""``core.zlib`` of the reference core, MB per second of CPU time.

Measured on one machine alone: 34.8 on a core of a Zen 5 EPYC (family 26, model 2; a
virtual machine, whose name says no model), the middle of two runs whose medians of 25
were 34.9 and 34.7, zlib 1.2.13. The tables give its kin (EPYC 9335 to 9655) a speed of
1.73, and 34.8 / 1.73 is this."""

REFERENCE_LOG_SD = 0.15
"""Log-sd of the above: which of its kin that CPU is, and what its neighbors left of it
(their scores differ by 0.06, a virtual core is often below its boost clock); assumption
until more machines are measured."""

STANDS_FOR_LOG_SD = 0.12
"""By how much compressing says another thing of a core than decoding does: assumption."""

_ROUNDS = 7
_OTHER_ZLIB = "zlib-ng"
"""In the version of zlib-ng, which is about twice as fast on the same core."""


def this_core(cpus: CpuTable, constants: CpuConstants) -> Core:
    """Return how fast a core of this machine is, which takes about a second."""
    deflate = Deflate()
    rate = statistics.median(deflate.rate() for _ in range(_ROUNDS))
    return core_of(rate, deflate.note, this_cpu(), cpus, constants)


def core_of(
    zlib_mb_s: float, note: str, name: str, cpus: CpuTable, constants: CpuConstants
) -> Core:
    """Return a core by what was measured of it and what it is called.

    Parameters
    ----------
    zlib_mb_s : its ``core.zlib``
    note : of that line, which says the version of zlib
    name : of the CPU; empty: not known

    Returns
    -------
    Core
        Of speed 1 where neither says anything.
    """
    found: list[CoreSpeed] = []
    words: list[str] = []
    if zlib_mb_s > 0.0 and _OTHER_ZLIB not in note:
        log_sd = math.hypot(REFERENCE_LOG_SD, STANDS_FOR_LOG_SD)
        found.append(CoreSpeed(zlib_mb_s / REFERENCE_ZLIB_MB_S, log_sd))
        words.append(f"zlib {zlib_mb_s:.3g} MB/s")
    if (known := cpus.resolve(name)) is not None:
        found.append(named_speed(known, constants))
        words.append(name)
    if not found:
        return Core(1.0, constants.nothing_log_sd, "neither measured nor known by name")
    weight = sum(one.log_sd**-2 for one in found)
    mean = sum(math.log(one.speed) * one.log_sd**-2 for one in found) / weight
    return Core(math.exp(mean), weight**-0.5, " and ".join(words))
