"""What the cores of a host do: one, several, and the thread that launches kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

from advisor.hardware.core_speed import CpuConstants, named_speed, unnamed_speed
from advisor.hardware.cpus import Cpu
from advisor.measure.components import ANY_CORE, component
from advisor.throughput.artifact import ThroughputModel
from advisor.throughput.limit import HostConstants

PAIRED_LOG_SD = 0.17
"""Log-sd of what a hardware thread does while nobody says what its twin on the same core
does: from all of a core to `CpuConstants.core_per_thread`, about 0.55, even in the
logarithm. That is half the way between them, over the root of three."""

TAKEN_LOG_SD = 0.1
"""Log-sd that the clock adds to what workers do in their own time: other programs, and
other machines' on one host, take some of it (assumption)."""


class Usual(NamedTuple):
    """What is usual, in the words of `advisor.measure.expected.Expected`."""

    value: float
    level_log_sd: float
    host_log_sd: float
    of: str
    source: str


@dataclass(frozen=True, slots=True)
class HostCores:
    """The cores of a machine, by the name of its processor.

    Attributes
    ----------
    of : whose core it is, for people
    speed, log_sd : of one core, see `advisor.hardware.core_speed`
    is_paired : whether two hardware threads may share a core
    granted : hardware threads that the machine may use
    constants, host : of cores and of input pipelines
    """

    of: str
    speed: float
    log_sd: float
    is_paired: bool
    granted: float
    constants: CpuConstants
    host: HostConstants

    @classmethod
    def of_machine(cls, cpu: Cpu | None, granted: float, model: ThroughputModel) -> Self:
        """Return the cores of a machine.

        Parameters
        ----------
        cpu : its processor; None: its name says nothing
        granted : hardware threads that it may use, NaN where nobody says
        model : whose constants count
        """
        if cpu is None:
            speed = unnamed_speed(math.nan, math.nan, desktop=False, constants=model.cpu)
        else:
            speed = named_speed(cpu, model.cpu)
        return cls(
            of="a core of unknown name" if cpu is None else f"a core of {cpu.name}",
            speed=speed.speed,
            log_sd=speed.log_sd,
            is_paired=cpu is None or cpu.threads > cpu.cores,
            granted=granted,
            constants=model.cpu,
            host=model.host,
        )

    def alone(self, program: str) -> Usual | None:
        """Return what one core does of a program, alone or beside a twin."""
        each = component(program, ANY_CORE)
        if each is None:
            return None
        twin = PAIRED_LOG_SD if self.is_paired else self.constants.whole_core_log_sd
        return Usual(
            each.value * self.speed * self._share(1),
            math.hypot(each.level_log_sd, self.log_sd),
            math.hypot(each.host_log_sd, twin),
            self.of,
            f"the speed of the core by its name; {each.source}",
        )

    def launches(self) -> Usual:
        """Return how many kernels a thread of PyTorch launches per second."""
        return Usual(
            1e6 / self.host.launch_us * self.speed,
            math.hypot(self.log_sd, self.host.launch_log_sd),
            self.constants.whole_core_log_sd,
            self.of,
            "the speed of the core by its name, and the model's time of a launch",
        )

    def delivered(self) -> Usual | None:
        """Return the cores' worth of time that busy processes get."""
        if not self.granted > 0.0:  # also NaN
            return None
        return Usual(
            self.granted,
            0.0,
            TAKEN_LOG_SD,
            "the cores that are granted",
            "the bench itself",
        )

    def workers(self, count: int, own_rate: float, ceiling: float) -> Usual | None:
        """Return what several workers do by the clock, at most one per thread begun.

        Nothing is expected where the one process that takes all batches could not take
        what the cores do: such a rate tells of that process, and not of the cores.

        Parameters
        ----------
        count : of the workers
        own_rate : what one core of the machine does of the same, in its own time
        ceiling : what the process that takes all batches can take, in its own time; NaN:
            nobody measured it
        """
        if not (own_rate > 0.0 and 1 <= count < self.granted + 1.0):  # also NaN
            return None
        each = self._share(count) / self._share(1)
        cores = each * min(count, self.granted) ** self.host.core_exponent
        if own_rate * cores >= ceiling:
            return None
        by_number = math.log(count) * self.host.core_exponent_sd
        beside = PAIRED_LOG_SD if self.is_paired and count > 1 else 0.0
        return Usual(
            own_rate * cores,
            by_number,
            math.hypot(self.constants.whole_core_log_sd, beside, TAKEN_LOG_SD),
            "one core of its own" if count == 1 else f"{count} cores of its own",
            "the rate of one of its cores, and how rates grow with cores",
        )

    def _share(self, count: int) -> float:
        """Return what a thread has of a core while `count` of them are busy.

        Up to a half of the threads, each may have a core of its own or share it with
        another machine's; of all, each shares with one of the others. Where nobody says
        how many threads there are, there are enough.
        """
        if not self.is_paired:
            return 1.0
        threads = self.granted if self.granted > 0.0 else math.inf  # also NaN
        busy = min(max(2.0 * count / threads - 1.0, 0.0), 1.0)
        share: float = self.constants.core_per_thread ** (0.5 + 0.5 * busy)
        return share
