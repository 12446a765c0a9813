"""What a healthy machine shows in each line of a bench, and how far such machines differ.

Each line has two spreads. One is how well the median of the same GPU or CPU is known
(`Expected.level_log_sd`): it shrinks with every machine of that kind that the user has
measured, by the same program. The other is how far healthy machines differ
(`Expected.host_log_sd`): it stays. Neither is the interval of a predicted training,
which has to cover what nobody has told of the net.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from advisor.base.units import BYTES_PER_GB, BYTES_PER_GIB, MIB_PER_GIB
from advisor.hardware.core_speed import CpuConstants, named_speed, unnamed_speed
from advisor.hardware.cpus import Cpu
from advisor.hardware.gpus import Gpu, board
from advisor.hardware.machines import PCIE_GB_S_PER_LANE
from advisor.hardware.names import cpu_words, mig_profile
from advisor.market.facts import MachineFacts
from advisor.measure.bench import BenchGpu, BenchResult
from advisor.measure.components import ANY_CARD, ANY_CORE, ANY_LINK, component
from advisor.throughput.limit import HostConstants
from advisor.throughput.tables import Tables

_WORKERS = re.compile(r"(decode\.\w+)\.w(\d+)", re.ASCII)
_GPU_LINE = re.compile(r"gpu(\d+)\.(.+)")

CORE, WORKERS = "core", "workers"
"""The groups of the lines that the speed of the cores decides, and their number."""

PAIRED_LOG_SD = 0.17
"""Log-sd of what a hardware thread does while nobody says what its twin on the same core
does: from all of a core to `CpuConstants.core_per_thread`, about 0.55, even in the
logarithm. That is half the way between them, over the root of three."""


TAKEN_LOG_SD = 0.1
"""Log-sd that the clock adds to what workers do in their own time: other programs, and
other machines' on one host, take some of it (assumption)."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a healthy machine shows in one line.

    Attributes
    ----------
    name : of the line
    group : lines that are tested together, such as ``"matmul"``
    value : median of healthy machines, in the unit of the line
    level_log_sd : standard deviation of the logarithm of that median
    host_log_sd : standard deviation of the logarithm between healthy machines
    of : what the median is of, for people, such as ``"RTX 4090"``
    source : where it is from
    """

    name: str
    group: str
    value: float
    level_log_sd: float
    host_log_sd: float
    of: str
    source: str

    @property
    def log_sd(self) -> float:
        """Standard deviation of the logarithm of what one more machine shows."""
        return math.hypot(self.level_log_sd, self.host_log_sd)


def expected_lines(
    result: BenchResult,
    tables: Tables,
    offered: MachineFacts | None = None,
    known: Sequence[BenchResult] = (),
) -> Mapping[str, Expected]:
    """Return what a healthy machine with the same GPUs and CPU shows, by line.

    Lines of which nobody has published what they should be are not in it.

    Parameters
    ----------
    result : of the machine: what it says of itself decides with what it is compared
    tables : hardware tables and throughput model
    offered : what the machine was offered as, a table of one row; its CPU counts where
        the machine's own name for it says nothing
    known : results of the user's other machines
    """
    found = [
        *_of_gpus(result, tables),
        *_of_cores(result, tables, offered),
    ]
    return {
        one.name: one
        if one.group == WORKERS  # held to the machine's own cores
        else _learned(one, result, known, tables)
        for one in found
    }


def gpu_of(gpu: BenchGpu, tables: Tables) -> Gpu | None:
    """Return the row of the GPU table that a measured GPU is; None: none, or a part."""
    if gpu.is_slice or mig_profile(gpu.name) is not None:
        return None
    memory_mb = gpu.memory_gb * BYTES_PER_GB / BYTES_PER_GIB * MIB_PER_GIB
    return tables.gpus.resolve(gpu.name, memory_mb)


def cpu_of(
    result: BenchResult, tables: Tables, offered: MachineFacts | None = None
) -> Cpu | None:
    """Return the CPU of a machine by its own name, or else by that of its offer."""
    own = tables.cpus.identify(result.machine.cpu_name)
    if own is None and offered is not None:
        return tables.cpus.identify(str(offered.cpu_name[0]))
    return own


def _of_gpus(result: BenchResult, tables: Tables) -> Iterator[Expected]:
    """Yield what its GPUs do, each by itself."""
    for number, seen in enumerate(result.machine.gpus):
        gpu = gpu_of(seen, tables)
        if gpu is None:
            continue
        for line in result.lines:
            found = _GPU_LINE.fullmatch(line.name)
            if found is None or int(found[1]) != number:
                continue
            expected = _of_gpu(line.name, found[2], gpu, result)
            if expected is not None:
                yield expected


def _of_gpu(name: str, part: str, gpu: Gpu, result: BenchResult) -> Expected | None:
    """Return what one part of a GPU does: measured on that card, or by its kind."""
    if part.startswith("matmul."):
        nominal = getattr(gpu, f"{part.removeprefix('matmul.')}_tflops", math.nan)
        kinds = (f"{gpu.architecture}, {board(gpu)}", board(gpu))
        return _by_card(name, part, gpu, nominal, kinds)
    if part == "bandwidth":
        return _by_card(name, part, gpu, gpu.memory_bandwidth_gb_s, (ANY_CARD,))
    if part == "h2d.pinned":
        return _by_link(name, result)
    return None


def _by_card(
    name: str, part: str, gpu: Gpu, nominal: float, kinds: tuple[str, ...]
) -> Expected | None:
    """Return what a card does that was measured, or else its share of the data sheet."""
    measured = component(part, gpu.name)
    if measured is not None:
        return Expected(
            name,
            part.partition(".")[0],
            measured.value,
            measured.level_log_sd,
            measured.host_log_sd,
            gpu.name,
            f"median of {measured.measurements:.0f}: {measured.source}",
        )
    share = component(part, *kinds)
    if share is None or not nominal > 0.0:  # also NaN: arithmetic that the card lacks
        return None
    return Expected(
        name,
        part.partition(".")[0],
        nominal * share.value,
        share.level_log_sd,
        share.host_log_sd,
        gpu.name,
        f"{share.value:.2f} of the data sheet, as {share.of}",
    )


def _by_link(name: str, result: BenchResult) -> Expected | None:
    """Return what copies from pinned memory reach of the link that card and host have.

    The driver tells the best link that both can have; the card's own says nothing of a
    host that is older.
    """
    prefix = name.removesuffix(".h2d.pinned")
    generation = result.value(f"{prefix}.pcie.gen.max")
    lanes = result.value(f"{prefix}.pcie.width.max")
    share = component("h2d.pinned", ANY_LINK)
    known = (
        generation.is_integer()
        and 1 <= generation <= len(PCIE_GB_S_PER_LANE)
        and 1 <= lanes <= 16
    )
    if share is None or not known:
        return None
    link = lanes * PCIE_GB_S_PER_LANE[int(generation) - 1]
    return Expected(
        name,
        "h2d",
        link * share.value,
        share.level_log_sd,
        share.host_log_sd,
        f"PCIe {generation:.0f} x{lanes:.0f}",
        f"{share.value:.2f} of the link: {share.source}",
    )


def _of_cores(
    result: BenchResult, tables: Tables, offered: MachineFacts | None
) -> Iterator[Expected]:
    """Yield what its cores do of what the processor's name promises."""
    host = _Host.of_machine(result, tables, offered)
    for line in result.lines:
        found = _WORKERS.fullmatch(line.name)
        if found is None:
            expected = host.core(line.name)
        else:
            own_rate = result.value(f"{found[1]}.core")
            expected = host.workers(line.name, int(found[2]), own_rate)
        if expected is not None:
            yield expected


@dataclass(frozen=True, slots=True)
class _Host:
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
    def of_machine(
        cls, result: BenchResult, tables: Tables, offered: MachineFacts | None
    ) -> _Host:
        cpu, constants = cpu_of(result, tables, offered), tables.model.cpu
        if cpu is None:
            speed = unnamed_speed(math.nan, math.nan, desktop=False, constants=constants)
        else:
            speed = named_speed(cpu, constants)
        return cls(
            "a core of unknown name" if cpu is None else f"a core of {cpu.name}",
            speed.speed,
            speed.log_sd,
            cpu is None or cpu.threads > cpu.cores,
            result.cores_granted,
            constants,
            tables.model.host,
        )

    def core(self, name: str) -> Expected | None:
        """Return what one core does of a program, alone or beside a twin."""
        each = component(name, ANY_CORE)
        if each is None:
            return None
        twin = PAIRED_LOG_SD if self.is_paired else self.constants.whole_core_log_sd
        return Expected(
            name,
            CORE,
            each.value * self.speed * self._share(1),
            math.hypot(each.level_log_sd, self.log_sd),
            math.hypot(each.host_log_sd, twin),
            self.of,
            f"the speed of the core by its name; {each.source}",
        )

    def workers(self, name: str, count: int, own_rate: float) -> Expected | None:
        """Return what several workers do by the clock, at most one per thread.

        Parameters
        ----------
        own_rate : what one core of the machine does of the same, in its own time
        """
        if not (own_rate > 0.0 and count <= self.granted):  # also NaN
            return None
        cores = self._share(count) / self._share(1) * count**self.host.core_exponent
        by_number = math.log(count) * self.host.core_exponent_sd
        beside = PAIRED_LOG_SD if self.is_paired and count > 1 else 0.0
        return Expected(
            name,
            WORKERS,
            own_rate * cores,
            by_number,
            math.hypot(self.constants.whole_core_log_sd, beside, TAKEN_LOG_SD),
            f"{count} of its own cores",
            "the rate of one of its cores, and how rates grow with cores",
        )

    def _share(self, count: int) -> float:
        """Return what a thread has of a core while `count` of them are busy.

        Up to a half of the threads, each may have a core of its own or share it with
        another machine's; of all, each shares with one of the others.
        """
        if not self.is_paired:
            return 1.0
        busy = min(max(2.0 * count / self.granted - 1.0, 0.0), 1.0)
        share: float = self.constants.core_per_thread ** (0.5 + 0.5 * busy)
        return share


def _learned(
    expected: Expected,
    result: BenchResult,
    known: Iterable[BenchResult],
    tables: Tables,
) -> Expected:
    """Return what is expected once the user's machines of that kind have had their say.

    The median is normal in its logarithm, and so is what a machine shows about it: with n
    machines that show m in the mean the median has the precision ``1 / level^2 + n /
    host^2``, and lies between the two as these weigh (Gelman et al., Bayesian Data
    Analysis, 3rd edition, section 2.5).
    """
    logs = [math.log(value) for value in _shown(expected.name, result, known, tables)]
    if not logs:
        return expected
    prior, seen = expected.level_log_sd**-2, len(logs) * expected.host_log_sd**-2
    mean = (prior * math.log(expected.value) + seen * float(np.mean(logs))) / (
        prior + seen
    )
    return replace(
        expected,
        value=math.exp(mean),
        level_log_sd=(prior + seen) ** -0.5,
        source=f"{expected.source}; {len(logs)} of your own",
    )


def _shown(
    name: str, result: BenchResult, known: Iterable[BenchResult], tables: Tables
) -> Iterator[float]:
    """Yield what other machines with the same GPU or CPU show, one figure per machine."""
    found = _GPU_LINE.fullmatch(name)
    for other in known:
        if found is None:
            words = cpu_words(result.machine.cpu_name)
            values = (
                [other.value(name)] if words == cpu_words(other.machine.cpu_name) else []
            )
        else:
            number = int(found[1])
            gpu = gpu_of(result.machine.gpus[number], tables)
            values = [
                other.value(f"gpu{at}.{found[2]}")
                for at, one in enumerate(other.machine.gpus)
                if gpu_of(one, tables) == gpu
            ]
        values = [value for value in values if value > 0.0]
        if values:
            yield float(np.median(values))
