"""Advice: what holds a machine back, and that each promise is a prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from advisor.hardware.machines import Machines, describe
from advisor.market.offers import parse_machine
from advisor.throughput.advice import ENOUGH, WORTH, Advice, advise
from advisor.throughput.predict import predict
from advisor.throughput.tables import load_tables
from advisor.workloads.load import load_workload

TABLES = load_tables()
BRONZE = {
    "gpu_name": "RTX A4000",
    "num_gpus": 1,
    "cpu_name": "Intel Xeon Bronze 3104",
    "cpu_cores_effective": 6,
}


def machine(**record: Any) -> Machines:
    offers = parse_machine({**BRONZE, **record})
    return describe(offers, TABLES.gpus, TABLES.cpus, TABLES.model.cpu)


def advice(workload: str, **record: Any) -> Advice:
    threads = float({**BRONZE, **record}["cpu_cores_effective"])
    return advise(machine(**record), threads, load_workload(workload), TABLES.model)


def rate(workload: str, **record: Any) -> float:
    found = predict(machine(**record), load_workload(workload), TABLES.model)
    return float(found.samples_per_s[0])


@pytest.mark.parametrize(
    ("workload", "starved"),
    [("resnet18", True), ("resnet50", True), ("bert-base", False)],
)
def test_a_weak_server_cpu(workload: str, starved: bool) -> None:
    """A Bronze 3104 starves an RTX A4000 of small images, and not of text."""
    found = advice(workload)
    assert found.cpu_is_bottleneck is starved
    assert (found.cpu_headroom > 5) is not starved
    assert found.gpu_waits == pytest.approx(
        1 - rate(workload) / predicted_gpu_limit(workload)
    )


def predicted_gpu_limit(workload: str) -> float:
    found = predict(machine(), load_workload(workload), TABLES.model)
    return float(found.limits["gpu"][0])


def test_enough_threads_are_enough_and_no_fewer() -> None:
    """With them 95 % of what endless cores give is reached, with one less not."""
    enough = advice("resnet18").enough_threads
    assert enough is not None
    best = rate("resnet18", cpu_cores_effective=100_000)
    assert rate("resnet18", cpu_cores_effective=enough) >= ENOUGH * best
    assert rate("resnet18", cpu_cores_effective=enough - 1) < ENOUGH * best


def test_more_threads_keep_their_promise() -> None:
    """The claimed rate is that of a machine with those threads."""
    found = {one.change: one.samples_per_s for one in advice("resnet18").improvements}
    (change,) = [change for change in found if change.endswith("more threads")]
    more = int(change.split()[0])
    assert found[change] == pytest.approx(rate("resnet18", cpu_cores_effective=6 + more))


@pytest.mark.parametrize("workload", ["resnet18", "bert-base", "maskrcnn-r50"])
def test_nothing_is_named_that_is_not_worth_it(workload: str) -> None:
    """Each improvement lifts the prediction, the best comes first."""
    found = advice(workload, disk_bw=100.0, cpu_ram=16_000)
    rates = [one.samples_per_s for one in found.improvements]
    now = rate(workload, disk_bw=100.0, cpu_ram=16_000)
    assert rates == sorted(rates, reverse=True)
    assert all(one >= now * (1 + WORTH) for one in rates)


def test_a_slow_disk_is_reported() -> None:
    """Data that exceed the memory on a slow disk: memory or a disk would help."""
    found = advice("resnet50", disk_bw=60.0, cpu_ram=8000, cpu_cores_effective=32)
    assert found.bound_by == "disk"
    assert not found.cpu_is_bottleneck
    changes = " ".join(one.change for one in found.improvements)
    assert "GB of memory" in changes
    assert "a disk twice as fast" in changes


def test_several_cards_without_nvlink() -> None:
    """NVLink is named where the cards have it, their host has not, and it would help."""
    change = {"num_gpus": 2, "cpu_cores_effective": 64, "bw_nvlink": 0}

    def named(gpu: str, **others: Any) -> bool:
        found = advice("bert-large", gpu_name=gpu, **{**change, **others})
        return "NVLink between the GPUs" in {one.change for one in found.improvements}

    assert named("RTX 3090")
    assert not named("RTX 4090")  # no such card has it
    assert not named("RTX 3090", num_gpus=4)  # a bridge joins two
    assert not named("RTX 3090", bw_nvlink=100)  # it is there
    assert not named("RTX 3090", num_gpus=1)


@pytest.mark.parametrize("threads", [1, 2, 6, 64])
def test_workers_fit_the_threads(threads: int) -> None:
    """At least one for each GPU and no more than it has threads."""
    found = advice("resnet18", cpu_cores_effective=threads)
    assert 1 <= found.loader_workers <= threads
    assert advice("bert-base", cpu_cores_effective=threads).loader_workers == 1


def test_the_parts_of_the_cpu_are_limits() -> None:
    """What counts as the CPU's doing is among the limits."""
    limits = predict(machine(), load_workload("resnet18"), TABLES.model).limits
    of_cpu = [one.name for one in TABLES.model.limits if one.side == "cpu"]
    assert set(of_cpu) < set(limits)
    assert np.all([np.isfinite(limits[name]).all() for name in of_cpu])
