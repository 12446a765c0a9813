"""The published figures in ``models/sources``: read, and left out by counted reasons."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from advisor.base.errors import UsageError
from benchmark_labels import LABELS
from corrections import COLUMNS, correct

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "models" / "sources"

Texts = dict[str, str]
"""What a table's builder returns: path in the checkout -> the file's text."""


def read(name: str, needed: Collection[str] = (), **options: Any) -> pd.DataFrame:
    """Return a table of `SOURCES`.

    Raises
    ------
    UsageError
        if the file is no CSV, or lacks one of the columns that are `needed`
    """
    try:
        table = pd.read_csv(SOURCES / name, low_memory=False, **options)
    except (ValueError, OSError) as error:
        message = f"models/sources/{name}: {str(error).strip()}"
        raise UsageError(message) from error
    if not isinstance(table.index, pd.RangeIndex):
        message = f"models/sources/{name}: its rows have more cells than its header"
        raise UsageError(message)
    missing = [column for column in needed if column not in table]
    if missing:
        message = f"models/sources/{name}: no column {', '.join(missing)}"
        raise UsageError(message)
    return table


TRAINING_COLUMNS = """
    source source_path year task model framework precision batch_size_per_gpu gpu_name
    num_gpus throughput throughput_unit
""".split()  # noqa: SIM905  (a line each otherwise)
"""What every file of training figures has. Others are optional: `OPTIONAL`."""

OPTIONAL = {
    "image_size_or_seq_len": np.nan,
    "cpu_name": np.nan,
    "cpu_cores": np.nan,
    "cpu_ghz": np.nan,
    "synthetic_data": np.nan,
    "dataloader": np.nan,
    "params_m": np.nan,
    "gmacs": np.nan,
    "notes": "",
    "suspect": False,
    **dict.fromkeys(LABELS, ""),
    "quality": "",
}
"""Columns that a file of training figures may leave out -> what then stands in them."""

NUMBERS = ("year", "batch_size_per_gpu", "num_gpus", "throughput", "params_m", "gmacs")
PRECISIONS = ("fp32", "tf32", "amp", "fp16", "bf16", "fp8", "fp4", "int8")
QUALITIES = ("A", "B", "C")
"""Systematic table or raw log; one clean report, or a vendor's table; loose report."""


def read_training() -> pd.DataFrame:
    """Return the figures of all files in ``training/``, one row each, `file` its name.

    What was read wrongly is as ``corrections/`` says.

    Raises
    ------
    UsageError
        with the file, the line and what is allowed
    """
    tables = []
    for path in sorted((SOURCES / "training").glob("*.csv*")):
        name = f"training/{path.name}"
        table = read(name, TRAINING_COLUMNS)
        if unknown := sorted(set(table) - {*TRAINING_COLUMNS, *OPTIONAL}):
            allowed = (
                f"{', '.join(TRAINING_COLUMNS)} are needed, {', '.join(OPTIONAL)} may be"
            )
            message = f"models/sources/{name}: unknown column {unknown[0]}; {allowed}"
            raise UsageError(message)
        table = pd.DataFrame(OPTIONAL | table.to_dict("series"))
        refuse_figures(name, table)
        table = corrected(path.name.split(".")[0], table)
        table["suspect"] = table["suspect"].astype(str).str.lower().eq("true")
        table["file"] = path.name.split(".")[0]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def corrected(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return the figures of a file as its corrections say, where it has any."""
    name = f"corrections/{name}.csv"
    if not (SOURCES / name).is_file():
        return table
    lines = read(name, COLUMNS, dtype=str, keep_default_na=False)
    return correct(name, table, lines)


def refuse_figures(name: str, table: pd.DataFrame) -> None:
    """Raise an error that names the first training figure that cannot be right.

    Raises
    ------
    UsageError
        if there is one
    """
    for column in ("source", "source_path", "model", "gpu_name", "throughput"):
        refuse(name, table, table[column].isna(), f"{column} is empty")
    rooted = table["source_path"].astype(str).str.startswith("/")
    refuse(
        name, table, rooted, "source_path is {source_path}: without the first /, please"
    )
    for column in NUMBERS:
        number = pd.to_numeric(table[column], errors="coerce")
        wrong = table[column].notna() & ~number.gt(0)
        refuse(name, table, wrong, f"{column} is {{{column}}}: a number above 0, please")
    known = table["precision"].isna() | table["precision"].isin(PRECISIONS)
    says = f"precision is {{precision}}: one of {', '.join(PRECISIONS)}, or nothing"
    refuse(name, table, ~known, says)
    for column, words in {**LABELS, "quality": QUALITIES}.items():
        empty = table[column].isna() | table[column].eq("")
        says = f"{column} is {{{column}}}: one of {', '.join(words)}, or nothing"
        refuse(name, table, bool(words) & ~empty & ~table[column].isin(words), says)


def refuse(name: str, table: pd.DataFrame, rows: pd.Series, what: str) -> None:
    """Raise an error that names the first of the `rows` at fault by its line.

    Raises
    ------
    UsageError
        if there is one
    """
    if rows.any():
        first = int(np.flatnonzero(rows)[0])
        message = f"models/sources/{name}, line {first + 2}: {what}"
        raise UsageError(message.format(**table.iloc[first].to_dict()))


def leave_out(
    rows: pd.DataFrame, rules: Iterable[tuple[str, pd.Series]]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows that no rule leaves out, and how many each one does.

    A row to which several rules apply counts for the first of them.
    """
    reason = pd.Series("", index=rows.index)
    for text, out in rules:
        reason = reason.mask(reason.eq("") & out, text)
    counts = reason[reason.ne("")].value_counts()
    return rows[reason.eq("")].copy(), {str(k): int(v) for k, v in counts.items()}


def csv_text(table: pd.DataFrame, digits: int = 10) -> str:
    """Return a table as CSV with so many significant digits; NaN is an empty cell."""
    return table.to_csv(index=False, float_format=f"%.{digits}g", lineterminator="\n")


def json_text(counts: dict[str, Any]) -> str:
    """Return counts as JSON, a line each."""
    return json.dumps(counts, indent=1) + "\n"
