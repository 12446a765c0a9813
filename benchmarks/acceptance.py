"""Machines played through acceptance: healthy ones that are refused, slow ones that stay.

Each play is an offer of the bundled market and a bench of its machine. The card does what
a machine with that card was recorded to do (``models/sources/gpu_matmul.csv``, one row a
machine; sick ones are left out as where the spreads are computed, and shown apart); each
other part is drawn from its table's spread about the median: what is not known of the
median once for each part, how machines differ once for each part of a machine. Then one
part is halved. Last, the real program measures real containers of the simulated market
over a real ssh server (as root): healthy ones, and one that gets a tenth of the CPU.

Exit code 1 if more than one in a hundred healthy machines is refused, one in fifty whose
card does half, or that grants half of its cores, is not found, or a real play fails.

    python benchmarks/acceptance.py [--plays 200] [--real 5] [--seed 18]
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

import advisor
from advisor.app.constraints import Constraints
from advisor.app.context import Context
from advisor.app.job import JobSpec
from advisor.app.listener import Listener
from advisor.app.rent import RentSpec
from advisor.app.renting import rent
from advisor.base.clock import Clock
from advisor.base.errors import AdvisorError
from advisor.base.units import GB_PER_GIB
from advisor.market.vast.key import VARIABLE
from advisor.measure.acceptance import Acceptance, accepted, verdicts_of
from advisor.measure.bench import BenchResult, parse_bench
from advisor.measure.expected import CORE
from advisor.measure.offered import expected_of
from advisor.measure.probe.lines import Line, Result
from advisor.ranking.offer import RankedOffer
from advisor.rental.request import Rental
from advisor.simulator.clock import SimClock
from advisor.simulator.local import LocalContainers, own_cpu
from advisor.simulator.scenarios import SCENARIOS
from advisor.simulator.server import serve
from advisor.simulator.world import World
from advisor.store.database import open_store
from advisor.store.hosts import rules

RATES = Path(__file__).parents[1] / "models" / "sources" / "gpu_matmul.csv"
JOBS = {"resnet50": 90, "bert-base": 60, "gpt2-124m": 1}
"""Profiles, and epochs that take hours to days."""

SICK = 0.2  # as `tools/compile_components.py` has it
FALSE_REFUSALS = 0.01
MISSED_ONE_IN = 50
COSTLESS = 0.95

HOST = {
    "cores.granted": "cores",
    "cores.delivered": "cores",
    "core.zlib": "MB/s",
    "decode.pillow.core": "images/s",
    "decode.opencv.core": "images/s",
    "disk.read.random": "reads/s",
}
CARD = {
    "matmul.fp32": "TFLOP/s",
    "matmul.tf32": "TFLOP/s",
    "matmul.fp16": "TFLOP/s",
    "matmul.bf16": "TFLOP/s",
    "bandwidth": "GB/s",
    "launch": "kernels/s",
    "h2d.pinned": "GB/s",
}
HALVED = {
    "card": ("matmul", "bandwidth"),
    "matrix rate": ("matmul",),
    "memory bandwidth": ("bandwidth",),
    "launch": ("launch",),
    "host-to-device": ("h2d.pinned",),
    "core": ("core.zlib", "decode"),
    "cores granted": ("cores.granted", "cores.delivered"),
    "cores delivered": ("cores.delivered",),
    "disk": ("disk.read.random",),
}
MUST_FAIL = ("card", "matrix rate", "memory bandwidth", "cores granted")
_RATE = "_matmul_tflops"


@dataclass(frozen=True)
class Recorded:
    """A machine whose card was measured.

    Attributes
    ----------
    gpu : its card, as the table of GPUs has it
    rates : precision -> TFLOP/s
    """

    gpu: str
    rates: Mapping[str, float]


def recorded() -> Iterator[Recorded]:
    """Yield the machines whose matrix rates were recorded, as they were sold."""
    with RATES.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rates = {
                name.removesuffix(_RATE): float(text)
                for name, text in row.items()
                if name.endswith(_RATE) and text
            }
            plain = row["kind"] == "one shape" and "overclocked" not in row["note"]
            if plain and "fp16" in rates:
                yield Recorded(row["gpu_name"], rates)


def offers_by_gpu() -> Mapping[str, Sequence[RankedOffer]]:
    """Return the ranked offers of the bundled market, by card, each with all after it."""
    found = defaultdict[str, list[RankedOffer]](list)
    for workload, epochs in JOBS.items():
        for one in advisor.rank(workload, market="sample", epochs=epochs):
            if one.gpu is not None:
                found[one.gpu.name].append(one)
    return found


def bench_of(lines: Mapping[str, tuple[float, str]], offer: RankedOffer) -> BenchResult:
    """Return the result of a bench on the machine of an offer."""
    result, card = Result("quick"), offer.gpu
    if card is None:
        message = f"offer {offer.offer_id} has no card that is known"
        raise ValueError(message)
    gpu = {"name": card.name, "memory_gb": card.memory_gb * GB_PER_GIB}
    result.machine = {
        "cpu_name": str(offer.cpu_name or ""),
        "gpus": [gpu] * offer.num_gpus,
    }
    result.lines = [Line(name, value, unit) for name, (value, unit) in lines.items()]
    return parse_bench(result.document())


def units_of(offer: RankedOffer) -> dict[str, str]:
    """Return the lines that the machine of an offer has, with their units."""
    units = dict(HOST)
    for number in range(offer.num_gpus):
        units |= {f"gpu{number}.{part}": unit for part, unit in CARD.items()}
        units |= {
            f"gpu{number}.pcie.gen.max": "generation",
            f"gpu{number}.pcie.width.max": "lanes",
        }
    return units


def link_of(offer: RankedOffer) -> dict[str, float]:
    """Return the link of each GPU as it is offered, else generation 4 with 16 lanes."""
    offers = offer.ranking.offers
    generation, lanes = offers.pci_gen[offer.at], offers.gpu_lanes[offer.at]
    return {
        "pcie.gen.max": float(generation) if generation > 0.0 else 4.0,
        "pcie.width.max": float(lanes) if lanes > 0.0 else 16.0,
    }


def played(
    offer: RankedOffer, machine: Recorded, draw: np.random.Generator
) -> dict[str, tuple[float, str]]:
    """Return what a healthy machine shows, with the first card as it was recorded."""
    units, link = units_of(offer), link_of(offer)
    ones = {name: (link.get(name.partition(".")[2], 1.0), units[name]) for name in units}
    threads = float(offer.ranking.machines.threads[offer.at])
    ones["cores.granted"] = (threads, "cores")  # what a core does depends on it
    expected = expected_of(bench_of(ones, offer), offer)
    of_core = draw.normal()  # one core, of one name, is behind all of its lines
    lines = {}
    for name, (value, unit) in ones.items():
        one, off = expected.get(name), draw.normal()
        if one is not None and name.partition(".")[2] not in link:
            off = of_core if one.group == CORE else off
            lines[name] = (one.value * math.exp(one.log_sd * off), unit)
        else:
            lines[name] = (value, unit)
    for precision, rate in machine.rates.items():
        if f"gpu0.matmul.{precision}" in lines:
            lines[f"gpu0.matmul.{precision}"] = (rate, "TFLOP/s")
    return lines


def judged(lines: Mapping[str, tuple[float, str]], offer: RankedOffer) -> Acceptance:
    """Return what comes of a machine, where the job could go to the next offer."""
    ranking = offer.ranking
    place = offer.rank or 1
    following = ranking[place] if place < len(ranking) else None
    verdicts = verdicts_of(bench_of(lines, offer), offer)
    return accepted(offer, following, verdicts, 90.0)


def is_sick(machine: Recorded, offer: RankedOffer) -> bool:
    """Say whether a recorded card is far below what its kind does."""
    ones = {name: (1.0, unit) for name, unit in units_of(offer).items()}
    expected = expected_of(bench_of(ones, offer), offer)
    return any(
        f"gpu0.matmul.{name}" in expected
        and rate < math.exp(-SICK) * expected[f"gpu0.matmul.{name}"].value
        for name, rate in machine.rates.items()
    )


def halved(
    lines: Mapping[str, tuple[float, str]], parts: Sequence[str]
) -> dict[str, tuple[float, str]]:
    """Return a machine with some parts at half of what they were."""
    found = {}
    for name, (value, unit) in lines.items():
        part = name.partition(".")[2] if name.startswith("gpu") else name
        share = 0.5 if part.startswith(tuple(parts)) else 1.0
        found[name] = (share * value, unit)
    return found


def plays(count: int, seed: int) -> bool:
    """Play drawn machines; print what came of them, return whether all is well."""
    draw = np.random.default_rng(seed)
    offers = offers_by_gpu()
    machines = [one for one in recorded() if offers.get(one.gpu)]
    sick = [one for one in machines if is_sick(one, offers[one.gpu][0])]
    healthy = [one for one in machines if one not in sick]
    print(
        f"{len(healthy)} recorded machines with {len({one.gpu for one in healthy})} "
        f"cards, and {len(sick)} sick ones: {', '.join(one.gpu for one in sick)}"
    )
    faulty = refused = 0
    slow = defaultdict[str, list[Acceptance]](list)
    for _ in range(count):
        machine = healthy[int(draw.integers(len(healthy)))]
        several = offers[machine.gpu]
        offer = several[int(draw.integers(len(several)))]
        lines = played(offer, machine, draw)
        came = judged(lines, offer)
        faulty += bool(came.faults)
        refused += not came.is_kept
        for name, parts in HALVED.items():
            slow[name].append(judged(halved(lines, parts), offer))
    print(
        f"healthy: {refused} of {count} refused ({refused / count:.1%}), "
        f"{faulty} with a part found at fault ({faulty / count:.1%})"
    )
    for one in sick:
        came = judged(played(offers[one.gpu][0], one, draw), offers[one.gpu][0])
        print(f"sick {one.gpu}: {'kept' if came.is_kept else 'refused'}", end="; ")
        print(", ".join(f"{fault.name} {fault.share:.0%}" for fault in came.faults))
    print(tabulate(_rows(slow), headers="keys"))
    missed = max(sum(not one.faults for one in slow[name]) for name in MUST_FAIL)
    most_missed = math.ceil(count / MISSED_ONE_IN)  # of a few, one may be chance
    return refused <= FALSE_REFUSALS * count and missed <= most_missed


def _rows(slow: Mapping[str, Sequence[Acceptance]]) -> Iterator[dict[str, Any]]:
    for name, several in slow.items():
        kept = [one for one in several if one.faults and one.is_kept]
        costless = sum(one.rate_share > COSTLESS for one in kept)
        yield {
            "at half": name,
            "found": sum(bool(one.faults) for one in several),
            "median rate left": f"{np.median([one.rate_share for one in several]):.0%}",
            "given back": sum(not one.is_kept for one in several),
            "kept: costs nothing": costless,
            "kept: moving costs more": len(kept) - costless,
        }


class Heard(Listener):
    """Keeps what was rented."""

    def __init__(self) -> None:
        self.rental: Rental | None = None

    def rented(self, rental: Rental, key_file: Path) -> None:  # noqa: ARG002
        """Keep it."""
        self.rental = rental


def real(count: int, folder: Path) -> bool:
    """Measure real containers; return whether all healthy ones, and they alone, stay."""
    cpu = own_cpu()
    host = LocalContainers(folder / "machines")
    world = World(
        offers=200,
        seed=3,
        clock=SimClock.manual(datetime(2026, 11, 20, 15, tzinfo=UTC).timestamp()),
        calm=True,
        host=host,
        cpu=cpu._replace(threads=1),
    )
    rows, is_well = [], True
    try:
        with serve(world) as server:
            for number in range(count + 1):
                is_slow = number == count
                (fault,) = SCENARIOS["slow-host"].faults
                share = 0.2 / cpu.threads
                world.set_faults(*[replace(fault, share=share)] * is_slow)
                row, as_it_should = one_real(world, server.url, folder, number, is_slow)
                is_well &= as_it_should
                rows.append(row)
    finally:
        host.close()
    print(tabulate(rows, headers="keys"))
    return is_well


def one_real(
    world: World, url: str, folder: Path, number: int, is_slow: bool
) -> tuple[dict[str, Any], bool]:
    """Rent one machine that is measured first, and end it; return what came of it."""
    home = folder / str(number)
    home.mkdir()
    said: list[str] = []

    def pass_time(seconds: float) -> None:
        world.advance(seconds)

    context = Context(
        variables={
            "VAST_URL": url,
            VARIABLE: f"key-{number}",
            "ADVISOR_DATA_DIR": str(home / "data"),
            "ADVISOR_CACHE_DIR": str(home / "cache"),
        },
        home=home,
        folder=home,
        clock=Clock(
            now=lambda: datetime.fromtimestamp(world.clock.now(), UTC),
            monotonic=world.clock.now,
            sleep=pass_time,
        ),
        notify=said.append,
    )
    spec = RentSpec(
        JobSpec("resnet50", epochs=90, settings=(("dataset_gb", 1.0),)),
        Constraints(
            num_gpus=(1,), where=("cpu_cores_effective>=0.4 cpu_cores_effective<=0.6",)
        ),
        verify=True,
    )
    heard = Heard()
    try:
        rent(context, spec, heard)
    except AdvisorError as error:
        said.append(str(error))
    attempts = heard.rental.attempts if heard.rental else ()
    outcomes = [one.outcome for one in attempts]
    with open_store(context.data_folder) as store:
        remembered = [rule.reason for rule in rules(store)]
    measured = heard.rental.measured if heard.rental else None
    right = ["slow", "rented"] if is_slow else ["rented"]
    row = {
        "host": "throttled" if is_slow else "healthy",
        "came": ", ".join(outcomes) or said[-1],
        "judged": sum(one["share"] is not None for one in measured["lines"])
        if measured
        else 0,
        "remembered": "; ".join(remembered)[:60],
    }
    is_measured = measured is not None
    return row, outcomes == right and is_measured and len(remembered) == is_slow


def main() -> int:
    """Play; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plays", type=int, default=200)
    parser.add_argument("--real", type=int, default=5)
    parser.add_argument("--seed", type=int, default=18)
    asked = parser.parse_args()
    is_well = plays(asked.plays, asked.seed) if asked.plays else True
    if asked.real and (missing := LocalContainers.missing()):
        print(f"no real machine is measured: {missing}")
    elif asked.real:
        load = os.getloadavg()[0]
        print(f"{asked.real} real healthy hosts and a throttled one (load {load:.1f}):")
        with tempfile.TemporaryDirectory() as folder:
            is_well &= real(asked.real, Path(folder).resolve())
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
