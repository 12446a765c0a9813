"""A refit on the user's own runs: which of them train, and as what."""

from __future__ import annotations

import csv
import dataclasses
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from advisor.app.measured import Place, machine_of
from advisor.base.resources import models_folder
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus, matmul_measurements
from advisor.hardware.measured import Figure, MeasuredMachine
from advisor.measure.bench import parse_bench
from advisor.measure.probe.lines import Line, Result
from advisor.store.benches import StoredBench
from advisor.throughput.features import GpuFeatures, WorkloadKey
from advisor.throughput.known import measured_gpus
from advisor.throughput.tables import load_tables as load_hardware
from advisor.throughput.user_runs import UserRun
from advisor.training.fit.core_speed import fit_core_speed, speed_rows
from advisor.training.fit.cpu import certain
from advisor.training.fit.cpu_tables import load_cpu_tables
from advisor.training.fit.own import own_rows, with_own, with_own_decode
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


@pytest.mark.slow
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


def bench(number: int, cpu: str, figures: dict[str, float]) -> StoredBench:
    """Return a stored bench of one machine, as its record has it."""
    result = Result("quick")
    result.machine = {
        "cpu_name": cpu,
        "cores": 16,
        "gpus": [{"name": "RTX 4090", "memory_gb": 25.3}],
    }
    result.lines = [
        Line(name, value, "images/s", 0.01, 5, "of one worker; 11.3.0")
        for name, value in figures.items()
    ]
    found = parse_bench(result.document())
    machine = machine_of(found, Place("vast", number), load_hardware())
    stored = dataclasses.replace(machine, number=number)
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return StoredBench(number, stored, "file", at, result.document())


CPU_SPEEDS = {
    "AMD EPYC 7702": 1.0,
    "AMD EPYC 9554": 1.5,
    "Intel Xeon Gold 6226R": 1.1,
    "AMD Ryzen 9 7950X": 1.9,
    "Intel Xeon E5-2680 v4": 0.8,
}
"""CPUs of the table, and about what a core of each does."""


def test_decode_rates_of_benches_join_the_published() -> None:
    """Under protocols of their own; a CPU that no table has, and other lines, do not."""
    published = load_cpu_tables(models_folder())
    benches = [
        bench(at, cpu, {"decode.pillow.core": 280.0 * speed, "core.zlib": 20.0})
        for at, (cpu, speed) in enumerate(CPU_SPEEDS.items(), 1)
    ]
    benches.append(bench(9, "nobody's", {"decode.pillow.core": 100.0}))
    both = with_own_decode(published, benches, load_cpus())
    count = len(published.decode)
    own = both.decode.select(np.arange(count, len(both.decode)))
    assert own.cpu.tolist() == list(CPU_SPEEDS)
    assert set(own.protocol) == {"advisor-crop"}
    assert set(own.version) == {"11.3.0"}
    assert own.rate[0] == pytest.approx(280.0)
    assert both.worker_ipc is published.worker_ipc
    assert with_own_decode(published, [], load_cpus()) is published


def test_a_refit_on_cores_knows_them_better() -> None:
    """The exponent of the score is surer with the user's cores than without."""
    published = load_cpu_tables(models_folder())
    benches = [
        bench(at, cpu, {"decode.pillow.core": 280.0 * speed})
        for at, (cpu, speed) in enumerate(CPU_SPEEDS.items(), 1)
    ]
    both = with_own_decode(published, benches, load_cpus())
    before, after = (
        fit_core_speed(speed_rows(certain(one.decode), load_cpus()))
        for one in (published, both)
    )
    assert after.score_exponent_sd < before.score_exponent_sd
    assert after.score_exponent == pytest.approx(before.score_exponent, abs=0.15)


def test_a_card_has_the_share_that_its_machines_show() -> None:
    """One that nobody published follows them, one machine in part; the others stay."""
    tables = load_hardware()
    card = next(
        one
        for one in tables.gpus.rows
        if one.vendor == "NVIDIA" and one.name not in matmul_measurements()
    )
    fast, *more = (
        MeasuredMachine(
            *("vast", at, card.name, 1, "", None),
            {"gpu0.matmul.fp16": Figure(1.2 * card.fp16_tflops * card.matmul_share)},
        )
        for at in (1, 2, 3)
    )
    found = measured_gpus([fast, *more], tables.gpus)
    assert 1.1 < found[card.name].matmul_share / card.matmul_share < 1.2
    assert found["RTX 4090"] == tables.gpus["RTX 4090"]
    alone = measured_gpus([fast], tables.gpus)
    assert 1.0 < alone[card.name].matmul_share / card.matmul_share < 1.11
    assert records_of(fast).numbers == (7,)


def records_of(machine: MeasuredMachine) -> OwnRecords:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return OwnRecords({}, {}, [StoredBench(7, machine, "file", at, {})])
