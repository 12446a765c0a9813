"""The folder of models: trained, evaluated and described as a whole.

It holds the benchmark tables, which of their rows are trained on and evaluated, what was
left out, DLPerf medians (a baseline), the artifact and its card. Needs scikit-learn; the
ranking does not import this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from advisor.base.progress import Progress, doing, quiet
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.report.plots import need
from advisor.store.benches import StoredBench
from advisor.throughput.artifact import ARTIFACT, ThroughputModel, read_model
from advisor.throughput.known import measured_gpus
from advisor.throughput.user_runs import UserRun
from advisor.training.evaluate.baselines import Dlperf, load_dlperf
from advisor.training.evaluate.calibration import calibration_plot
from advisor.training.evaluate.card import model_card
from advisor.training.evaluate.known import PROFILES
from advisor.training.evaluate.needed import ASKED_FOR, measurements_needed
from advisor.training.evaluate.regret import load_prices
from advisor.training.evaluate.run import EVERY_SPLIT, Evaluation, Inputs, evaluate
from advisor.training.fit.benchmarks import Benchmarks, load_benchmarks, table_hash
from advisor.training.fit.cpu import fit_host
from advisor.training.fit.cpu_tables import load_cpu_tables
from advisor.training.fit.own import own_rows, with_own, with_own_decode
from advisor.training.fit.row_use import load_row_use
from advisor.training.fit.tables import read_table
from advisor.training.fit.train import train
from advisor.workloads.load import load_workload
from advisor.workloads.profile import Workload

TABLE = "benchmarks.csv"
AUXILIARY = "auxiliary.csv"
ROW_USE = "row_use.csv"
EXCLUSIONS = "benchmarks.exclusions.json"
DLPERF = "dlperf.csv"
PRICES = "prices.csv"
CARD = "README.md"
PLOT = "calibration.svg"

FEWEST_MACHINES = 5
"""Machines that a median of DLPerf must rest on to judge another one by."""


def load_tables(folder: Path) -> Benchmarks:
    """Return the rows of the benchmark table and, after them, the auxiliary ones."""
    return load_benchmarks(folder / TABLE) + load_benchmarks(folder / AUXILIARY)


@dataclass(frozen=True, slots=True)
class OwnRecords:
    """What the user measured, for a refit.

    Attributes
    ----------
    runs : number of each record -> run
    profiles : name -> profile
    benches : of machines
    """

    runs: Mapping[int, UserRun]
    profiles: Mapping[str, Workload]
    benches: Sequence[StoredBench] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """Records of machines that speak of a core or a card."""
        spoke = ("decode.", "gpu0.matmul.")
        return tuple(
            one.number
            for one in self.benches
            if any(name.startswith(spoke) for name in one.machine.figures)
        )


def train_folder(
    folder: Path,
    today: date,
    records: OwnRecords | None = None,
    progress: Progress = quiet,
) -> ThroughputModel:
    """Train on the folder's tables, and on what the user measured.

    Parameters
    ----------
    folder : of the tables
    today : the date that the card shows
    records : of the user; its `Provenance` has the numbers of those that train it
    progress : is told what the training is at
    """
    tables = load_tables(folder)
    about: dict[str, Any] = {
        "date": today.isoformat(),
        "table": table_hash(folder / TABLE),
        "auxiliary": table_hash(folder / AUXILIARY),
        "cells": table_hash(folder / ROW_USE),
    }
    row_use, gpus = load_row_use(folder / ROW_USE, tables), load_gpus()
    cpu_tables = load_cpu_tables(folder)
    if records is not None:
        gpus = measured_gpus([one.machine for one in records.benches], gpus)
        cpu_tables = with_own_decode(cpu_tables, records.benches, load_cpus())
        runs = list(records.runs.values())
        own, is_training = own_rows(runs, records.profiles, tables, gpus, today.year)
        row_use, tables = with_own(row_use, tables, own), tables + own
        numbers = zip(records.runs, is_training, strict=True)
        trained = {number for number, used in numbers if used}
        about["own_records"] = tuple(sorted(trained | {*records.numbers}))
    with doing(progress, "fitting CPUs"):
        host = fit_host(cpu_tables, load_cpus())
    model = train(tables, row_use, gpus, about, host, progress=progress)
    return replace(model, dlperf=load_dlperf_medians(folder / DLPERF))


def load_dlperf_medians(path: Path) -> dict[str, dict[str, float]]:
    """Return canonical GPU name -> GPUs of the offer -> median DLPerf of one GPU."""
    table = read_table(path, Dlperf, "table of DLPerf")
    frame = table.select(table.machines >= FEWEST_MACHINES).frame()
    frame["num_gpus"] = frame["num_gpus"].astype(str)
    by_count = frame.set_index("num_gpus")["dlperf_per_gpu_median"]
    return {
        str(name): by_count.iloc[places].to_dict()  # type: ignore[misc]
        for name, places in frame.groupby("gpu").indices.items()
    }


def evaluate_folder(
    folder: Path, splits: Sequence[str] = EVERY_SPLIT, progress: Progress = quiet
) -> Evaluation:
    """Evaluate on the folder's tables: hold out, refit, predict, for each split.

    ``joblib.parallel_config`` around the call says how many folds run at once, and
    where (see `advisor.base.parallel`).
    """
    tables = load_tables(folder)
    inputs = Inputs(
        tables=tables,
        row_use=load_row_use(folder / ROW_USE, tables),
        gpus=load_gpus(),
        cpus=load_cpus(),
        dlperf=load_dlperf(folder / DLPERF),
        prices=load_prices(folder / PRICES),
        cpu_tables=load_cpu_tables(folder),
        profiles={name: load_workload(name) for name in PROFILES},
    )
    return evaluate(inputs, splits, progress)


def write_card(folder: Path, path: Path, progress: Progress = quiet) -> None:
    """Write the card of the folder's artifact after a fresh evaluation.

    The calibration plot goes beside the card (`PLOT`).
    """
    need("matplotlib", "the plot of the card")
    evaluation = evaluate_folder(folder, progress=progress)
    plot = calibration_plot(evaluation.errors, evaluation.log_sds)
    tables, model = load_tables(folder), read_model(folder / ARTIFACT)
    card = model_card(
        model,
        evaluation,
        load_benchmarks(folder / TABLE),
        load_row_use(folder / ROW_USE, tables),
        json.loads((folder / EXCLUSIONS).read_text(encoding="utf-8")),
        needed=measurements_needed(model, load_gpus(), ASKED_FOR),
    )
    path.with_name(PLOT).write_text(plot, encoding="utf-8", newline="\n")
    path.write_text(card, encoding="utf-8", newline="\n")
