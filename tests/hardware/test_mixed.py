"""Cards that are not alike: what gives them away, and what does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.resources import models_folder
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.hardware.machines import Machines, describe
from advisor.hardware.mixed import MIXED_LOG_SD
from advisor.market.offers import parse_offers
from advisor.throughput.artifact import load_model
from advisor.throughput.predict import predict
from advisor.workloads.load import load_workload

GPUS, CPUS, MODEL = load_gpus(), load_cpus(), load_model(models_folder())
FLOPS = GPUS["RTX 3090"].fp32_tflops
PAIR: dict[str, Any] = {
    "gpu_name": "RTX 3090",
    "num_gpus": 2,
    "gpu_frac": 1.0,
    "gpu_ram": 24576,
    "gpu_total_ram": 49152,
    "total_flops": 2 * FLOPS,
    "dlperf": None,
}


def described(record: Mapping[str, Any], **change: object) -> Machines:
    offers, excluded = parse_offers([dict(record) | PAIR | change])
    assert not excluded
    return describe(offers, GPUS, CPUS, MODEL.cpu)


def test_the_smaller_and_slower_card_counts(record: dict[str, Any]) -> None:
    """24,576 and 16,311 MiB, 59.2 TFLOPS: one of them has 15.9 GiB and 23.6 TFLOPS."""
    found = described(record, gpu_total_ram=24576 + 16311, total_flops=59.2)
    assert found.flags["mixed_gpus"][0]
    assert found.gpu_memory_gb[0] == pytest.approx(16311 / 1024)
    assert found.slowest_share[0] == pytest.approx((59.2 - FLOPS) / FLOPS)
    assert not found.flags["memory_modded"][0]


@pytest.mark.parametrize("total_flops", [None, FLOPS, 2.1 * FLOPS, 0.0, 1e6])
def test_a_rate_that_tells_nothing_falls_as_the_memory(
    record: dict[str, Any], total_flops: float | None
) -> None:
    """Where the total rate cannot be that of the cards, the memory stands for it."""
    found = described(record, gpu_total_ram=24576 + 16384, total_flops=total_flops)
    faster = total_flops is not None and total_flops > 2 * FLOPS
    assert found.slowest_share[0] == pytest.approx(1.0 if faster else 2 / 3)


@pytest.mark.parametrize(
    "total",
    [None, 49152, 24564, 24576, 47000, 2 * 23028, 4 * 24576, 8 * 24576 - 300],
)
def test_other_sums_say_nothing(record: dict[str, Any], total: float | None) -> None:
    """One card's memory, the whole machine's, or what ECC takes: nothing changes."""
    found, plain = described(record, gpu_total_ram=total), described(record)
    assert not found.flags["mixed_gpus"][0]
    assert found.slowest_share[0] == 1.0
    assert found.gpu_memory_gb[0] == plain.gpu_memory_gb[0]


def test_one_card_is_never_mixed(record: dict[str, Any]) -> None:
    """Whatever its total says."""
    found = described(record, num_gpus=1, gpu_total_ram=36000, total_flops=FLOPS)
    assert not found.flags["mixed_gpus"][0]


def test_larger_cards_beside_the_named_one_leave_its_memory(
    record: dict[str, Any],
) -> None:
    """More memory than so many cards have: the named one is the least of them."""
    found = described(record, gpu_total_ram=24576 + 40960, total_flops=2.5 * FLOPS)
    assert found.flags["mixed_gpus"][0]
    assert found.gpu_memory_gb[0] == 24.0
    assert found.slowest_share[0] == 1.0


@given(
    number=st.integers(2, 16),
    total_gb=st.floats(0.5, 500.0),
    flops=st.none() | st.floats(0.1, 2000.0),
)
def test_another_card_never_makes_an_offer_better(
    plain_record: Mapping[str, Any], number: int, total_gb: float, flops: float | None
) -> None:
    """Least memory and least rate are above nothing, and at most those of the name."""
    found = described(
        plain_record,
        num_gpus=number,
        gpu_total_ram=1024 * total_gb,
        total_flops=flops,
    )
    assert 0.0 < found.gpu_memory_gb[0] <= 24.0
    assert 0.0 < found.slowest_share[0] <= 1.0


def test_the_rate_follows_and_its_interval_opens(record: dict[str, Any]) -> None:
    """A pair of which one is slower trains as two of the slower one, less surely."""
    workload = load_workload("gpt2-124m")
    alike = predict(described(record), workload, MODEL)
    odd = described(record, gpu_total_ram=24576 + 16311, total_flops=59.2)
    mixed = predict(odd, workload, MODEL)
    share = float(odd.slowest_share[0])
    assert mixed.limits["gpu"][0] == pytest.approx(share * alike.limits["gpu"][0], 1e-9)
    assert mixed.micro_batch[0] < alike.micro_batch[0]
    width, before = (one.high[0] / one.low[0] for one in (mixed, alike))
    assert width > before * (1.0 + MIXED_LOG_SD)
