"""Runs of one's own: what they say of other machines, and what they do not."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.cost.job import Job
from advisor.market.offers import parse_offers
from advisor.ranking.rank import rank_offers
from advisor.ranking.ranking import Ranking
from advisor.throughput.tables import load_tables
from advisor.throughput.user_runs import UserRun
from advisor.workloads.load import load_workload
from advisor.workloads.profile import Workload

TABLES = load_tables()
CPU = "AMD EPYC 7702 64-Core Processor"
GPUS = {"RTX 3090": 24, "RTX 4090": 24, "H100 SXM": 80, "RTX 9999": 24}


def ranked(workload: Workload, *runs: UserRun, threads: float = 1024.0) -> Ranking:
    records = [
        {
            "id": at,
            "gpu_name": name,
            "num_gpus": 1,
            "gpu_ram": 1024 * memory,
            "cpu_name": CPU,
            "cpu_cores_effective": threads,
            "dph_total": 1.0,
            "total_flops": 40.0,
            "gpu_mem_bw": 900.0,
            "compute_cap": 890,
        }
        for at, (name, memory) in enumerate(GPUS.items(), 1)
    ]
    offers, _ = parse_offers(records)
    return rank_offers(offers, Job(workload, 1, 1.0, runs=runs), TABLES)


def run_of(workload: Workload, rate: float, **more: Any) -> UserRun:
    usual = UserRun(
        *(workload.name, "RTX 3090", 1, rate, CPU, 1024.0, None),
        *(workload.batch_size, workload.precision),
    )
    return dataclasses.replace(usual, **more)


SMALL = (
    *("bert-base", "efficientnet-b0", "gpt2-124m", "llama-7b-lora", "maskrcnn-r50"),
    *("resnet50", "sd15-lora", "vit-b16", "yolov8n", "gpt2-350m", "deeplabv3-r50"),
)
"""Workloads that these cards hold and bind."""


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("factor", [0.5, 1.0, 1.6])
def test_a_run_moves_every_prediction(name: str, factor: float) -> None:
    """The GPU that ran comes near to what it did, others follow, its interval shrinks."""
    workload = load_workload(name)
    before = ranked(workload).throughput
    if before.bound_by[0] != "gpu":
        pytest.skip("its GPU is not what binds it on this machine")
    run = run_of(workload, factor * float(before.samples_per_s[0]))
    ranking = ranked(workload, run)
    after = ranking.throughput
    moved = after.samples_per_s / before.samples_per_s
    usable = np.isfinite(moved)
    assert moved[0] == pytest.approx(factor, rel=0.12)
    assert np.all(np.abs(np.log(moved[usable])) <= abs(math.log(factor)) * 1.3 + 0.02)
    width = np.log(after.high / after.low) / np.log(before.high / before.low)
    if factor <= 1.0:  # faster GPUs meet other limits, which the run says nothing of
        assert width[0] < 0.75
        # A large surprise says that the set-up is no usual one: less is known of others.
        assert np.all(width[usable] <= (1.1 if factor < 1.0 else 1.001))
    assert ranking.model_identity["rests_on"]["own_runs"] == 1


def test_the_interval_of_the_run_holds_it() -> None:
    """What was measured lies in the interval that is predicted after it."""
    workload = load_workload("resnet50")
    rate = 0.6 * float(ranked(workload).throughput.samples_per_s[0])
    after = ranked(workload, run_of(workload, rate)).throughput
    assert after.low[0] < rate < after.high[0]


@given(st.integers(1, 5))
@settings(max_examples=5)
def test_more_runs_tell_more(count: int) -> None:
    """Each further run narrows the interval, or leaves it."""
    workload = load_workload("resnet50")
    rate = float(ranked(workload).throughput.samples_per_s[0])
    runs = [run_of(workload, rate)] * (count + 1)
    few, more = (ranked(workload, *runs[:n]).throughput for n in (count, count + 1))
    width = [np.log(one.high / one.low)[1] for one in (few, more)]
    assert width[1] <= width[0] * (1 + 1e-9)


def test_a_starved_run_speaks_of_the_cpu() -> None:
    """On two threads it tells the time of a sample on a core, not the GPU's rate."""
    workload = load_workload("resnet18")
    before = ranked(workload, threads=2.0).throughput
    rate = 0.5 * float(before.samples_per_s[0])
    run = run_of(workload, rate, threads=2.0)
    after = ranked(workload, run, threads=2.0)
    assert after.measured is not None
    assert after.measured.cpu_ms_per_sample > 1.2 * workload.cpu_ms_per_sample
    assert after.measured.cpu_ms_log_sd < workload.cpu_ms_log_sd
    assert after.throughput.limits["gpu"] == pytest.approx(
        before.limits["gpu"], nan_ok=True
    )


def test_another_precision_is_silent() -> None:
    """A run in FP32 says nothing of AMP, and that is reported."""
    workload = load_workload("resnet50")
    before = ranked(workload).throughput
    ranking = ranked(workload, run_of(workload, 100.0, precision="fp32"))
    assert ranking.measured is not None
    assert ranking.measured.runs == 0
    assert "fp32" in ranking.measured.silent[0]
    assert ranking.throughput.samples_per_s == pytest.approx(
        before.samples_per_s, nan_ok=True
    )


def test_an_absurd_run_is_silent() -> None:
    """A rate that no limit allows is reported, not believed."""
    workload = load_workload("resnet50")
    ranking = ranked(workload, run_of(workload, 1e9))
    assert ranking.measured is not None
    assert ranking.measured.runs == 0
    assert "does not count: it is faster than" in ranking.measured.silent[0]
