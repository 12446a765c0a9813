"""The all-reduce of gradients on whole offers, with the trained artifact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from advisor.base.resources import models_folder
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.hardware.machines import describe
from advisor.market.offers import parse_offers
from advisor.throughput.artifact import load_model
from advisor.throughput.predict import Throughput, predict
from advisor.throughput.scaling import STAGED_GB_S
from advisor.workloads.load import load_workload
from advisor.workloads.profile import Workload

GPUS, CPUS, MODEL = load_gpus(), load_cpus(), load_model(models_folder())
WORKLOADS = ("resnet18", "resnet50", "vit-b16", "bert-base", "gpt2-124m", "sd15-lora")

ROOMY = {"gpu_ram": 81920, "cpu_cores_effective": 256.0, "cpu_ram": 2_000_000}


def throughput(workload: Workload, *records: dict[str, Any]) -> Throughput:
    offers, excluded = parse_offers(records)
    assert not excluded
    return predict(describe(offers, GPUS, CPUS, MODEL.cpu), workload, MODEL)


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("gpu_name", ["H100 SXM", "A100 SXM4", "RTX 4090"])
def test_more_gpus_are_never_slower(
    record: dict[str, Any], gpu_name: str, workload: str
) -> None:
    """Two, four and eight GPUs of one machine are each faster than half of them."""
    machine = record | ROOMY | {"gpu_name": gpu_name}
    offers = [machine | {"id": n, "num_gpus": n} for n in (1, 2, 4, 8)]
    found = throughput(load_workload(workload), *offers).samples_per_s.tolist()
    assert found == sorted(found)


def test_gradients_in_half_precision_take_half_the_exchange(
    record: dict[str, Any],
) -> None:
    """Gradients have the precision of the weights: without FP32 ones two bytes each."""
    machine = record | ROOMY | {"gpu_name": "RTX 4090", "num_gpus": 4}
    mixed = replace(load_workload("bert-base"), precision="bf16")
    lean = replace(mixed, master_weights=False)
    limits = [throughput(w, machine).limits["gradients"][0] for w in (mixed, lean)]
    assert limits[1] == pytest.approx(2.0 * limits[0])


def test_gradients_are_exchanged_once_an_optimizer_step(record: dict[str, Any]) -> None:
    """Four times the batch an optimizer step, four times the limit of the exchange."""
    machine = record | ROOMY | {"gpu_name": "RTX 4090", "num_gpus": 4}
    once = load_workload("bert-base")
    rarely = replace(once, batch_size=4 * once.batch_size)
    limits = [throughput(w, machine).limits["gradients"][0] for w in (once, rarely)]
    assert limits[1] == pytest.approx(4.0 * limits[0])


def test_the_link_that_the_market_measured_counts(record: dict[str, Any]) -> None:
    """A quarter of the PCIe, a quarter of the exchange; NVLink does not care.

    Through the host's memory the wider one counts for what that carries at most.
    """
    for gpu_name, nvlink, slower in (
        ("RTX A6000", 0.0, 0.25),
        ("RTX 4090", 0.0, 6.0 / STAGED_GB_S),
        ("A100 SXM4", 300.0, 1.0),
    ):
        machine = record | ROOMY | {"gpu_name": gpu_name, "bw_nvlink": nvlink}
        machine["num_gpus"] = 2
        offers = [machine | {"id": i, "pcie_bw": bw} for i, bw in ((1, 24.0), (2, 6.0))]
        wide, narrow = throughput(load_workload("resnet50"), *offers).limits["gradients"]
        assert narrow / wide == pytest.approx(slower)


def test_a_board_beats_cards_through_their_host(record: dict[str, Any]) -> None:
    """NVLink that the market says is missing costs an A100 most of its exchange."""
    machine = record | ROOMY | {"gpu_name": "A100 SXM4", "num_gpus": 8, "pcie_bw": 20.0}
    offers = [machine | {"id": i, "bw_nvlink": bw} for i, bw in ((1, 300.0), (2, 0.0))]
    board, cards = throughput(load_workload("bert-base"), *offers).limits["gradients"]
    assert cards < 0.5 * board


def test_several_gpus_are_less_certain_than_one(record: dict[str, Any]) -> None:
    """The interval of eight cards is wider than that of one."""
    machine = record | ROOMY | {"gpu_name": "RTX 4090"}
    offers = [machine | {"id": n, "num_gpus": n} for n in (1, 8)]
    found = throughput(load_workload("bert-base"), *offers)
    one, eight = found.high / found.low
    assert eight > one
