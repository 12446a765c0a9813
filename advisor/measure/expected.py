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

from advisor.base.units import MIB_PER_GIB
from advisor.hardware.boards import kinds_of
from advisor.hardware.cpus import Cpu
from advisor.hardware.gpus import Gpu
from advisor.hardware.machines import PCIE_GB_S_PER_LANE
from advisor.hardware.names import cpu_words, mig_profile
from advisor.hardware.power import SPREAD, power_factor
from advisor.market.facts import MachineFacts
from advisor.measure.bench import BenchGpu, BenchResult
from advisor.measure.components import ANY_CARD, ANY_LINK, Component, component
from advisor.measure.host_cores import HostCores
from advisor.throughput.artifact import MODELED
from advisor.throughput.tables import Tables

_WORKERS = re.compile(r"(decode\.\w+)\.w(\d+)", re.ASCII)
_GPU_LINE = re.compile(r"gpu(\d+)\.(.+)")
_ON_TENSOR_CORES = {"matmul.tf32", "matmul.fp16", "matmul.bf16"}

OF_PYTHON = "tokenize.core"
"""Tells of the Python as much as of the core, and is not judged: on one core (an EPYC of
family 26) releases 3.8 to 3.13 built by pyenv made 1.7 to 2.8 million tokens/s and
Debian's 3.11, optimized by its profile, 3.6. ``core.zlib`` was the same under each."""

CORE, WORKERS = "core", "workers"
"""The groups of the lines that the speed of the cores decides, and their number."""

LINK, LAUNCH, ERRORS, TRAINING = "h2d", "launch", "errors", "training"
"""The groups of copies to a GPU, of kernel launches, of what is counted as a fault
whatever it is, and of trainings, whose prediction is `advisor.measure.trained`'s."""

SICK = 3.0
"""Standard deviations from the median of its kind beyond which one of the user's own
machines does not tell what is usual."""


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
        *_of_gpus(result, tables, offered),
        *_of_cores(result, tables, offered),
    ]
    return {
        one.name: one
        if one.group in {WORKERS, ERRORS}  # no machine tells what another should do
        else _learned(one, result, known, tables)
        for one in found
    }


def is_by_clock(name: str) -> bool:
    """Say whether a line tells of the cores' number by the clock, see `WORKERS`."""
    return name == "cores.delivered" or _WORKERS.fullmatch(name) is not None


def gpu_of(gpu: BenchGpu, tables: Tables) -> Gpu | None:
    """Return the row of the GPU table that a measured GPU is; None: none, or a part."""
    if gpu.is_slice or mig_profile(gpu.name) is not None:
        return None
    return tables.gpus.resolve(gpu.name, gpu.memory_gb * MIB_PER_GIB)


def cpu_of(
    result: BenchResult, tables: Tables, offered: MachineFacts | None = None
) -> Cpu | None:
    """Return the CPU of a machine by its own name, or else by that of its offer."""
    own = tables.cpus.identify(result.machine.cpu_name)
    if own is None and offered is not None:
        return tables.cpus.identify(str(offered.cpu_name[0]))
    return own


def _of_gpus(
    result: BenchResult, tables: Tables, offered: MachineFacts | None
) -> Iterator[Expected]:
    """Yield what its GPUs do, each by itself."""
    cpu = cpu_of(result, tables, offered)
    host = HostCores.of_machine(cpu, result.cores_granted, tables.model)
    gpus = [_judging(gpu_of(seen, tables), tables) for seen in result.machine.gpus]
    limit_w = math.nan if offered is None else float(offered.gpu_max_power_w[0])
    for line in result.lines:
        found = _GPU_LINE.fullmatch(line.name)
        if found is None or int(found[1]) >= len(gpus):
            continue
        gpu, part = gpus[int(found[1])], found[2]
        expected = None
        if part in {"xid", "ecc.uncorrected"}:
            expected = Expected(line.name, ERRORS, 0.0, 0.0, 0.0, "a sound card", "")
        elif part == "launch":
            expected = Expected(line.name, LAUNCH, *host.launches())
        elif part == "h2d.pinned":
            expected = _by_link(line.name, result)
        elif gpu is not None:
            expected = _of_gpu(line.name, part, gpu, limit_w)
        if expected is not None:
            yield expected


def _judging(gpu: Gpu | None, tables: Tables) -> Gpu | None:
    """Return a card as machines are judged by it, see `Known.judging`."""
    if gpu is None or tables.known is None:
        return gpu
    return tables.known.judging(gpu)


def _of_gpu(name: str, part: str, gpu: Gpu, limit_w: float) -> Expected | None:
    """Return what one part of a GPU does: measured on that card, or by its kind.

    Parameters
    ----------
    limit_w : power limit that its offer states openly, W; NaN: none
    """
    if part.startswith("matmul."):
        nominal = getattr(gpu, f"{part.removeprefix('matmul.')}_tflops", math.nan)
        found = _by_card(name, part, gpu, nominal, kinds_of(gpu))
        return None if found is None else _at_power(found, gpu, limit_w)
    if part == "bandwidth":
        return _by_card(name, part, gpu, gpu.memory_bandwidth_gb_s, (ANY_CARD,))
    return None


def _at_power(expected: Expected, gpu: Gpu, limit_w: float) -> Expected:
    """Return what a card computes at a power limit; at its own where that is unknown."""
    factor = float(power_factor(np.array([limit_w]), np.array([gpu.tdp_w]))[0])
    off = SPREAD * abs(math.log(factor))
    return replace(
        expected,
        value=expected.value * factor,
        host_log_sd=math.hypot(expected.host_log_sd, off),
    )


def _by_card(
    name: str, part: str, gpu: Gpu, nominal: float, things: tuple[str, ...]
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
    kind = component(part, *things) if gpu.vendor == MODELED else None
    if kind is None or not nominal > 0.0:  # also NaN: arithmetic that the card lacks
        return None
    share = _share(part, gpu, kind)
    return Expected(
        name,
        part.partition(".")[0],
        nominal * share,
        kind.level_log_sd,
        kind.host_log_sd,
        gpu.name,
        f"{share:.2f} of the data sheet, as of {kind.of}",
    )


def _share(part: str, gpu: Gpu, kind: Component) -> float:
    """Return what a card nobody measured does of its data sheet, by what its kind does.

    Its chip and its power tell of FP32 and of FP16 (`advisor.hardware.boards`); TF32 and
    BF16 run on the same tensor cores as FP16.
    """
    half = component("matmul.fp16", kind.of)
    if part == "matmul.fp32":
        return gpu.fp32_share
    if part not in _ON_TENSOR_CORES or half is None:
        return kind.value
    return kind.value * gpu.matmul_share / half.value


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
        LINK,
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
    cpu = cpu_of(result, tables, offered)
    host = HostCores.of_machine(cpu, result.cores_granted, tables.model)
    for line in result.lines:
        found, group = _WORKERS.fullmatch(line.name), WORKERS
        if line.name == "cores.delivered":
            usual = host.delivered()
        elif line.name == OF_PYTHON:
            continue
        elif found is None:
            usual, group = host.alone(line.name), CORE
        else:
            own_rate, ceiling = (
                result.value(f"{found[1]}.{what}") for what in ("core", "ceiling")
            )
            usual = host.workers(int(found[2]), own_rate, ceiling)
        if usual is not None:
            yield Expected(line.name, group, *usual)


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
    Analysis, 3rd edition, section 2.5). A machine beyond `SICK` says nothing of healthy
    ones.
    """
    logs = [
        math.log(value)
        for value in _shown(expected, result, known, tables)
        if abs(math.log(value / expected.value)) < SICK * expected.log_sd
    ]
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
    expected: Expected, result: BenchResult, known: Iterable[BenchResult], tables: Tables
) -> Iterator[float]:
    """Yield what other machines of its kind show in a line, one figure per machine."""
    found = _GPU_LINE.fullmatch(expected.name)
    for other in known:
        if found is None or expected.group == LAUNCH:  # the CPU's doing
            names = [expected.name] * _is_same_cpu(result, other)
        else:
            kind = _kind(result, int(found[1]), expected.group, tables)
            names = [
                f"gpu{at}.{found[2]}"
                for at in range(len(other.machine.gpus))
                if _kind(other, at, expected.group, tables) == kind
            ]
        values = [value for name in names if (value := other.value(name)) > 0.0]
        if values:
            yield float(np.median(values))


def _is_same_cpu(one: BenchResult, other: BenchResult) -> bool:
    return cpu_words(one.machine.cpu_name) == cpu_words(other.machine.cpu_name)


def _kind(
    result: BenchResult, number: int, group: str, tables: Tables
) -> Gpu | tuple[float, float] | None:
    """Return what decides over a line of a GPU: its link, or which card it is."""
    if group == LINK:
        generation = result.value(f"gpu{number}.pcie.gen.max")
        return generation, result.value(f"gpu{number}.pcie.width.max")
    return gpu_of(result.machine.gpus[number], tables)
