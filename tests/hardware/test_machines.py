"""Offers as physics: lookups, guesses, flags, and the law that more is never less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.hardware.core_speed import CpuConstants
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.hardware.machines import Machines, describe
from advisor.market.offers import parse_offers

GPUS = load_gpus()
CPUS = load_cpus()

CONSTANTS = CpuConstants(
    score_exponent=0.9,
    score_weight=0.5,
    measured_log_sd=0.05,
    passmark_log_sd=0.12,
    geekbench6_log_sd=0.15,
    microarchitecture_log_sd=0.18,
    clock_score=2180.0,
    clock_exponent=0.3,
    clock_log_sd=0.27,
    pcie3_score=2100.0,
    pcie4_score=2500.0,
    pcie5_score=3000.0,
    desktop_factor=1.25,
    pcie_log_sd=0.28,
    nothing_log_sd=0.30,
    core_per_thread=0.55,
    core_per_thread_log_sd=0.17,
    whole_core_log_sd=0.05,
)

OFFER: dict[str, Any] = {
    "gpu_name": "RTX 4090",
    "num_gpus": 1,
    "gpu_ram": 24564,
    "gpu_mem_bw": 900.0,
    "gpu_max_power": 450.0,
    "total_flops": 82.0,
    "compute_cap": 890,
    "bw_nvlink": 0.0,
    "pcie_bw": 24.0,
    "pci_gen": 4.0,
    "gpu_lanes": 16,
    "cpu_name": "AMD EPYC 7702 64-Core Processor",
    "cpu_cores": 128,
    "cpu_cores_effective": 16.0,
    "cpu_ghz": 2.0,
    "cpu_ram": 64000,
    "disk_bw": 2000.0,
    "dph_total": 0.3,
}


def machines(*changes: dict[str, Any]) -> Machines:
    """Describe the plain offer once for each set of changes."""
    records = [OFFER | {"id": i} | change for i, change in enumerate(changes)]
    offers, excluded = parse_offers(records)
    assert not excluded
    return describe(offers, GPUS, CPUS, CONSTANTS)


def flags(*changes: dict[str, Any]) -> list[set[str]]:
    """Return the names of the flags that hold, offer by offer."""
    found = machines(*changes).flags
    return [{k for k, held in found.items() if held[i]} for i in range(len(changes))]


def test_a_known_machine_is_what_the_tables_say() -> None:
    """A 4090 with 16 threads of an EPYC 7702, worked by hand; no flag."""
    one = machines({})
    assert one.gpu == (GPUS["RTX 4090"],)
    assert one.fp32_tflops[0] == pytest.approx(82.58)
    assert one.fp16_tflops[0] == pytest.approx(165.15, rel=1e-3)
    assert one.memory_bandwidth_gb_s[0] == pytest.approx(1010)  # nominal, not measured
    assert one.gpu_memory_gb[0] == pytest.approx(24564 / 1024)
    assert one.interconnect[0] == "pcie"
    assert one.host_to_gpu_gb_s[0] == 24.0
    assert one.core_speed[0] == pytest.approx((2097 / 2100) ** 0.9)
    assert one.core_speed_log_sd[0] == 0.12
    assert one.cores[0] == pytest.approx(16 * 0.55)
    assert one.cores_log_sd[0] == pytest.approx(0.17)
    assert one.ram_gb[0] == pytest.approx(64000 * 2**20 / 1e9)  # MiB
    assert one.disk_mb_s[0] == 2000.0
    assert flags({}) == [set()]


def test_every_offer_keeps_its_place() -> None:
    """Offers of several GPUs and CPUs come out in the order they went in."""
    three = machines(
        {"gpu_name": "RTX 3090"}, {"gpu_name": "?"}, {"gpu_name": "RTX 4090"}
    )
    names = [gpu.name if gpu else None for gpu in three.gpu]
    assert names == ["RTX 3090", None, "RTX 4090"]
    assert np.argsort(three.fp32_tflops).tolist() == [0, 1, 2]


def test_no_offers_are_no_machines() -> None:
    """An empty market is described without complaint."""
    nothing = machines()
    assert nothing.gpu == ()
    assert nothing.core_speed.shape == (0,)


@pytest.mark.parametrize(
    ("name", "memory", "precision", "same_as"),
    [
        ("Tesla V100", 16384, "bf16_tflops", "fp32_tflops"),
        ("Tesla V100", 16384, "tf32_tflops", "fp32_tflops"),
        ("GTX 1080 Ti", 11264, "fp16_tflops", "fp32_tflops"),
        ("RTX 4090", 24564, "bf16_tflops", "fp16_tflops"),
    ],
)
def test_a_missing_precision_runs_in_single(
    name: str, memory: float, precision: str, same_as: str
) -> None:
    """What a card has no units for runs at its FP32 rate, as in PyTorch."""
    one = machines({"gpu_name": name, "gpu_ram": memory})
    assert getattr(one, precision)[0] == getattr(one, same_as)[0]


def test_a_new_gpu_is_guessed_from_the_markets_figures() -> None:
    """Rates per GPU, bandwidth and power are the market's; the flag says so."""
    new = {"gpu_name": "RTX 9999", "num_gpus": 2, "total_flops": 240.0}
    one = machines(new | {"compute_cap": 1300})
    assert one.gpu == (None,)
    assert one.fp32_tflops[0] == 120.0
    assert one.fp16_tflops[0] == pytest.approx(240.0, rel=0.01)  # as a GeForce
    assert one.bf16_tflops[0] == one.fp16_tflops[0]
    assert one.memory_bandwidth_gb_s[0] == 900.0
    assert one.tdp_w[0] == 450.0
    assert "gpu_unknown" in flags(new)[0]
    old = machines(new | {"compute_cap": None})
    assert old.fp16_tflops[0] == old.bf16_tflops[0] == 120.0


@pytest.mark.parametrize("missing", ["total_flops", "gpu_mem_bw"])
def test_a_new_gpu_without_figures_has_no_rate(missing: str) -> None:
    """Neither a row nor both figures: every rate is unknown, none invented."""
    one = machines({"gpu_name": "RTX 9999", missing: None})
    for name in ("fp32_tflops", "fp16_tflops", "memory_bandwidth_gb_s"):
        assert np.isnan(getattr(one, name)[0])


@pytest.mark.parametrize(
    ("stated", "usable", "modded"),
    [
        (24564, 24564 / 1024, False),
        (25600, 24.0, False),
        (49140, 49140 / 1024, True),
        (8192, 8.0, True),
        (None, 24.0, False),
    ],
)
def test_memory_is_the_markets_where_it_was_changed(
    stated: float | None, usable: float, modded: bool
) -> None:
    """A modified card has the memory that the market states, and a flag."""
    one = machines({"gpu_ram": stated})
    assert one.gpu_memory_gb[0] == pytest.approx(usable)
    assert one.flags["memory_modded"][0] == modded


@pytest.mark.parametrize(
    ("name", "bandwidth", "expected"),
    [
        ("RTX 3090", 0.0, "pcie"),
        ("RTX 3090", 50.0, "nvlink"),
        ("RTX 3090", None, "pcie"),
        ("RTX A6000", 0.0, "pcie-p2p"),
        ("RTX A6000", 56.0, "nvlink"),
        ("H100 SXM", 450.0, "sxm"),
        ("H100 SXM", None, "sxm"),
        ("H100 SXM", 0.0, "pcie-p2p"),
        ("H100 NVL", None, "nvlink"),
        ("RTX 9999", None, "pcie"),
    ],
)
def test_the_markets_nvlink_goes_before_the_tables(
    name: str, bandwidth: float | None, expected: str
) -> None:
    """A bridge is there when it was measured, and no NVLink when it was not."""
    change = {"gpu_name": name, "gpu_ram": None, "bw_nvlink": bandwidth}
    assert machines(change).interconnect[0] == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"pcie_bw": 24.0}, 24.0),
        ({"pcie_bw": 900.0}, 60.0),
        ({"pcie_bw": 0.01}, 0.2),
        ({"pcie_bw": None}, 0.8 * 1.969 * 16),
        ({"pcie_bw": None, "pci_gen": 3.0, "gpu_lanes": 8}, 0.8 * 0.985 * 8),
        ({"pcie_bw": None, "pci_gen": None, "gpu_lanes": None}, 0.8 * 1.969 * 16),
        (
            {"gpu_name": "?", "pcie_bw": None, "pci_gen": None, "gpu_lanes": None},
            0.8 * 0.985 * 16,
        ),
    ],
)
def test_host_to_gpu_is_measured_or_nominal(
    change: dict[str, Any], expected: float
) -> None:
    """Measured within bounds; else generation x lanes; else the card's own."""
    assert machines(change).host_to_gpu_gb_s[0] == pytest.approx(expected)


def test_less_known_of_the_cpu_is_a_wider_spread() -> None:
    """The ladder: PassMark, Geekbench, microarchitecture, clock, PCIe, nothing."""
    steps = (
        {"cpu_name": "AMD EPYC 7702"},
        {"cpu_name": "AMD EPYC 9654"},
        {"cpu_name": "AMD EPYC 7V13"},
        {"cpu_name": None},
        {"cpu_name": None, "cpu_ghz": None},
        {"cpu_name": None, "cpu_ghz": None, "pci_gen": None},
    )
    spread = machines(*steps).core_speed_log_sd
    assert np.all(np.diff(spread) > 0)
    assert machines(steps[-1]).core_speed[0] == 1.0


def test_a_measured_speed_goes_before_everything() -> None:
    """What the user measured replaces the ladder, where there is a measurement."""
    offers, _ = parse_offers([OFFER | {"id": i} for i in range(2)])
    own = np.array([1.7, np.nan])
    two = describe(offers, GPUS, CPUS, CONSTANTS, own)
    ladder = describe(offers, GPUS, CPUS, CONSTANTS)
    assert two.core_speed == pytest.approx([1.7, ladder.core_speed[1]])
    assert two.core_speed_log_sd.tolist() == [0.05, 0.12]


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("AMD EPYC 7702", (2097 * 2097) ** 0.5),  # PassMark and Zen 2 at 3.4 GHz
        ("AMD Ryzen 7 5800H", (3075 * 3201) ** 0.5),
        ("AMD EPYC 9B14", 2979.0),  # Zen 4 at 3.7 GHz is all there is
    ],
)
def test_a_name_is_worth_its_score_and_its_class(name: str, score: float) -> None:
    """Geometric mean of one's own score and the class at the boost clock."""
    speed = machines({"cpu_name": name}).core_speed[0]
    assert speed == pytest.approx((score / 2100) ** 0.9, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "generation", "score"),
    [
        (None, 1, 2100),
        (None, 3, 2100),
        (None, 4, 2500),
        (None, 5, 3000),
        (None, 6, 3000),
        ("Xeon(R)", 4, 2500),
        ("Core Processor (Skylake)", 4, 2500),  # a virtual machine's
        ("AMD Ryzen Threadripper", 4, 2500),
        ("AMD Ryzen", 4, 1.25 * 2500),
        ("Core™ i9", 4, 1.25 * 2500),
    ],
)
def test_without_name_and_clock_the_link_tells(
    name: str | None, generation: int, score: float
) -> None:
    """PCIe generation and a desktop's brand; a host is at least of its link's."""
    change = {"cpu_name": name, "cpu_ghz": None, "pci_gen": generation}
    one = machines(change)
    assert one.core_speed[0] == pytest.approx((score / 2100) ** 0.9)
    assert one.core_speed_log_sd[0] == 0.28
    assert one.flags["cpu_unknown"][0]


def test_a_brand_alone_is_worth_its_clock() -> None:
    """A brand-only name with a clock is what the clock is without a name."""
    two = machines({"cpu_name": "Xeon(R)"}, {"cpu_name": None})
    assert two.core_speed[0] == pytest.approx(two.core_speed[1])
    assert two.core_speed_log_sd.tolist() == [0.27, 0.27]


def test_the_clock_does_not_change_a_named_cpu() -> None:
    """With a name the market's clock says nothing more."""
    two = machines({"cpu_ghz": 1.5}, {"cpu_ghz": 5.0})
    assert two.core_speed[0] == pytest.approx(two.core_speed[1])


def test_threads_of_their_own_core_count_whole() -> None:
    """Where a CPU has as many threads as cores, a thread is a core."""
    name = "Core™ Ultra 9 285K"
    one = machines({"cpu_name": name, "cpu_cores_effective": 24.0})
    assert one.cores[0] == 24.0
    assert one.cores_log_sd[0] < machines({}).cores_log_sd[0]


def test_a_listed_cpu_without_cores_is_held_to_its_family() -> None:
    """As many threads as its family may have are believed; its speed is its own."""
    name = "AMD Ryzen Threadripper PRO 7945WX"
    change = {"cpu_name": name, "cpu_cores": 192, "cpu_cores_effective": 192.0}
    assert machines(change).threads[0] == 192.0
    assert flags(change) == [set()]
    stated = change | {"cpu_name": f"{name} 12-Cores"}
    assert machines(stated).threads[0] == 24.0
    assert flags(stated) == [{"threads_contradictory"}]


def test_unknown_cores_are_the_usual_ones_with_a_wide_spread() -> None:
    """No CPU at all: 16 threads per GPU, within a factor of about three."""
    nothing = {"cpu_name": None, "cpu_cores": None, "cpu_ghz": None}
    change = nothing | {"cpu_cores_effective": 0.0, "num_gpus": 2}
    one = machines(change)
    assert one.cores[0] == pytest.approx(2 * 16 * 0.55)
    assert one.cores_log_sd[0] == pytest.approx(np.hypot(0.17, 0.71))
    assert flags(change) == [{"cpu_unknown", "cores_unknown"}]


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"cpu_ghz": 7.2}, "clock_capped"),
        ({"gpu_max_power": 300.0}, "gpu_power_capped"),
        ({"gpu_ram": 49140}, "memory_modded"),
        ({"cpu_name": "EPYC-Rome Processor"}, "cpu_unknown"),
    ],
)
def test_each_flag_says_one_thing(change: dict[str, Any], flag: str) -> None:
    """A changed figure raises its own flag and no other."""
    assert flags(change) == [{flag}]


CHANGING = {
    "cpu_cores_effective": (0.1, 512.0, "cores"),
    "cpu_ghz": (0.2, 99.0, "core_speed"),
    "pcie_bw": (0.01, 500.0, "host_to_gpu_gb_s"),
    "disk_bw": (1.0, 1e5, "disk_mb_s"),
}


@pytest.mark.parametrize("field", CHANGING)
@pytest.mark.parametrize("name", [None, "EPYC-Rome Processor", "AMD EPYC 7702", "285K"])
@settings(max_examples=30)
@given(data=st.data())
def test_more_is_never_less(field: str, name: str | None, data: st.DataObject) -> None:
    """Threads, clock, PCIe or disk: more of one lowers nothing of the machine.

    Powers and logarithms are exact to a few last bits, the law to a thousand.
    """
    low, high, output = CHANGING[field]
    values = sorted(data.draw(st.lists(st.floats(low, high), min_size=2, max_size=6)))
    ladder = machines(*({"cpu_name": name, field: value} for value in values))
    rising = getattr(ladder, output)
    assert np.all(rising[:-1] <= rising[1:] * (1 + 1e-12))
    for other in {column for _, _, column in CHANGING.values()} - {output}:
        assert getattr(ladder, other) == pytest.approx(getattr(ladder, other)[0])


def test_a_clock_above_the_cap_counts_as_the_cap() -> None:
    """Nothing on sale is faster than 6.2 GHz."""
    clocks = (9.0, 6.2, 6.1)
    speed = machines(*({"cpu_name": None, "cpu_ghz": c} for c in clocks)).core_speed
    assert speed[0] == pytest.approx(speed[1])
    assert speed[1] > speed[2]


@pytest.mark.parametrize(
    ("name", "least_gpus", "least_cpus"),
    [
        ("vast-2026-06-a100.json", 1.0, 0.85),
        ("vast-2026-08-17.json", 1.0, 0.0),
        ("vast-2026-08-17-without-key.json", 1.0, 0.0),
        ("vast-2026-09-16-rtx4090.json", 1.0, 1.0),
        ("vast-all-fields.json", 1.0, 1.0),
        ("vast-misc.json", 1.0, 1.0),
    ],
)
def test_real_offers_are_resolved(
    real_data: Path, name: str, least_gpus: float, least_cpus: float
) -> None:
    """Of each published file: the share of offers whose GPU and CPU are known.

    The CPU's share is of the offers that name one.
    """
    text = (real_data / "offers" / name).read_text(encoding="utf-8")
    offers, _ = parse_offers(json.loads(text)["offers"])
    found = describe(offers, GPUS, CPUS, CONSTANTS)
    assert len(found.gpu) == len(offers) > 0
    assert 1 - found.flags["gpu_unknown"].mean() >= least_gpus
    named = offers.cpu_name != ""
    known = ~found.flags["cpu_unknown"]
    assert known[named].sum() >= least_cpus * named.sum()
    assert np.all(np.isfinite(found.fp16_tflops) & (found.cores > 0))
    assert np.all(np.isfinite(found.core_speed) & (found.host_to_gpu_gb_s > 0))
