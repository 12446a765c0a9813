"""A machine beside its offer: what is counted must be there, the rest nearly."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.market.offers import Offers, parse_machine
from advisor.measure.bench import BenchResult
from advisor.measure.claimed import claimed_lines, claims, with_counts
from advisor.measure.expected import expected_lines
from advisor.measure.verdict import Verdict, judged
from advisor.throughput.tables import Tables, load_tables
from tests.measure.benches import LINES, bench

RECORD: dict[str, Any] = {
    "gpu_name": "RTX 4090",
    "num_gpus": 1,
    "gpu_ram": 24564,
    "gpu_max_power": 450,
    "gpu_mem_bw": 878.0,
    "pcie_bw": 24.0,
    "pci_gen": 4.0,
    "gpu_lanes": 16,
    "cpu_name": "AMD EPYC 7702 64-Core Processor",
    "cpu_cores_effective": 32.0,
    "cpu_ram": 515_000,
    "disk_bw": 3000.0,
    "inet_down": 758.0,
}
MEASURED = {
    **LINES,
    "disk.read.sequential": (2500.0, "MB/s"),
    "disk.read.random": (12_000.0, "reads/s"),
    "net.download": (400.0, "Mbit/s"),
    "gpu0.power.limit": (450.0, "W"),
    "gpu0.xid": (0.0, "errors"),
}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables()


def verdicts(
    result: BenchResult, tables: Tables, **offered: object
) -> dict[str, Verdict]:
    offer: Offers = parse_machine({**RECORD, **offered})
    found = with_counts(result, tables, offer)
    expected = {
        **claimed_lines(found, tables, offer),
        **expected_lines(found, tables, offer),
    }
    return {one.name: one for one in judged(found, expected)}


def faults(found: dict[str, Verdict]) -> set[str]:
    return {name for name, one in found.items() if one.is_fault}


def test_a_machine_that_is_as_offered_has_no_fault(tables: Tables) -> None:
    """What is counted is there, and what is measured is near what is usual."""
    found = verdicts(bench(MEASURED), tables)
    assert not faults(found)
    assert found["gpus"].measured == 1.0
    assert found["host.memory"].words == "as it should be"


@pytest.mark.parametrize(
    ("line", "figure", "unit"),
    [
        ("cores.granted", 4.0, "cores"),
        ("net.download", 0.5, "Mbit/s"),
        ("disk.read.sequential", 120.0, "MB/s"),
        ("disk.read.random", 300.0, "reads/s"),
        ("gpu0.power.limit", 250.0, "W"),
        ("gpu0.pcie.gen.max", 3.0, "generation"),
        ("gpu0.xid", 2.0, "errors"),
    ],
)
def test_what_is_not_delivered_is_a_fault(
    line: str, figure: float, unit: str, tables: Tables
) -> None:
    """Threads, download, disk, power and link as users of markets found them."""
    found = verdicts(bench({**MEASURED, line: (figure, unit)}), tables)
    assert line in faults(found)
    assert found[line].words


@pytest.mark.parametrize(
    ("line", "figure", "unit"),
    [
        ("net.download", 150.0, "Mbit/s"),
        ("disk.read.sequential", 1000.0, "MB/s"),
    ],
)
def test_what_markets_measured_may_have_moved(
    line: str, figure: float, unit: str, tables: Tables
) -> None:
    """A third of a disk's bandwidth, a fifth of a download: nobody promised more."""
    found = verdicts(bench({**MEASURED, line: (figure, unit)}), tables)
    assert line not in faults(found)


def test_another_card_is_no_gpu_of_the_offer(tables: Tables) -> None:
    """An RTX 3090 for an RTX 4090, and one card of two, are each found out."""
    other = bench(MEASURED, gpus=("NVIDIA GeForce RTX 3090",))
    assert verdicts(other, tables)["gpus"].measured == 0.0
    assert "gpus" in faults(verdicts(other, tables))
    assert "gpus" in faults(verdicts(bench(MEASURED), tables, num_gpus=2))


def test_a_smaller_memory_is_found_out(tables: Tables) -> None:
    """Of the host and of the card."""
    found = verdicts(bench(MEASURED), tables, cpu_ram=1_030_000, gpu_ram=49_140)
    assert {"host.memory", "gpu0.memory"} <= faults(found)


def test_what_an_offer_does_not_say_is_not_held_against_a_machine(
    tables: Tables,
) -> None:
    """An offer of a name alone claims its GPU, and nothing else."""
    bare = parse_machine({"gpu_name": "RTX 4090", "num_gpus": 1})
    assert claims(bare, bench(MEASURED)) == {"gpus": 1.0}
    assert set(claimed_lines(bench(MEASURED), tables, bare)) == {"gpus"}


def test_a_fast_line_is_no_reason_to_expect_more_than_a_source_gives(
    tables: Tables,
) -> None:
    """Of 10 Gbit/s advertised no single source is expected to fill more than it hands."""
    offer = parse_machine({**RECORD, "inet_down": 10_000.0})
    found = claimed_lines(bench(MEASURED), tables, offer)
    assert found["net.download"].value == pytest.approx(1000.0)
