"""What an offer says against the card that it names, and against itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.resources import models_folder
from advisor.hardware.contradictions import SLICE_LOG_SD
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.hardware.machines import Machines, describe
from advisor.market.offers import parse_machine, parse_offers
from advisor.throughput.artifact import load_model
from advisor.throughput.predict import predict
from advisor.workloads.load import load_workload

GPUS, CPUS, MODEL = load_gpus(), load_cpus(), load_model(models_folder())
H100: dict[str, Any] = {
    "gpu_name": "H100 SXM",
    "gpu_ram": 81_559,
    "gpu_total_ram": None,
    "total_flops": 66.9,
    "gpu_mem_bw": 2800.0,
    "dlperf": None,
}


def described(record: Mapping[str, Any], **change: object) -> Machines:
    offers, excluded = parse_offers([dict(record) | change])
    assert not excluded
    return describe(offers, GPUS, CPUS, MODEL.cpu)


def flags(machines: Machines) -> set[str]:
    return {name for name, holds in machines.flags.items() if holds[0]}


@pytest.mark.parametrize(
    ("change", "share", "memory_gb"),
    [
        ({"gpu_ram": 9856}, 10 / 80, 9.6),  # an eighth of the memory
        ({"gpu_ram": 40_192}, 40 / 80, 39.2),
        ({"gpu_ram": 40_192, "total_flops": 28.7}, 28.7 / 66.9, 39.2),  # 3g.40gb
        ({"gpu_name": "H100 SXM MIG 1g.10gb"}, 1 / 7, 10.0),
        ({"gpu_name": "H100-SXM5-80GB MIG 3g.40gb", "gpu_ram": 40_192}, 3 / 7, 39.2),
    ],
)
def test_a_slice_is_slower_in_proportion(
    record: dict[str, Any], change: dict[str, Any], share: float, memory_gb: float
) -> None:
    """By its MIG profile, by the rate that the market states, or by its memory."""
    whole, part = described(record, **H100), described(record, **{**H100, **change})
    assert part.slowest_share[0] == pytest.approx(share, rel=0.05)
    assert part.gpu_memory_gb[0] == pytest.approx(memory_gb, rel=0.05)
    assert "gpu_slice" in flags(part)
    assert "flops_contradictory" not in flags(part)
    assert part.gpu_log_sd[0] == SLICE_LOG_SD
    assert whole.slowest_share[0] == 1.0
    assert not flags(whole) & {"gpu_slice", "memory_modded"}


def test_slices_of_cards_that_mig_cuts_in_four(record: dict[str, Any]) -> None:
    """One of an A30 is a quarter of it."""
    part = described(record, gpu_name="A30 MIG 1g.6gb", gpu_ram=6144, total_flops=None)
    assert part.slowest_share[0] == 0.25
    assert part.interconnect[0] == "pcie"


@pytest.mark.parametrize("gpu_ram", [49_140, 24_564, 23_028])
def test_a_modified_card_keeps_its_rate(record: dict[str, Any], gpu_ram: float) -> None:
    """48 GB on a 4090, its own 24, and what ECC leaves of them."""
    found = described(record, gpu_ram=gpu_ram)
    assert found.slowest_share[0] == 1.0
    assert "gpu_slice" not in flags(found)
    assert ("memory_modded" in flags(found)) is (gpu_ram > 30_000)


def test_the_memory_of_one_is_not_that_of_all(record: dict[str, Any]) -> None:
    """48 GB for one of two 4090 that have 48 GB in all are 24 GB each."""
    change = {"num_gpus": 2, "gpu_ram": 49_128, "gpu_total_ram": 49_128}
    found = described(record, **change, total_flops=164.0)
    assert found.gpu_memory_gb[0] == pytest.approx(24.0, rel=0.01)
    assert flags(found) & {"memory_contradictory", "memory_modded"} == {
        "memory_contradictory"
    }
    alone = described(record, gpu_total_ram=12_000)
    assert alone.gpu_memory_gb[0] == pytest.approx(12_000 / 1024)
    assert {"memory_contradictory", "gpu_slice"} <= flags(alone)


def test_figures_below_the_card_move_the_rate_half_of_the_way(
    record: dict[str, Any],
) -> None:
    """Half the FP32 rate: a factor of 0.7; with half the bandwidth too, one half."""
    card = GPUS["RTX 4090"]
    slow = described(record, total_flops=0.5 * card.fp32_tflops)
    assert slow.slowest_share[0] == pytest.approx(0.5**0.5)
    assert flags(slow) == {"flops_contradictory"}
    bandwidth = 0.5 * 0.84 * card.memory_bandwidth_gb_s
    both = described(record, total_flops=0.5 * card.fp32_tflops, gpu_mem_bw=bandwidth)
    assert both.slowest_share[0] == pytest.approx(0.5)
    assert flags(both) == {"flops_contradictory", "bandwidth_contradictory"}


@pytest.mark.parametrize(
    "change", [{"gpu_mem_bw": 300.0}, {"gpu_mem_bw": 2774.0}, {"total_flops": 120.0}]
)
def test_other_contradictions_open_the_interval(
    record: dict[str, Any], change: dict[str, Any]
) -> None:
    """A bandwidth alone, and a rate above the card's: as fast as named, less surely."""
    workload = load_workload("bert-base")
    plain = predict(described(record), workload, MODEL)
    odd = predict(described(record, **change), workload, MODEL)
    assert odd.limits["gpu"][0] == plain.limits["gpu"][0]
    assert odd.low[0] < plain.low[0]
    assert len(flags(described(record, **change))) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"num_gpus": 4, "total_flops": 82.0},  # of one
        {"num_gpus": 2, "total_flops": 8 * 82.0},  # of the whole machine
        {"total_flops": 0.8 * 82.58, "gpu_mem_bw": 0.75 * 1008},  # as markets measure
        {"total_flops": None, "gpu_mem_bw": None},
    ],
)
def test_what_is_counted_otherwise_says_nothing(
    record: dict[str, Any], change: dict[str, Any]
) -> None:
    """Sums over other cards, usual scatter, and nothing."""
    found = described(record, gpu_total_ram=None, **change)
    assert found.slowest_share[0] == 1.0
    assert found.gpu_log_sd[0] == 0.0


@given(
    gpu_ram=st.none() | st.floats(1.0, 1e6),
    total=st.none() | st.floats(1.0, 1e7),
    flops=st.none() | st.floats(0.01, 1e5),
    bandwidth=st.none() | st.floats(0.01, 1e5),
    number=st.integers(1, 16),
)
def test_nothing_that_an_offer_says_makes_its_cards_faster(
    plain_record: Mapping[str, Any],
    gpu_ram: float | None,
    total: float | None,
    flops: float | None,
    bandwidth: float | None,
    number: int,
) -> None:
    """The rate is above nothing and at most the named card's, the spread is finite."""
    found = described(
        plain_record,
        gpu_ram=gpu_ram,
        gpu_total_ram=total,
        total_flops=flops,
        gpu_mem_bw=bandwidth,
        num_gpus=number,
    )
    assert 0.0 < found.slowest_share[0] <= 1.0
    assert 0.0 <= found.gpu_log_sd[0] < 1.0


@pytest.mark.parametrize(
    ("change", "threads"),
    [
        ({"cpu_name": "Core™ i7-6700K ", "cpu_cores": 64}, 8),
        ({"cpu_name": "Xeon E3-1204 v5", "cpu_cores": 64}, 4),
        ({"cpu_cores": 8}, 8),
    ],
)
def test_threads_beyond_what_there_is_do_not_count(
    record: dict[str, Any], change: dict[str, Any], threads: float
) -> None:
    """Those of a desktop's CPU, of a family of one socket, of the whole machine."""
    found = described(record, cpu_cores_effective=32.0, **change)
    assert found.threads[0] == threads
    assert "threads_contradictory" in flags(found)
    assert found.cores_log_sd[0] > described(record, **change).cores_log_sd[0]


@given(
    name=st.sampled_from(
        ["Xeon E3-1204 v5", "Xeon Bronze 3104", "i7-12700", "Ryzen 5 5605X", "EPYC 9364"]
    ),
    number=st.integers(1, 8),
    whole=st.booleans(),
)
def test_no_more_threads_are_assumed_than_a_name_allows(
    name: str, number: int, whole: bool
) -> None:
    """Whatever the number of GPUs; of a part of a server two sockets are possible."""
    record = {"gpu_name": "RTX 4090", "num_gpus": number, "cpu_name": name}
    offers = parse_machine(record | {"gpu_frac": 1.0 if whole else None})
    found = describe(offers, GPUS, CPUS, MODEL.cpu)
    cpu = CPUS.identify(name)
    if cpu is not None:
        most = getattr(cpu, "most_threads", cpu.threads)
        assert found.threads[0] <= most * (1 if whole or cpu.segment != "server" else 2)
    assert bool(found.flags["cores_unknown"][0]) is not (whole and cpu is not None)
