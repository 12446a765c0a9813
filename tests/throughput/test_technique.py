"""What a profile's way of computing changes: compiled, one process, synthetic data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from advisor.base.resources import models_folder
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.hardware.machines import Machines, describe
from advisor.market.offers import parse_offers
from advisor.throughput.artifact import load_model
from advisor.throughput.predict import Throughput, predict
from advisor.throughput.technique import (
    COMPILED,
    COMPILED_LANGUAGE_MODEL,
    technique_effect,
)
from advisor.workloads.load import load_workload
from advisor.workloads.profile import Workload

GPUS, CPUS, MODEL = load_gpus(), load_cpus(), load_model(models_folder())


@pytest.fixture
def machine(record: dict[str, Any]) -> Machines:
    """Return four RTX 4090 beside few cores."""
    offers, _ = parse_offers([record | {"num_gpus": 4, "cpu_cores_effective": 8.0}])
    return describe(offers, GPUS, CPUS, MODEL.cpu)


def throughput(machine: Machines, workload: Workload) -> Throughput:
    return predict(machine, workload, MODEL)


def test_compiling_makes_language_models_faster_by_the_published_pairs(
    machine: Machines,
) -> None:
    """The interval is wider downwards; upwards it ends at what the card can do at all."""
    eager = load_workload("llama-8b-lora")
    before = throughput(machine, eager)
    after = throughput(machine, replace(eager, compiled=True))
    ratio = after.limits["gpu"] / before.limits["gpu"]
    assert ratio == pytest.approx(np.exp(COMPILED_LANGUAGE_MODEL.log_factor), rel=0.02)
    assert after.samples_per_s / after.low > before.samples_per_s / before.low


def test_a_benchmark_that_ran_compiled_is_slower_eagerly() -> None:
    """The level is the benchmark's: what it had already is not added again."""
    qlora = load_workload("llama-8b-qlora")
    assert qlora.reference.compiled
    assert technique_effect(qlora).log_factor == -COMPILED_LANGUAGE_MODEL.log_factor
    assert technique_effect(replace(qlora, compiled=True)) == (0.0, 0.0)


def test_other_nets_gain_less() -> None:
    """Convolutions are most of a ResNet's step, and are compiled already."""
    net = replace(load_workload("resnet50"), compiled=True)
    assert technique_effect(net) == COMPILED
    assert COMPILED.log_factor < COMPILED_LANGUAGE_MODEL.log_factor


def test_one_process_launches_the_kernels_of_all_gpus(
    machine: Machines,
) -> None:
    """DataParallel's limit of kernel launches is a quarter of that of four processes."""
    ddp = load_workload("resnet50")
    one = throughput(machine, replace(ddp, distributed="data-parallel"))
    four = throughput(machine, ddp)
    for limit in ("launch", "handoff"):
        assert one.limits[limit] == pytest.approx(four.limits[limit] / 4)
    assert one.samples_per_s <= four.samples_per_s


def test_synthetic_data_need_no_core_no_worker_and_no_disk(
    machine: Machines,
) -> None:
    """What is left of the CPU is what drives the GPUs; the same batch is copied again."""
    real = load_workload("resnet50")
    synthetic = throughput(machine, replace(real, loader="synthetic"))
    fed = throughput(machine, real)
    assert np.isinf(synthetic.limits["handoff"]).all()
    assert np.isinf(synthetic.limits["disk"]).all()
    assert synthetic.limits["cpu"] > fed.limits["cpu"]
    assert synthetic.limits["transfer"] == pytest.approx(fed.limits["transfer"])
    assert synthetic.samples_per_s > fed.samples_per_s
    assert synthetic.bound_by[0] == "gpu"
