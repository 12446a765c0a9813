"""Throughput of whole offers: laws, and three offers worked by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.base.resources import models_folder
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.hardware.machines import describe
from advisor.market.offers import parse_offers
from advisor.throughput.artifact import load_model
from advisor.throughput.predict import Throughput, predict
from advisor.workloads.load import load_workload

GPUS, CPUS, MODEL = load_gpus(), load_cpus(), load_model(models_folder())
WORKLOADS = ("resnet18", "resnet50", "yolov8n", "bert-base", "gpt2-124m", "sd15-lora")
ROUNDING = 1e-9
"""What rounding may do to a prediction, relative: the model's mean and variance are sums
of thousands of terms that nearly cancel. Seen: 1e-12 where each term errs by 4e-16."""


def throughput(workload: str, *records: dict[str, Any]) -> Throughput:
    offers, excluded = parse_offers(records)
    assert not excluded
    machines = describe(offers, GPUS, CPUS, MODEL.cpu)
    return predict(machines, load_workload(workload), MODEL)


FIELDS = {
    "cpu_cores_effective": st.floats(0.1, 256),
    "cpu_ghz": st.floats(0.5, 9.0),
    "pcie_bw": st.floats(0.01, 100),
    "disk_bw": st.floats(1, 20_000),
    "cpu_ram": st.floats(1000, 2_000_000),
}
MACHINES = st.fixed_dictionaries(
    {
        "gpu_name": st.sampled_from(["RTX 4090", "GTX 1080 Ti", "A100 SXM4", "RTX 9999"]),
        "num_gpus": st.sampled_from([1, 2, 8]),
        "cpu_name": st.sampled_from(["AMD EPYC 7702", "", "Xeon(R)"]),
        **FIELDS,
    }
)


@pytest.mark.slow
@pytest.mark.parametrize("field", FIELDS)
@settings(max_examples=40, deadline=None)
@given(machine=MACHINES, workload=st.sampled_from(WORKLOADS), data=st.data())
def test_more_is_never_slower(
    plain_record: Mapping[str, Any],
    field: str,
    machine: dict[str, Any],
    workload: str,
    data: st.DataObject,
) -> None:
    """More threads, clock, PCIe, disk or memory never lower a prediction."""
    base = plain_record | machine
    figures = sorted((base[field], data.draw(FIELDS[field])))
    offers = [base | {"id": i, field: value} for i, value in enumerate(figures)]
    found = throughput(workload, *offers)
    less, more = found.samples_per_s
    assert less <= more * (1 + ROUNDING)
    for rates in found.limits.values():
        assert rates[0] <= rates[1] * (1 + ROUNDING)


def test_an_unknown_cpu_widens_the_interval(record: dict[str, Any]) -> None:
    """The same card with a null CPU is predicted with a wider interval."""
    nothing = {"cpu_name": None, "cpu_cores": None, "cpu_ghz": None}
    unknown = record | {"id": 2, "cpu_cores_effective": 0.0} | nothing
    found = throughput("resnet50", record, unknown)
    width = found.high / found.low
    assert width[1] > 1.05 * width[0]


def test_a_starved_card_is_bound_by_its_cpu(record: dict[str, Any]) -> None:
    """Two threads cannot feed an RTX 4090 with ImageNet, and BERT does not care."""
    starved = record | {"id": 2, "cpu_cores_effective": 2.0}
    images = throughput("resnet50", record, starved)
    assert images.bound_by.tolist() == ["gpu", "cpu"]
    assert images.samples_per_s[1] < 0.5 * images.samples_per_s[0]
    text = throughput("bert-base", record, starved)
    assert text.bound_by.tolist() == ["gpu", "gpu"]


def test_one_gpu_exchanges_no_gradients(record: dict[str, Any]) -> None:
    """The limit of the gradients is infinite for one GPU and finite for two."""
    two = record | {"id": 2, "num_gpus": 2, "cpu_cores_effective": 32.0}
    limit = throughput("bert-base", record, two).limits["gradients"]
    assert math.isinf(limit[0])
    assert math.isfinite(limit[1])


@pytest.mark.parametrize(
    ("gpu_name", "memory_mb", "workload", "least", "most"),
    [
        # Levels that published measurements span (one GPU, nothing else limiting).
        ("RTX 3090", 24576, "resnet50", 796.0, 1223.0),
        ("A100 SXM4", 40536, "resnet50", 1208.0, 2375.0),
        ("V100-SXM2-16GB", 16384, "resnet50", 802.0, 1473.0),
    ],
)
def test_rates_are_those_that_were_measured(
    record: dict[str, Any],
    gpu_name: str,
    memory_mb: int,
    workload: str,
    least: float,
    most: float,
) -> None:
    """ResNet-50 in mixed precision runs at what published benchmarks report."""
    machine = record | {"gpu_name": gpu_name, "gpu_ram": memory_mb}
    rate = throughput(workload, machine).limits["gpu"][0]
    assert least < rate < most


@pytest.mark.parametrize(
    ("gpu_name", "memory_mb", "workload", "measured"),
    [
        # models/benchmarks.csv: both ran with gradient checkpointing, as the profiles do;
        # the second ran compiled, which the profile does not.
        ("RTX 4090", 24564, "flux-lora", 0.2857),
        ("RTX 4090", 24564, "llama-8b-qlora", 2413.0 / 4237.45 / math.exp(0.36)),
    ],
)
def test_a_checkpointed_benchmark_pays_for_it_once(
    record: dict[str, Any],
    gpu_name: str,
    memory_mb: int,
    workload: str,
    measured: float,
) -> None:
    """The card that ran the benchmark is predicted near what was measured on it."""
    machine = record | {"gpu_name": gpu_name, "gpu_ram": memory_mb}
    rate = throughput(workload, machine).limits["gpu"][0]
    assert rate == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize(
    ("workload", "factor"),
    [("gpt2-124m", 4.0 / 3.0), ("llama-8b-lora", 3.0 / 2.0), ("sd15-lora", 1.84 / 1.42)],
)
def test_checkpointing_runs_the_forward_pass_once_more(
    record: dict[str, Any], workload: str, factor: float
) -> None:
    """More of a step beside frozen weights, less where encoders get no gradient."""
    machines = describe(parse_offers([record])[0], GPUS, CPUS, MODEL.cpu)
    whole, again = (
        replace(load_workload(workload), gradient_checkpointing=done)
        for done in (False, True)
    )
    rates = [
        predict(machines, one, MODEL, holds_batch=True).limits["gpu"][0]
        for one in (whole, again)
    ]
    assert rates[0] / rates[1] == pytest.approx(factor)


def test_what_checkpointed_like_its_benchmark_runs_like_it(
    record: dict[str, Any],
) -> None:
    """Only a training that differs from its benchmark is faster or slower than it."""
    machines = describe(parse_offers([record])[0], GPUS, CPUS, MODEL.cpu)
    profile = load_workload("gpt2-124m")
    reference = replace(profile.reference, checkpointed=True)
    again = replace(profile, gradient_checkpointing=True, reference=reference)
    rates = [
        predict(machines, one, MODEL, holds_batch=True).limits["gpu"][0]
        for one in (profile, again)
    ]
    assert rates[0] == pytest.approx(rates[1])


ROOMY = {"gpu_name": "RTX 4090", "gpu_ram": 24564, "num_gpus": 1, "cpu_ram": 900_000}


@pytest.mark.parametrize(
    ("cpu_name", "threads", "threads_share_cores", "own", "of_class"),
    [
        ("AMD EPYC 7702 64-Core Processor", 16.0, True, 2097, 2097),
        ("Xeon® E5-2640 v3 ", 32.0, True, 1865, 1903),
        ("Intel(R) Xeon(R) Bronze 3104 CPU @ 1.70GHz", 6.0, False, 1001, 1001),
    ],
)
def test_three_offers_by_hand(
    record: dict[str, Any],
    cpu_name: str,
    threads: float,
    threads_share_cores: bool,
    own: float,
    of_class: float,
) -> None:
    """Every limit but the GPU's, their near-minimum and what binds, worked by hand."""
    offer = record | ROOMY | {"cpu_name": cpu_name, "cpu_cores_effective": threads}
    found = throughput("resnet50", offer)
    limit = {name: rates[0] for name, rates in found.limits.items()}
    constant = {name: one.value for name, one in MODEL.constants.items()}
    weight = constant["score_weight"]
    score = own**weight * of_class ** (1 - weight)
    speed = (score / 2100) ** constant["score_exponent"]
    cores = threads * (0.55 if threads_share_cores else 1.0)
    # ResNet-50: 4.1 core-ms per sample, and what drives the GPU
    driving = constant["driver_cores"] / limit["gpu"]
    cpu = cores ** constant["core_exponent"] / (4.1e-3 / speed + driving)
    assert limit["cpu"] == pytest.approx(cpu, rel=1e-3)
    # 600 kernels per step of 256 samples, 7 us each on the reference core
    assert limit["launch"] == pytest.approx(256 / (600 * 7e-6 / speed), rel=1e-3)
    # 602,112 bytes a sample, from the loader's workers and over 24 GB/s
    handed = constant["handoff_gb_s"] * 1e9 * speed / 602_112
    assert limit["handoff"] == pytest.approx(handed, rel=1e-3)
    assert limit["transfer"] == pytest.approx(24e9 / 602_112)
    assert math.isinf(limit["disk"])  # 144 GB fit in 0.6 x 900 GB of page cache
    assert math.isinf(limit["gradients"])
    order = constant["norm_order"]
    rate = sum(one**-order for one in limit.values()) ** (-1 / order)
    assert found.samples_per_s[0] == pytest.approx(rate)
    assert found.bound_by[0] == min(limit, key=limit.__getitem__)


def test_a_disk_that_misses_the_cache_by_hand(record: dict[str, Any]) -> None:
    """100 GB of memory cache 60 of 144 GB: 84 / 144 of the reads reach the disk."""
    offer = record | ROOMY | {"cpu_ram": 100e9 / 2**20, "disk_bw": 400.0}
    limit = throughput("resnet50", offer).limits["disk"][0]
    assert limit == pytest.approx(400e6 * 0.5 / (107_500 * 84 / 144))
