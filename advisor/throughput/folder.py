"""The folder of models: trained, evaluated and described as a whole.

It holds the benchmark tables, which of their rows teach and are scored, what was left
out, DLPerf medians (a baseline), the artefact and its card. Needs scikit-learn; the
ranking does not import this.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.throughput.artefact import ARTEFACT
from advisor.throughput.evaluate.baselines import load_dlperf
from advisor.throughput.evaluate.calibration import calibration_plot
from advisor.throughput.evaluate.card import model_card
from advisor.throughput.evaluate.regret import load_prices
from advisor.throughput.evaluate.run import EVERY_SPLIT, Evaluation, Inputs, evaluate
from advisor.throughput.fit.benchmarks import Benchmarks, load_benchmarks, table_hash
from advisor.throughput.fit.cells import load_cells
from advisor.throughput.fit.cpu import fit_host
from advisor.throughput.fit.cpu_tables import load_cpu_tables
from advisor.throughput.fit.train import train
from advisor.throughput.gpu_model import GpuModel
from advisor.throughput.gpu_store import load_gpu_model

TABLE = "benchmarks.csv"
AUXILIARY = "auxiliary.csv"
CELLS = "cells.csv"
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


def train_folder(folder: Path, today: date) -> GpuModel:
    """Train on the folder's tables; `today` is the date that the card shows."""
    tables = load_tables(folder)
    about = {
        "date": today.isoformat(),
        "table": table_hash(folder / TABLE),
        "auxiliary": table_hash(folder / AUXILIARY),
        "cells": table_hash(folder / CELLS),
    }
    cells = load_cells(folder / CELLS, tables)
    host = fit_host(load_cpu_tables(folder), load_cpus())
    model = train(tables, cells, load_gpus(), about, host)
    return replace(model, dlperf=load_dlperf_medians(folder / DLPERF))


def load_dlperf_medians(path: Path) -> dict[str, dict[str, float]]:
    """Return canonical GPU name -> GPUs of the offer -> median DLPerf of one GPU."""
    medians: dict[str, dict[str, float]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if int(row["machines"]) >= FEWEST_MACHINES:
                by_count = medians.setdefault(row["gpu"], {})
                by_count[row["num_gpus"]] = float(row["dlperf_per_gpu_median"])
    return medians


def evaluate_folder(folder: Path, splits: Sequence[str] = EVERY_SPLIT) -> Evaluation:
    """Evaluate on the folder's tables: hold out, refit, predict, for each split."""
    tables = load_tables(folder)
    inputs = Inputs(
        tables=tables,
        cells=load_cells(folder / CELLS, tables),
        gpus=load_gpus(),
        cpus=load_cpus(),
        dlperf=load_dlperf(folder / DLPERF),
        prices=load_prices(folder / PRICES),
        cpu_tables=load_cpu_tables(folder),
    )
    return evaluate(inputs, splits)


def write_card(folder: Path, path: Path) -> None:
    """Write the card of the folder's artefact after a fresh evaluation.

    The calibration plot goes beside the card (`PLOT`).
    """
    evaluation = evaluate_folder(folder)
    plot = calibration_plot(evaluation.errors, evaluation.log_sds)
    tables = load_tables(folder)
    card = model_card(
        load_gpu_model(folder / ARTEFACT),
        evaluation,
        load_benchmarks(folder / TABLE),
        load_cells(folder / CELLS, tables),
        json.loads((folder / EXCLUSIONS).read_text(encoding="utf-8")),
    )
    path.with_name(PLOT).write_text(plot, encoding="utf-8", newline="\n")
    path.write_text(card, encoding="utf-8", newline="\n")
