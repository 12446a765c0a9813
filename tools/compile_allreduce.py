"""How fast the GPUs of whole servers exchange gradients: ``models/allreduce.csv``.

Derived from the steps of BERT-large on one and on several GPUs of the same server
(Lambda's logs): a ring all-reduce moves 2 (n - 1) / n of the gradients per GPU, and what
a step gets longer is taken for that time, so the rate is that of an exchange that nothing
hides. What is left out is counted by reason in ``allreduce.exclusions.json``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.base.errors import UsageError
from compile_gpus import read_gpus
from sources import Texts, csv_text, json_text, leave_out, read

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "allreduce.csv"

GRADIENTS_GB = 0.67
"""BERT-large: 335 million gradients in FP16 (DeepLearningExamples README)."""

COLUMNS = (
    "gpu",
    "host",
    "num_gpus",
    "efficiency",
    "step_s_1gpu",
    "step_s",
    "bus_gb_s",
    "cpu_name",
    "board",
    "source",
    "quality",
)


def allreduce_table(raw: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rates of exchange, one row per server and number of GPUs.

    Raises
    ------
    UsageError
        if a GPU has no line in the table of GPUs
    """
    unknown = sorted(set(raw["gpu_name"]) - set(read_gpus()["name"]))
    if unknown:
        message = f"models/sources/{SOURCE}: no GPU is called {unknown[0]!r}"
        raise UsageError(message)
    longer = raw["step_s"] - raw["step_s_1gpu"]
    rows, counts = leave_out(
        raw,
        [
            (
                "virtual machine: it need not pass peer-to-peer on",
                raw["host"].str.contains(r"\bVM\b"),
            ),
            (
                "no slower than one GPU: nothing to see of the exchange",
                raw["efficiency"].ge(1.0),
            ),
        ],
    )
    n = rows["num_gpus"]
    moved = 2 * (n - 1) / n * GRADIENTS_GB
    table = rows.assign(
        gpu=rows["gpu_name"],
        bus_gb_s=(moved / longer[rows.index]).round(2),
        source=rows["source"] + ":" + rows["source_path"],
    )
    counts["rates read"], counts["rates used"] = len(raw), len(table)
    return table[list(COLUMNS)].sort_values(["gpu", "host", "num_gpus"]), counts


def build() -> Texts:
    """Return the table, and what was left out of it."""
    table, counts = allreduce_table(read(SOURCE, ("gpu_name", "host", "step_s")))
    return {
        "models/allreduce.csv": csv_text(table),
        "models/allreduce.exclusions.json": json_text(counts),
    }
