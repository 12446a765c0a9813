"""Bottlenecks: which parts of a machine its GPUs wait for, by a rule with names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.app.predict import Prediction, predict
from advisor.throughput.bottleneck import (
    MILD_FROM,
    SEVERE_FROM,
    Bottleneck,
    bottlenecks,
    degree_of,
)
from advisor.throughput.limit import LimitRates
from advisor.throughput.limits import LIMITS
from advisor.throughput.tables import load_tables

TABLES = load_tables()
BRONZE = "Intel Xeon Bronze 3104"


def predicted(workload: str, gpu: str, num_gpus: int = 1, **more: object) -> Prediction:
    return predict(workload, gpu, num_gpus, tables=TABLES, runs=(), **more)  # type: ignore[arg-type]


def parts_of(found: Prediction) -> dict[str, Bottleneck]:
    return {one.part: one for one in found.advice.bottlenecks}


def test_a_weak_cpu_is_one_and_a_strong_one_is_none() -> None:
    """The same card and training: the threads decide."""
    weak = predicted("resnet18", "RTX A4000", cpu=BRONZE, threads=6)
    strong = predicted("resnet18", "RTX A4000", cpu="AMD EPYC 7763", threads=128)
    assert parts_of(weak)["cpu"].degree == "yes"
    assert parts_of(weak)["cpu"].gpu_waits == pytest.approx(
        weak.advice.gpu_waits, abs=0.02
    )
    assert parts_of(weak)["cpu"].headroom < 1.1
    assert parts_of(strong)["cpu"].degree == "no"
    assert parts_of(strong)["cpu"].headroom > 3.0


def test_a_slow_exchange_is_one_of_its_own() -> None:
    """Two cards without NVLink exchange the gradients of a large net slowly."""
    parts = parts_of(predicted("bert-large", "RTX 3090", 4, cpu="AMD EPYC 7763"))
    assert parts["gradients"].degree in {"mild", "yes"}
    assert parts["cpu"].degree == "no"
    assert parts["gradients"].title == "the all-reduce of gradients"


def test_what_nobody_says_is_unknown() -> None:
    """A CPU without a name and without threads; a disk that nobody measured."""
    parts = parts_of(predicted("resnet50", "RTX 4090"))
    assert (parts["cpu"].degree, parts["disk"].degree) == ("unknown", "unknown")
    assert parts["transfer"].degree == "no"


def test_the_rule_has_no_gaps() -> None:
    """Each threshold belongs to the degree above it."""
    below = np.nextafter([MILD_FROM, SEVERE_FROM], 0.0)
    assert [degree_of(share) for share in below] == ["no", "mild"]
    assert [degree_of(share) for share in (MILD_FROM, SEVERE_FROM)] == ["mild", "yes"]


@pytest.mark.slow
@given(st.lists(st.floats(1.0, 1e6), min_size=len(LIMITS), max_size=len(LIMITS)))
def test_no_part_costs_more_than_all_the_time(rates: list[float]) -> None:
    """Whatever limits there are: between none and all of it, and the CPU is one part."""
    here = predicted("resnet50", "RTX 4090", cpu=BRONZE).machine.performance.machines
    known = replace(here, disk_mb_s=np.array([500.0]))
    limits = LimitRates(LIMITS, np.array(rates)[:, None], 7.0)
    workload = predicted("resnet50", "RTX 4090", cpu=BRONZE).workload
    found = bottlenecks(limits, known, workload)
    assert all(0.0 <= one.gpu_waits < 1.0 for one in found)
    assert [one.part for one in found] == ["cpu", "transfer", "disk", "gradients"]
    named = {name for one in found for name in one.limits}
    assert named == {one.name for one in LIMITS} - {"gpu"}
