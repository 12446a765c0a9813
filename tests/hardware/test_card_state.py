"""What power limits and measured figures say of the state of a card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.resources import models_folder
from advisor.hardware.card_state import (
    AS_USUAL,
    EXPONENT,
    OTHER_BANDWIDTH,
    OTHER_FP32,
    USUAL_BANDWIDTH,
    USUAL_FP32,
)
from advisor.hardware.contradictions import BANDWIDTH_BOUNDS, FP32_BOUNDS
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.hardware.machines import Machines, describe
from advisor.hardware.power import LEAST_SHARE, power_factor
from advisor.market.offers import parse_offers
from advisor.throughput.artifact import load_model

GPUS, CPUS, MODEL = load_gpus(), load_cpus(), load_model(models_folder())
CARD = GPUS["RTX 4090"]

PUBLISHED = {
    "resnet50, RTX 3090": (0.80, 0.95),
    "vit fp32, RTX 3090": (0.80, 0.87),
    "vit tf32, RTX 3090": (0.657, 0.825),
    "resnet50, A100 40 GB": (0.625, 0.854),
    "ssd, A100 40 GB": (0.625, 0.826),
    "resnet50, A100 80 GB": (0.60, 0.876),
    "resnet50, H100 PCIe": (0.886, 0.935),
    "sdxl, V100": (0.70, 0.881),
    "drafted decoding, RTX 5090": (0.667, 0.819),
}
"""Points of the docstring of `advisor.hardware.power`, where each source is named."""

watts = st.floats(1.0, 2000.0)


def described(record: Mapping[str, Any], **change: object) -> Machines:
    offers, excluded = parse_offers([dict(record) | change])
    assert not excluded
    return describe(offers, GPUS, CPUS, MODEL.cpu)


def flags(machines: Machines) -> set[str]:
    return {name for name, holds in machines.flags.items() if holds[0]}


@pytest.mark.parametrize("point", PUBLISHED)
def test_published_points(point: str) -> None:
    """What was published of capped cards comes out within 7 %."""
    share, rate = PUBLISHED[point]
    found = power_factor(np.array([share]), np.array([1.0]))
    assert float(found[0]) == pytest.approx(rate, rel=0.07)


@given(st.lists(watts, min_size=2), watts)
def test_more_power_is_never_slower(limits: list[float], card: float) -> None:
    """The factor rises with the limit, is 1 at the card's own, and never nothing."""
    rising = np.sort(np.array([*limits, card]))
    found = power_factor(rising, np.full(len(rising), card))
    assert np.all(np.diff(found) >= 0.0)
    assert np.all(found[rising >= card] == 1.0)
    least = power_factor(np.array([LEAST_SHARE]), np.array([1.0]))[0]
    assert np.all(found >= least)


@pytest.mark.parametrize("limit", [np.nan, 0.0, -5.0])
def test_an_unknown_limit_says_nothing(limit: float) -> None:
    """Nor does one that no card can have, or a card of which no limit is known."""
    assert power_factor(np.array([limit]), np.array([450.0])) == 1.0
    assert power_factor(np.array([300.0]), np.array([np.nan])) == 1.0


def test_a_capped_card_is_slower(record: dict[str, Any]) -> None:
    """300 of 450 W: by the law, with a spread and a flag; 440 W: a little, unflagged."""
    capped = described(record, gpu_max_power=300.0)
    assert capped.gpu_state[0] == pytest.approx(((300 / 450 - 0.1) / 0.9) ** (1 / 3))
    assert capped.gpu_state_log_sd[0] > 0.0
    assert flags(capped) == {"gpu_power_capped"}
    little = described(record, gpu_max_power=440.0)
    assert 0.99 < little.gpu_state[0] < 1.0
    assert flags(little) == set()
    assert described(record, gpu_max_power=500.0).gpu_state[0] == 1.0


@given(st.lists(st.floats(*BANDWIDTH_BOUNDS), min_size=2))
def test_more_measured_bandwidth_is_never_slower(
    plain_record: Mapping[str, Any], ratios: list[float]
) -> None:
    """Within what can be right the rate rises with it, and is at most the usual one."""
    nominal = CARD.memory_bandwidth_gb_s
    factors = [
        float(described(plain_record, gpu_mem_bw=ratio * nominal).gpu_state[0])
        for ratio in sorted(ratios)
    ]
    assert factors == sorted(factors)
    assert 0.8 < factors[0] <= factors[-1] <= 1.0


@given(st.lists(st.floats(*FP32_BOUNDS), min_size=2))
def test_more_stated_flops_are_never_slower(
    plain_record: Mapping[str, Any], ratios: list[float]
) -> None:
    """The same of the FP32 rate."""
    factors = [
        float(described(plain_record, total_flops=ratio * CARD.fp32_tflops).gpu_state[0])
        for ratio in sorted(ratios)
    ]
    assert factors == sorted(factors)
    assert factors[-1] <= 1.0


def test_a_memory_slower_than_usual(record: dict[str, Any]) -> None:
    """Four fifths of what RTX 4090s measure: half of what is beyond the usual scatter."""
    usual = USUAL_BANDWIDTH["RTX 4090"] * CARD.memory_bandwidth_gb_s
    slow = described(record, gpu_mem_bw=0.8 * usual)
    assert slow.gpu_state[0] == pytest.approx((0.8 / AS_USUAL) ** EXPONENT)
    assert slow.gpu_state_log_sd[0] == pytest.approx(-np.log(slow.gpu_state[0]))
    assert flags(slow) == {"gpu_measured_slow"}
    assert described(record, gpu_mem_bw=0.96 * usual).gpu_state[0] == 1.0


@pytest.mark.parametrize(
    "change",
    [
        {"gpu_mem_bw": 1.0},
        {"gpu_mem_bw": 3.078 * 1008},  # as one offer has it
        {"total_flops": 0.01},
        {"total_flops": 82.0, "num_gpus": 4},  # of one card
        {"gpu_mem_bw": None, "total_flops": None, "gpu_max_power": None},
        {"gpu_name": "No Such GPU", "gpu_max_power": 100.0},
    ],
)
def test_what_is_absurd_says_nothing_here(
    record: dict[str, Any], change: dict[str, Any]
) -> None:
    """Figures of another card, of another number of cards, and of an unknown card."""
    found = described(record, **change)
    assert found.gpu_state[0] == 1.0
    assert found.gpu_state_log_sd[0] == 0.0
    assert "gpu_measured_slow" not in flags(found)


def test_one_cause_counts_once(record: dict[str, Any]) -> None:
    """A cap that the measured figures show too slows by the worst sign, not by all."""
    usual = USUAL_BANDWIDTH["RTX 4090"] * CARD.memory_bandwidth_gb_s
    capped = described(record, gpu_max_power=225.0)
    both = described(record, gpu_max_power=225.0, gpu_mem_bw=0.9 * usual)
    assert both.gpu_state[0] == capped.gpu_state[0]
    assert flags(both) == {"gpu_power_capped", "gpu_measured_slow"}


def test_usual_figures_are_of_known_cards_and_of_what_can_be() -> None:
    """Each name is a card's of the table; no other card is judged more strictly."""
    for usual, other, bounds in (
        (USUAL_BANDWIDTH, OTHER_BANDWIDTH, BANDWIDTH_BOUNDS),
        (USUAL_FP32, OTHER_FP32, FP32_BOUNDS),
    ):
        assert all(GPUS[name].name == name for name in usual)
        assert other == pytest.approx(min(usual.values()), abs=0.002)
        assert all(bounds[0] < value * AS_USUAL for value in usual.values())
