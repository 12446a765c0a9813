"""A refit on the user's own runs: which of them train, and as what."""

from __future__ import annotations

import csv
import dataclasses
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from advisor.base.resources import models_folder
from advisor.hardware.gpus import load_gpus
from advisor.throughput.features import GpuFeatures, WorkloadKey
from advisor.throughput.user_runs import UserRun
from advisor.training.fit.own import own_rows, with_own
from advisor.training.fit.row_use import TRAINING, load_row_use
from advisor.training.folder import (
    AUXILIARY,
    ROW_USE,
    TABLE,
    OwnRecords,
    load_tables,
    train_folder,
)
from advisor.workloads.load import load_workload

GPUS = load_gpus()
TABLES = load_tables(models_folder())
MINE = dataclasses.replace(load_workload("gpt2-124m"), name="mine")
RUN = UserRun("mine", "RTX 3090", 1, 50.0, None, None, None, 32, "bf16")


def test_runs_of_one_gpu_and_a_known_workload_train() -> None:
    """Several GPUs, an unknown profile, another precision: not."""
    runs = [
        RUN,
        dataclasses.replace(RUN, num_gpus=2),
        dataclasses.replace(RUN, workload="other"),
        dataclasses.replace(RUN, precision="fp32"),
        dataclasses.replace(RUN, gpu="MI300X"),
    ]
    own, is_training = own_rows(runs, {"mine": MINE}, TABLES, GPUS, 2026)
    assert is_training == [True, False, False, False, False]
    assert own.workload.tolist() == [MINE.reference.benchmark]
    assert own.series.tolist() == ["own/mine"]
    units = MINE.reference.benchmark_units_per_sample
    assert own.throughput.tolist() == [50.0 * units]


def test_they_come_after_the_shipped_rows() -> None:
    """The use of the shipped rows stays; no own row is ever evaluated."""
    row_use = load_row_use(models_folder() / ROW_USE, TABLES)
    resnet50 = load_workload("resnet50")
    run = dataclasses.replace(RUN, workload="resnet50", precision="amp")
    own, _ = own_rows([run], {"resnet50": resnet50}, TABLES, GPUS, 2026)
    both = with_own(row_use, TABLES, own)
    assert np.array_equal(both.use[:-1], row_use.use)
    assert both.use[-1] == TRAINING
    assert not both.evaluated[-1]
    assert len(TABLES + own) == len(both.use)


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Return a folder of models whose tables know one workload, on one GPU."""
    folder = tmp_path / "models"
    shutil.copytree(models_folder(), folder, ignore=shutil.ignore_patterns("*.npz"))
    for name in (TABLE, AUXILIARY, ROW_USE):
        with (folder / name).open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = [row for row in reader if row["workload"].startswith("resnet50")]
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, reader.fieldnames or [])
            writer.writeheader()
            writer.writerows(row for row in rows if row.get("num_gpus", "1") == "1")
    return folder


def test_a_refit_learns_from_a_run(few: Path) -> None:
    """A rate twice what the model expects raises it; the model says what trained it."""
    today, resnet50 = date(2026, 11, 27), load_workload("resnet50")
    card = GpuFeatures.of([GPUS["RTX A4000"]], "amp")
    key = WorkloadKey("resnet50", "cnn", "amp", 24.6, framework="pytorch")
    before = train_folder(few, today).gpu.predict(card, key)[0][0]
    run = UserRun(
        "mine", "RTX A4000", 1, 2.0 * np.exp(before), None, None, None, 256, "amp"
    )
    records = OwnRecords(
        {7: run, 8: dataclasses.replace(run, workload="nobody's")}, {"mine": resnet50}
    )
    refit = train_folder(few, today, records)
    assert refit.provenance.own_records == (7,)
    assert refit.gpu.predict(card, key)[0][0] > before + 0.02


def test_no_run_changes_nothing() -> None:
    """Without runs the tables are the shipped ones."""
    own, is_training = own_rows([], {}, TABLES, GPUS, 2026)
    assert (len(own), is_training) == (0, [])
    assert len(TABLES + own) == len(TABLES)
