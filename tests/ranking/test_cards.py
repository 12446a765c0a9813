"""An offer is the card that it was ranked as."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.cost.job import Job
from advisor.hardware.gpus import load_gpus
from advisor.market.filters import Filters
from advisor.ranking.offer import RankedOffer
from advisor.ranking.rank import rank
from advisor.throughput.tables import load_tables
from advisor.workloads.load import load_workload

TABLES = load_tables()


WORKLOAD = load_workload("mobilenetv3-large")
JOB = Job(WORKLOAD, WORKLOAD.epochs, WORKLOAD.disk_gb)


def record(**facts: Any) -> dict[str, Any]:
    return {"id": 1, "num_gpus": 1, "dph_total": 1.0, "cpu_cores_effective": 8, **facts}


def offer(**facts: Any) -> RankedOffer:
    return rank([record(**facts)], JOB, TABLES, Filters())[0]


@pytest.mark.parametrize(
    ("name", "memory_mb", "card"),
    [
        ("A100 SXM4", 40960, "A100-SXM4-40GB"),
        ("A100 SXM4", 81920, "A100-SXM4-80GB"),
        ("A100 PCIE", 81920, "A100-PCIe-80GB"),
        ("RTX 3060", 12288, "RTX 3060"),
    ],
)
def test_a_name_with_several_memories_is_the_one_that_was_ranked(
    name: str, memory_mb: int, card: str
) -> None:
    """What a run there is recorded with: its name alone would mean another one."""
    found = offer(gpu_name=name, gpu_ram=memory_mb).gpu
    assert found is not None
    assert found.name == card


def test_every_name_of_the_market_is_some_card() -> None:
    """Also those that are several rows of the table: the run after it can be recorded."""
    gpus = load_gpus()
    named = [
        (name, gpu)
        for name in gpus.market_names()
        for gpu in gpus.rows
        if name in (gpu.name, *gpu.aliases)
    ]
    records = [
        record(id=at, gpu_name=name, gpu_ram=1024 * gpu.memory_gb)
        for at, (name, gpu) in enumerate(named)
    ]
    ranking = rank(records, JOB, TABLES, Filters())
    assert len(ranking.offers) == len(named)
    for at in range(len(named)):
        found = RankedOffer(ranking, at)
        assert found.gpu is not None
        assert found.gpu.memory_gb == named[found.offer_id][1].memory_gb


def test_a_card_in_no_table_is_none() -> None:
    """It can be rented and run; nothing is recorded of it."""
    facts = {"gpu_ram": 24576, "total_flops": 80.0, "gpu_mem_bw": 900.0}
    assert offer(gpu_name="Frobnicator 9", **facts).gpu is None
