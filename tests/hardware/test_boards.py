"""What a card sustains that nobody measured: by its tensor cores and its power."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from advisor.base.columns import read_csv
from advisor.hardware.boards import FULL, HALF, LAPTOP, NONE, board, with_matmul_shares
from advisor.hardware.gpus import MATMUL, Gpu, load_gpus

GPUS = load_gpus()
NVIDIA = [gpu for gpu in GPUS.rows if gpu.vendor == "NVIDIA"]
MEASURED = {
    gpu: float(tflops) for gpu, tflops in read_csv(MATMUL, ("gpu", "fp16_matmul_tflops"))
}


def share_of(gpu: Gpu) -> float:
    """Return what a card that no table has is taken to sustain."""
    *_, last = with_matmul_shares([*GPUS.rows, replace(gpu, die="new")], MEASURED)
    return last.matmul_share


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("RTX 4090", HALF),
        ("RTX 2080 Ti", HALF),
        ("L40", HALF),
        ("A10G", HALF),
        ("Titan RTX", FULL),
        ("Titan V", FULL),
        ("RTX 6000 Ada", FULL),
        ("H100-NVL-94GB", FULL),
        ("RTX PRO 6000 Blackwell Max-Q", FULL),
        ("RTX 5090 Laptop", LAPTOP),
        ("RTX 2080 Max-Q", LAPTOP),
        ("RTX A3000 Laptop", f"{LAPTOP}, {FULL}"),
        ("GTX 1080 Ti", NONE),
        ("GTX 1660 Ti", NONE),
        ("P100-PCIe-16GB", NONE),
    ],
)
def test_a_board_is_told_by_its_tensor_cores(name: str, kind: str) -> None:
    """Neither a name nor a link says at which rate tensor cores accumulate in FP32.

    A Titan is no GeForce, an L40 is like one, and a workstation's Max-Q is no laptop.
    """
    assert board(GPUS[name]) == kind


def test_a_measured_card_has_its_own_share() -> None:
    """Whatever its kind does."""
    for name, tflops in MEASURED.items():
        assert GPUS[name].matmul_share == pytest.approx(tflops / GPUS[name].fp16_tflops)


@pytest.mark.parametrize("gpu", NVIDIA, ids=lambda gpu: gpu.name)
def test_every_card_has_a_share_that_its_chip_can_reach(gpu: Gpu) -> None:
    """No card that nobody measured is taken for faster than its chip.

    At full rate and its stated clock, no card sustains all of its matrix rate; at half
    rate the clock may be above the stated one by a fifth, and a laptop's by more.
    """
    assert gpu.matmul_share > 0.3
    if gpu.name not in MEASURED:
        most = {FULL: 1.0, HALF: 1.2, NONE: 1.0}
        twin_of_a_small_one = gpu.name == "RTX A2000"
        most_here = 1.2 if twin_of_a_small_one else most.get(board(gpu), 1.7)
        assert gpu.matmul_share < most_here


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("A100-PCIe-80GB", "A100-PCIe-40GB"),
        ("V100-SXM2-32GB", "V100-SXM2-16GB"),
        ("P100-PCIe-12GB", "P100-PCIe-16GB"),
        ("GH200-96GB", "H200-SXM-141GB"),
        ("RTX 5060 Ti 16GB", "RTX 5060 Ti"),
    ],
)
def test_the_same_chip_with_another_memory_is_as_fast(name: str, twin: str) -> None:
    """A card that was measured tells of it, before any other of its kind."""
    assert name not in MEASURED
    assert GPUS[name].matmul_share == GPUS[twin].matmul_share


def test_at_full_rate_power_decides() -> None:
    """A card with half of the power for as many multiprocessors sustains less."""
    full = replace(GPUS["RTX 6000 Ada"], name="new")
    assert share_of(replace(full, tdp_w=150.0)) < 0.95 * share_of(full)


def test_at_half_rate_power_is_left() -> None:
    """A GeForce card nobody measured does what others of its architecture do."""
    half = replace(GPUS["RTX 4080"], name="new")
    assert share_of(replace(half, tdp_w=250.0)) == share_of(half)


def test_a_card_that_is_held_out_is_found_by_the_rest() -> None:
    """Cards at full rate to within 16 % (root mean square), at half rate 6 %.

    By how a board is linked, which says nothing of its tensor cores, it was 21 and 7 %.
    """
    for kind, bound in ((FULL, 0.16), (HALF, 0.06)):
        off = []
        for name, tflops in MEASURED.items():
            gpu = GPUS[name]
            if board(gpu) == kind:
                others = {card: rate for card, rate in MEASURED.items() if card != name}
                alone = [replace(one, die=one.name) for one in GPUS.rows]  # no twins
                found = {one.name: one for one in with_matmul_shares(alone, others)}
                share = tflops / gpu.fp16_tflops
                off.append(math.log(found[name].matmul_share / share))
        assert math.sqrt(sum(one**2 for one in off) / len(off)) < bound


def test_other_makers_have_no_share() -> None:
    """Nobody measured them as these were."""
    others = [gpu for gpu in GPUS.rows if gpu.vendor != "NVIDIA"]
    assert others
    assert all(math.isnan(gpu.matmul_share) for gpu in others)
