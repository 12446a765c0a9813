"""What predictions assume can be moved, each figure alone, and reaches them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from advisor.market.offers import parse_machine
from advisor.software.rules import default_images
from advisor.throughput.performance import Performance, performance
from advisor.throughput.tables import load_tables
from advisor.workloads.load import load_workload

KNOWN = load_tables()
RTX_4090 = {"gpu_name": "RTX 4090", "num_gpus": 1, "gpu_ram": 24564, "cpu_ram": 30_000}


def here(record: dict[str, Any], **moved: float) -> Performance:
    tables = KNOWN
    for name, value in moved.items():
        tables = tables.replaced(name, value)
    workload = load_workload("resnet50")
    offers = parse_machine({**RTX_4090, **record})
    return performance(offers, workload, tables, default_images())


def test_every_figure_can_be_moved_alone() -> None:
    """The others stay, with what is said of them."""
    before = KNOWN.assumptions()
    for name, one in before.items():
        after = KNOWN.replaced(name, 0.5 * one.value).assumptions()
        assert after[name].value == 0.5 * one.value
        assert after[name].source == one.source
        assert {**after, name: one} == before


def test_what_is_no_figure_cannot_be_moved() -> None:
    """A slip is no silent success."""
    with pytest.raises(KeyError, match="patience"):
        KNOWN.replaced("patience", 1.0)


@pytest.mark.parametrize(
    ("name", "value", "record", "reads"),
    [
        ("threads_per_gpu_if_unknown", 4.0, {}, lambda one: one.machines.threads),
        ("usable_gpu_memory", 0.5, {}, lambda one: one.throughput.memory_margin_gb),
        ("usable_gpu_memory", 0.4, {}, lambda one: one.throughput.micro_batch),
        ("host_memory_log_sd", 0.72, {}, lambda one: one.host_risk),
        ("host_memory_of_next_try", 1.0, {}, lambda one: one.host_failed_starts),
        ("loader_workers_per_gpu", 8.0, {}, lambda one: one.host_need_gb),
        (
            *("power_static_share", 0.0, {"gpu_max_power": 300.0}),
            lambda one: one.machines.gpu_state,
        ),
        (
            *("power_spread", 0.8, {"gpu_max_power": 300.0}),
            lambda one: one.machines.gpu_state_log_sd,
        ),
        (
            *("measured_figures_exponent", 1.0, {"gpu_mem_bw": 700.0}),
            lambda one: one.machines.gpu_state,
        ),
        (
            *("dlperf_exponent", 0.1, {"dlperf": 70.0, "cpu_name": "AMD EPYC 7702"}),
            lambda one: one.adjustment.factor,
        ),
        (
            *("dlperf_broken_log_sd", 0.3, {"dlperf": 2.0}),
            lambda one: one.adjustment.log_sd,
        ),
        (
            "launch_us",
            700.0,
            {"cpu_cores_effective": 8.0},
            lambda one: one.throughput.low,
        ),
        (
            "score_exponent",
            0.5,
            {"cpu_name": "AMD Ryzen 9 7950X 16-Core Processor"},
            lambda o: o.machines.core_speed,
        ),
    ],
)
def test_a_figure_reaches_what_rests_on_it(
    name: str, value: float, record: dict[str, Any], reads: Any
) -> None:
    """Hardware, memory, scores and the constants of the artifact."""
    before, after = reads(here(record)), reads(here(record, **{name: value}))
    assert np.all(np.isfinite(before))
    assert before[0] != after[0]
