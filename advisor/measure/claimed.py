"""What an offer claims of a machine, beside what the machine shows.

What a market counts (GPUs, threads, memory) is to be there whole. What it measured at
some time (copies, disk) or was told (download) is held to with the spread that is known
of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from advisor.base.units import BYTES_PER_MB, MIB_PER_GB, MIB_PER_GIB
from advisor.cost.assumptions import Assumptions
from advisor.hardware.names import gpu_key
from advisor.market.facts import MachineFacts
from advisor.market.offers import Offers
from advisor.measure.bench import BenchGpu, BenchResult
from advisor.measure.expected import Expected
from advisor.measure.probe.lines import Line
from advisor.throughput.tables import Tables

COUNTED, SHOWN = "counts", "figures"
"""Kinds of a claim: that is to be there whole; that is shown beside what is usual for the
card, which is known better."""

COUNTED_LOG_SD = 0.03
"""Log-sd of what is counted: a kernel keeps some of the memory to itself (assumption)."""

CLAIMED_LOG_SD = 0.3
"""Log-sd between what a market once measured of a disk or a line and what the same
measures now by our program (assumption)."""

READ_MB = 131_072 / BYTES_PER_MB
"""MB of one of the reads that ``disk.read.random`` counts."""


def with_counts(
    result: BenchResult, tables: Tables, offered: MachineFacts
) -> BenchResult:
    """Return the result with what can be counted of the machine as lines.

    ``gpus`` are those of the model that is offered: another card is no GPU of the offer.
    """
    wanted = gpu_named(str(offered.gpu_name[0]), float(offered.gpu_ram_mb[0]), tables)
    right = sum(
        gpu_named(one.name, _memory_mb(one), tables) == wanted
        for one in result.machine.gpus
    )
    counts = [Line("gpus", float(right), "GPUs", note=f"that are {wanted}")]
    if result.machine.memory_gb > 0.0:
        counts.append(Line("host.memory", result.machine.memory_gb, "GB"))
    counts += [
        Line(f"gpu{number}.memory", one.memory_gb, "GiB")
        for number, one in enumerate(result.machine.gpus)
        if one.memory_gb > 0.0
    ]
    there = {line.name for line in result.lines}
    lines = (*(one for one in counts if one.name not in there), *result.lines)
    return replace(result, lines=lines)


def gpu_named(name: str, memory_mb: float, tables: Tables) -> str:
    """Return the table's name of a GPU, or the words of its own where no table has it."""
    gpu = tables.gpus.resolve(name, memory_mb)
    return gpu_key(name).words if gpu is None else gpu.name


def claims(offered: MachineFacts, result: BenchResult) -> Mapping[str, float]:
    """Return what an offer says of the lines of a bench, in their units.

    Parameters
    ----------
    offered : a table of one row
    """
    return {one.name: one.value for one in _claims(offered, len(result.machine.gpus))}


def claimed_lines(
    result: BenchResult, tables: Tables, offered: MachineFacts
) -> Mapping[str, Expected]:
    """Return what the lines of a bench should be by the machine's offer, by name.

    Parameters
    ----------
    result : with the lines of `with_counts`
    offered : a table of one row
    """
    found = {}
    for claim in _claims(offered, len(result.machine.gpus)):
        for name, share, log_sd in claim.delivers(tables):
            found[name] = Expected(
                name,
                f"claimed {claim.kind}",
                claim.value * share,
                0.0 if claim.kind == COUNTED else CLAIMED_LOG_SD,
                log_sd,
                claim.of,
                "the offer",
            )
    return found


class Claim(NamedTuple):
    """One figure of an offer.

    Attributes
    ----------
    name : of the line that shows it
    value : in the unit of that line
    kind : `COUNTED`, or of what the market once measured
    of : what it is, for people
    """

    name: str
    value: float
    kind: str
    of: str

    def delivers(self, tables: Tables) -> Iterator[tuple[str, float, float]]:
        """Yield lines that follow from it: name, share of the claim, log-sd of that."""
        host, usual = tables.model.host, Assumptions()
        if self.kind == COUNTED:
            yield self.name, 1.0, COUNTED_LOG_SD
        elif self.kind == "disk":
            yield self.name, 1.0, host.disk_log_sd
            random = host.disk_random_share / READ_MB
            yield "disk.read.random", random, host.disk_log_sd
        elif self.kind == "download":
            most = usual.download_cap_mbit_s / self.value
            share = min(usual.delivered_share, most)
            yield self.name, share, usual.delivered_log_sd


def _claims(offered: MachineFacts, gpus: int) -> Iterator[Claim]:
    """Yield what an offer says, as far as it says it."""
    for claim in _all_claims(offered, gpus):
        if claim.value > 0.0:  # nor NaN
            yield claim


def _all_claims(offered: MachineFacts, gpus: int) -> Iterator[Claim]:
    def one(name: str, value: float, kind: str, of: str) -> Claim:
        return Claim(name, float(value), kind, of)

    threads, memory_gb = offered.cpu_threads[0], offered.cpu_ram_mb[0] / MIB_PER_GB
    yield one("gpus", offered.num_gpus[0], COUNTED, "the offer's GPUs")
    yield one("cores.granted", threads, COUNTED, "the offer's threads")
    yield one("host.memory", memory_gb, COUNTED, "the offer's memory")
    disk = "the offer's disk"
    yield one("disk.read.sequential", offered.disk_bw_mb_s[0], "disk", disk)
    if isinstance(offered, Offers):
        down = offered.inet_down_mbit_s[0]
        yield one("net.download", down, "download", "the offer's download")
    memory_gb = offered.gpu_ram_mb[0] / MIB_PER_GIB
    of_gpu = (
        ("memory", memory_gb, COUNTED),
        ("power.limit", offered.gpu_max_power_w[0], COUNTED),
        ("pcie.gen.max", offered.pci_gen[0], COUNTED),
        ("pcie.width.max", offered.gpu_lanes[0], COUNTED),
        ("bandwidth", offered.gpu_mem_bw_gb_s[0], SHOWN),
        ("h2d.pinned", offered.pcie_gb_s[0], SHOWN),
    )
    for number in range(gpus):
        for name, value, kind in of_gpu:
            yield one(f"gpu{number}.{name}", value, kind, f"the offer's {name}")


def _memory_mb(gpu: BenchGpu) -> float:
    return gpu.memory_gb * MIB_PER_GIB
