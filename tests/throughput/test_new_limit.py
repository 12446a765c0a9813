"""A limit is one record: a new one is predicted, binds, is explained and counted."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from advisor.app.predict import Prediction, predict
from advisor.base.arrays import FloatArray
from advisor.cost.job import Job
from advisor.market.filters import Filters
from advisor.ranking.policy import Policy
from advisor.ranking.rank import rank
from advisor.ranking.ties import compare
from advisor.report.entries import entries
from advisor.report.predicted import predicted_document, predicted_text
from advisor.throughput.limit import Asked, Lacking, Lifts, Limit
from advisor.throughput.tables import Tables, load_tables
from advisor.throughput.user_runs import UserRun
from advisor.workloads.load import load_workload

KNOWN = load_tables()
PER_GB_OF_RAM = 0.5


def log_rate(asked: Asked) -> FloatArray:
    """Let logs be written as fast as the host has memory."""
    ram_gb = np.nan_to_num(asked.machines.ram_gb, nan=16.0)
    return np.asarray(PER_GB_OF_RAM * ram_gb)


def log_sd(asked: Asked) -> FloatArray:
    return np.full_like(asked.gpu_log_sd, 0.3)


def more_memory(lacking: Lacking) -> Lifts:
    yield "twice the memory", replace(lacking.machine, ram_gb=np.array([32.0]))


LOGS = Limit(
    "logs", "disk", log_rate, log_sd, "the writing of logs", "its logs", more_memory
)


def with_logs(**changes: Any) -> Tables:
    limits = (*KNOWN.model.limits, replace(LOGS, **changes))
    return replace(KNOWN, model=replace(KNOWN.model, limits=limits))


def predicted(tables: Tables, **more: Any) -> Prediction:
    words = {"cpu": "AMD EPYC 7763", "threads": 64, "runs": (), **more}
    return predict("resnet50", "RTX 4090", tables=tables, **words)


def test_a_new_limit_is_predicted_and_binds() -> None:
    """Beside the others, in the interval, and as what the rate is bound by."""
    before, after = predicted(KNOWN), predicted(with_logs())
    assert after.limits == {**before.limits, "logs": 8.0}
    assert after.bound_by == "logs"
    assert after.samples_per_s == pytest.approx(8.0, rel=1e-3)
    assert after.samples_per_s_low == pytest.approx(8.0 * np.exp(-1.645 * 0.3), rel=1e-2)


def test_a_new_limit_is_explained() -> None:
    """The answer names what the GPU waits for, and what would lift it."""
    found = predicted(with_logs())
    assert found.advice.waits_for == "logs"
    lifts = {one.change: one.samples_per_s for one in found.advice.improvements}
    assert lifts["twice the memory"] == pytest.approx(16.0, rel=1e-3)
    text = " ".join(predicted_text(found).split())
    assert "The writing of logs? Yes: the GPU waits 99 % of the time." in text
    assert "twice the memory 16" in text
    document = json.loads(json.dumps(predicted_document(found)))
    assert document["limits"]["logs"] == 8.0
    assert document["bound_by"] == document["advice"]["bound_by"] == "logs"
    assert document["advice"]["bound_by_in_words"] == "its logs"


def test_a_new_limit_of_the_cpu_is_the_cpus() -> None:
    """Its side alone says so; of a CPU that nobody names nothing is promised."""
    found = predicted(with_logs(side="cpu"))
    assert found.advice.cpu_is_bottleneck
    assert predicted_text(found).startswith(
        "Is the CPU a bottleneck? Yes: the GPU waits 99 % of the time, for its logs; "
        "more threads are no help.\n"
    )
    unnamed = predicted(with_logs(side="cpu"), cpu=None, threads=None)
    assert unnamed.advice.cpu_is_bottleneck is None
    changes = {one.change for one in unnamed.advice.improvements}
    assert "twice the memory" not in changes


def test_a_new_limit_after_the_gpus_work_adds_to_its_time() -> None:
    """As the all-reduce of gradients does: times add up, and the longest binds."""
    found = predicted(with_logs(after_gpu=True))
    together = 1 / (1 / found.limits["gpu"] + 1 / found.limits["logs"])
    assert found.samples_per_s == pytest.approx(together, rel=1e-3)
    assert found.bound_by == "logs"
    assert found.samples_per_s_low < together < found.samples_per_s_high


def test_a_new_limit_counts_in_a_ranking(plain_record: dict[str, Any]) -> None:
    """It ranks offers, is in their entries, and ties are judged with it."""
    records = [
        {**plain_record, "id": at, "machine_id": at, "gpu_ids": [at], "cpu_ram": ram}
        for at, ram in enumerate((16_000.0, 64_000.0), 1)
    ]
    job = Job(load_workload("resnet50"), 1, 1.0)
    found = rank(records, job, with_logs(), Filters(), Policy())
    best, worst = entries(found)
    assert (best["offer_id"], worst["offer_id"]) == (2, 1)
    rates = [one["limits"]["logs"] for one in (best, worst)]
    assert rates == pytest.approx([64_000 * 2**20 / 2e9, 16_000 * 2**20 / 2e9])
    assert compare(found).tied_with == [None, None]


def test_a_run_that_a_new_limit_bound_says_nothing_of_others() -> None:
    """And the user is told which limit it was, by its title."""
    run = UserRun(
        workload="resnet50",
        gpu="RTX 4090",
        num_gpus=1,
        samples_per_s=7.9,
        batch_size=256,
        precision="amp",
        cpu="AMD EPYC 7763",
        threads=64,
        cpu_ghz=None,
    )
    found = predicted(with_logs(), runs=(run,))
    machine = found.machine
    identity = machine.tables.identity(found.workload, machine.measured)
    (why,) = identity["rests_on"]["silent_runs"]
    assert why.endswith("the writing of logs bound it")
