"""The folder of models: trained, evaluated and described as a whole.

It holds the benchmark table, what was left out of it, DLPerf medians (a baseline),
the artefact and its card. Needs scikit-learn; the ranking does not import this.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from advisor.hardware.gpus import load_gpus
from advisor.throughput.artefact import ARTEFACT
from advisor.throughput.evaluate.card import load_exclusions, model_card
from advisor.throughput.evaluate.ratios import SPLITS, Evaluation, evaluate, load_dlperf
from advisor.throughput.fit.benchmarks import load_benchmarks, table_hash
from advisor.throughput.fit.train import train
from advisor.throughput.gpu_model import GpuModel

TABLE = "benchmarks.csv"
EXCLUSIONS = "benchmarks.exclusions.json"
DLPERF = "dlperf.csv"
CARD = "README.md"


def train_folder(folder: Path, today: date) -> GpuModel:
    """Train on the folder's table; `today` is the date that the card shows."""
    about = {"date": today.isoformat(), "table": table_hash(folder / TABLE)}
    return train(load_benchmarks(folder / TABLE), load_gpus(), about)


def evaluate_folder(folder: Path, splits: Sequence[str] = SPLITS) -> Evaluation:
    """Evaluate on the folder's table: hold out, refit, predict, for each split."""
    return evaluate(
        load_benchmarks(folder / TABLE),
        load_gpus(),
        splits,
        load_dlperf(folder / DLPERF),
    )


def card_of_folder(folder: Path) -> str:
    """Return the card of the folder's artefact, with a fresh evaluation."""
    return model_card(
        GpuModel.load(folder / ARTEFACT),
        evaluate_folder(folder),
        load_benchmarks(folder / TABLE),
        load_exclusions(folder / EXCLUSIONS),
    )
