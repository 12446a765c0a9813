"""A machine is compared with machines of its kind, and found at fault where it is."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest

from advisor.market.facts import MachineFacts
from advisor.measure.bench import BenchResult
from advisor.measure.expected import Expected, expected_lines
from advisor.measure.verdict import Verdict, judged
from advisor.throughput.tables import Tables, load_tables
from tests.measure.benches import LINES, bench

CARDS = {
    "RTX 4090": ("NVIDIA GeForce RTX 4090", 24.0),
    "H100": ("NVIDIA H100 80GB HBM3", 79.6),
    "never measured": ("NVIDIA GeForce RTX 3060", 12.0),
}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables()


def lines_at(
    share: float, expected: Iterable[Expected], only: str = ""
) -> dict[str, tuple[float, str]]:
    """Return a machine that does a share of what is expected, in some of its lines."""
    moved = {
        one.name: (one.value * (share if only in one.name else 1.0), LINES[one.name][1])
        for one in expected
    }
    return {**LINES, **moved}


def machine_of(name: str, memory_gb: float, tables: Tables) -> list[Expected]:
    """Return what is expected of a machine whose cores do what is expected of them."""
    card = {"gpus": (name,), "memory_gb": memory_gb}
    first = expected_lines(bench(LINES, **card), tables)
    usual = bench(lines_at(1.0, first.values(), "core"), **card)
    return list(expected_lines(usual, tables).values())


def faults(result: BenchResult, tables: Tables) -> dict[str, Verdict]:
    verdicts = judged(result, expected_lines(result, tables))
    return {one.name: one for one in verdicts if one.is_fault}


@pytest.mark.parametrize("card", CARDS)
def test_a_machine_that_does_what_its_kind_does_is_sound(
    card: str, tables: Tables
) -> None:
    """No line is at fault, and each says that it is as it should be."""
    name, memory_gb = CARDS[card]
    expected = machine_of(name, memory_gb, tables)
    found = bench(lines_at(1.0, expected), gpus=(name,), memory_gb=memory_gb)
    verdicts = judged(found, expected_lines(found, tables))
    assert not [one.name for one in verdicts if one.is_fault]
    assert {one.words for one in verdicts if one.share > 0} == {"as it should be"}


@pytest.mark.parametrize("card", CARDS)
def test_a_machine_at_half_speed_fails_in_each_of_its_parts(
    card: str, tables: Tables
) -> None:
    """Whatever part it is, half of what its kind does is found out."""
    name, memory_gb = CARDS[card]
    expected = machine_of(name, memory_gb, tables)
    for one in expected:
        found = bench(
            lines_at(0.499, expected, one.name), gpus=(name,), memory_gb=memory_gb
        )
        assert one.name in faults(found, tables), one


@pytest.mark.parametrize(
    ("name", "memory_gb", "tflops"),
    [
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", 95.0, 265.0),
        ("NVIDIA TITAN RTX", 24.0, 98.0),
        ("NVIDIA TITAN V", 12.0, 88.0),
        ("NVIDIA H100 NVL", 94.0, 580.0),
    ],
)
def test_a_card_that_nobody_measured_is_not_taken_for_a_faster_kind(
    name: str, memory_gb: float, tflops: float, tables: Tables
) -> None:
    """Products at full-rate tensor cores and the power that the card has are sound.

    A workstation's Max-Q was compared with laptops, a Titan with GeForce cards, whose
    clocks are above the stated ones: a good machine would have been given back.
    """
    card = {"gpus": (name,), "memory_gb": memory_gb}
    found = bench({**LINES, "gpu0.matmul.fp16": (tflops, "TFLOP/s")}, **card)
    expected = expected_lines(found, tables)["gpu0.matmul.fp16"]
    assert expected.value == pytest.approx(tflops, rel=0.1)
    assert "gpu0.matmul.fp16" not in faults(found, tables)


def test_a_chip_like_no_other_of_its_kind_is_held_to_what_it_did(tables: Tables) -> None:
    """FP16 of a P100 SXM2 is sound at 0.44 of the data sheet, and a quarter is not."""
    card = {"gpus": ("Tesla P100-SXM2-16GB",), "memory_gb": 16.0}
    nominal = tables.gpus["P100-SXM2-16GB"].fp16_tflops
    for share, is_fault in ((0.44, False), (0.11, True)):
        found = bench({"gpu0.matmul.fp16": (share * nominal, "TFLOP/s")}, **card)
        assert ("gpu0.matmul.fp16" in faults(found, tables)) == is_fault


def test_a_fault_is_told_in_words_with_what_it_is_compared_with(tables: Tables) -> None:
    """Share, card and the least of a healthy one stand in the verdict."""
    found = bench({**LINES, "gpu0.matmul.bf16": (82.0, "TFLOP/s")})
    (fault,) = faults(found, tables).values()
    assert fault.words.startswith("50% of RTX 4090, where a healthy machine has ")
    assert fault.least < 0.9 * fault.expected
    assert "zzc0721" in fault.source
    assert fault.measured == 82.0


def test_a_healthy_machine_is_rarely_found_at_fault(tables: Tables) -> None:
    """Of 4,000 machines drawn from the spreads at most 1 % have a line at fault.

    What differs between the machines of a CPU is drawn once for all lines of its cores,
    what is not known of a median once for each line.
    """
    expected = machine_of(*CARDS["RTX 4090"], tables)
    draw = np.random.default_rng(18)
    refused = 0
    for _ in range(4000):
        shared = {"core": draw.normal(), "workers": draw.normal()}
        off = {one.name: shared.get(one.group, draw.normal()) for one in expected}
        core = math.exp(
            next(one.log_sd for one in expected if one.group == "core") * off["core.zlib"]
        )
        lines = {
            one.name: (
                one.value
                * math.exp(one.log_sd * off[one.name])
                * (core if one.group == "workers" else 1.0),
                LINES[one.name][1],
            )
            for one in expected
        }
        refused += bool(faults(bench({**LINES, **lines}), tables))
    assert refused <= 0.01 * 4000 * 1.4  # three standard errors above
    assert refused > 0  # the bound is no wider than it must be


def test_a_little_less_is_no_fault_however_well_it_is_known(tables: Tables) -> None:
    """Nobody moves for a tenth."""
    expected = machine_of(*CARDS["RTX 4090"], tables)
    assert not faults(bench(lines_at(0.91, expected)), tables)


def test_a_card_that_nobody_measured_is_held_to_its_kind_and_more_widely(
    tables: Tables,
) -> None:
    """Its data sheet times what its architecture reaches, with a wider spread."""
    measured, sheet = (
        {one.name: one for one in machine_of(*CARDS[card], tables)}
        for card in ("RTX 4090", "never measured")
    )
    name = "gpu0.matmul.bf16"
    gpu = tables.gpus["RTX 3060"]
    assert sheet[name].value == pytest.approx(1.086 * gpu.bf16_tflops, rel=0.01)
    assert sheet[name].log_sd > measured[name].log_sd
    assert sheet["gpu0.bandwidth"].log_sd > measured["gpu0.bandwidth"].log_sd


def test_what_nobody_knows_is_not_judged(tables: Tables) -> None:
    """A card in no table, a part of one and a line without figures have no verdict."""
    for gpu in ("Matrox G400", "NVIDIA A100-SXM4-40GB MIG 1g.5gb"):
        found = bench({**LINES, "gpu0.matmul.bf16": (0.1, "TFLOP/s")}, gpus=(gpu,))
        assert not any(name.startswith("gpu0.matmul") for name in faults(found, tables))
    verdicts = judged(bench(LINES), expected_lines(bench(LINES), tables))
    clock = next(one for one in verdicts if one.name == "gpu0.clock.sm")
    assert math.isnan(clock.expected)
    assert clock.measured == 2520.0
    assert not clock.words


def test_a_line_that_tells_of_the_python_is_not_judged(tables: Tables) -> None:
    """An old build of it halves that line on a healthy core, whose zlib is as ever."""
    slow = bench({**LINES, "tokenize.core": (1e5, "tokens/s")})
    assert not faults(slow, tables)
    expected = expected_lines(slow, tables)
    assert "core.zlib" in expected
    assert "tokenize.core" not in expected


def test_a_card_of_another_maker_is_not_held_to_shares_of_this_one(
    tables: Tables,
) -> None:
    """What NVIDIA's boards reach of their data sheets says nothing of AMD's."""
    expected = machine_of("AMD Radeon RX 7900 XTX", 24.0, tables)
    assert not any("matmul" in one.name or "bandwidth" in one.name for one in expected)


def test_a_power_limit_that_an_offer_states_is_no_fault(tables: Tables) -> None:
    """At 250 of 450 W a card is slower; it is a fault where nobody said so."""
    capped = bench({**LINES, "gpu0.matmul.bf16": (131.0, "TFLOP/s")})
    offered = MachineFacts.of(gpu_name="RTX 4090", num_gpus=1, gpu_max_power_w=250.0)
    assert "gpu0.matmul.bf16" in faults(capped, tables)
    verdicts = judged(capped, expected_lines(capped, tables, offered))
    assert "gpu0.matmul.bf16" not in {one.name for one in verdicts if one.is_fault}


def test_arithmetic_that_a_card_lacks_is_not_judged(tables: Tables) -> None:
    """BF16 on Turing is emulated: no figure for it is expected."""
    expected = machine_of("Tesla T4", 15.8, tables)
    assert "gpu0.matmul.bf16" not in {one.name for one in expected}
    assert "gpu0.matmul.fp16" in {one.name for one in expected}


def test_copies_are_held_to_the_link_that_card_and_host_have(tables: Tables) -> None:
    """A 4090 in a PCIe 3 slot is no faulty card; without its link nothing is expected."""
    old = {**LINES, "gpu0.pcie.gen.max": (3.0, ""), "gpu0.h2d.pinned": (12.1, "GB/s")}
    assert "gpu0.h2d.pinned" not in faults(bench(old), tables)
    new = {**LINES, "gpu0.h2d.pinned": (12.1, "GB/s")}
    assert "gpu0.h2d.pinned" in faults(bench(new), tables)
    untold = {name: line for name, line in new.items() if "pcie" not in name}
    assert "gpu0.h2d.pinned" not in expected_lines(bench(untold), tables)


def test_threads_that_share_cores_are_not_expected_to_be_cores(tables: Tables) -> None:
    """All threads of a server do about half of what as many cores did."""
    expected = expected_lines(bench(LINES), tables)
    one, all_ = expected["decode.pillow.w1"], expected["decode.pillow.w32"]
    assert 16.0 < all_.value / one.value < 25.0
    desktop = bench(LINES, cpu="AMD Ryzen 5 3500X 6-Core Processor")
    if (cpu := tables.cpus.identify(desktop.machine.cpu_name)) and cpu.threads == 6:
        own = expected_lines(desktop, tables)["decode.pillow.core"]
        assert own.host_log_sd < one.host_log_sd


def test_the_users_own_machines_tell_what_is_usual(tables: Tables) -> None:
    """Each of the same kind moves the median and narrows what is not known of it."""
    slow = bench({**LINES, "decode.pillow.core": (300.0, "images/s")})
    before = expected_lines(slow, tables)["decode.pillow.core"]
    after = expected_lines(slow, tables, known=[slow] * 5)["decode.pillow.core"]
    assert abs(math.log(after.value / 300.0)) < abs(math.log(before.value / 300.0))
    assert after.level_log_sd < before.level_log_sd
    assert after.host_log_sd == before.host_log_sd
    elsewhere = {name: line for name, line in LINES.items() if "pcie" not in name}
    other = bench(elsewhere, cpu="Intel Xeon E5-2680 v4", gpus=("NVIDIA L4",))
    assert expected_lines(slow, tables, known=[other]) == expected_lines(slow, tables)


def test_a_sick_machine_does_not_tell_what_is_usual(tables: Tables) -> None:
    """A card at half speed moves nothing, however often it was measured."""
    sick = bench({**LINES, "gpu0.matmul.bf16": (82.0, "TFLOP/s")})
    found = bench(LINES)
    name = "gpu0.matmul.bf16"
    before = expected_lines(found, tables)[name]
    assert expected_lines(found, tables, known=[sick] * 9)[name] == before


def test_launches_follow_the_cpu_and_copies_the_link(tables: Tables) -> None:
    """The same card on another CPU or link says nothing of either."""
    lines = {**LINES, "gpu0.launch": (150_000.0, "kernels/s")}
    found = bench(lines)
    other = bench(
        {**lines, "gpu0.pcie.gen.max": (3.0, "generation")}, cpu="Intel Xeon E5-2680 v4"
    )
    before, by_other, by_own = (
        expected_lines(found, tables, known=known) for known in ([], [other], [found])
    )
    for name in ("gpu0.launch", "gpu0.h2d.pinned"):
        assert by_other[name] == before[name]
        assert by_own[name] != before[name]


def test_a_quota_is_no_whole_number_of_cores(tables: Tables) -> None:
    """Eight workers on 7.5 cores are held to 7.5 of them."""
    lines = {**LINES, "decode.pillow.w8": (1.0, "images/s")}
    quota, whole = (
        expected_lines(bench({**lines, "cores.granted": (cores, "cores")}), tables)
        for cores in (7.5, 8.0)
    )
    ratio = quota["decode.pillow.w8"].value / whole["decode.pillow.w8"].value
    assert ratio == pytest.approx((7.5 / 8.0) ** 0.97, rel=0.01)
    assert "decode.pillow.w32" not in quota


def test_workers_whom_one_process_holds_up_tell_nothing_of_cores(tables: Tables) -> None:
    """Where all cores do more than it takes, the rate is its own, and no fault.

    Of fewer workers the rate is that of the cores, and half of it is a fault.
    """
    by_cores = expected_lines(bench(LINES), tables)["decode.pillow.w32"].value
    lines = {
        **LINES,
        "decode.pillow.w4": (600.0, "images/s"),
        "decode.pillow.w32": (0.36 * by_cores, "images/s"),
        "decode.pillow.ceiling": (0.36 * by_cores, "images/s"),
    }
    held_up = bench(lines)
    assert "decode.pillow.w32" not in expected_lines(held_up, tables)
    assert "decode.pillow.w32" not in faults(held_up, tables)
    assert "decode.pillow.w4" in faults(held_up, tables)
    free = {**lines, "decode.pillow.ceiling": (1.1 * by_cores, "images/s")}
    assert "decode.pillow.w32" in faults(bench(free), tables)


def test_cards_of_one_machine_are_one_draw(tables: Tables) -> None:
    """Eight cards of a machine weigh as one machine that has their median."""
    many = {f"gpu{at}.matmul.fp16": (150.0 + at, "TFLOP/s") for at in range(7)}
    eight = bench(many, gpus=("NVIDIA GeForce RTX 4090",) * 7)
    single = bench({"gpu0.matmul.fp16": (153.0, "TFLOP/s")})
    found = bench(LINES)
    by_eight, by_one = (
        expected_lines(found, tables, known=[known])["gpu0.matmul.fp16"]
        for known in (eight, single)
    )
    assert by_eight.value == pytest.approx(by_one.value)
    assert by_eight.level_log_sd == pytest.approx(by_one.level_log_sd)
