"""The published figures in ``models/sources``: read, and left out by counted reasons."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from advisor.base.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "models" / "sources"

Texts = dict[str, str]
"""What a table's builder returns: path in the checkout -> the file's text."""


def read(name: str, needed: Collection[str] = (), **options: Any) -> pd.DataFrame:
    """Return a table of `SOURCES`; numbers are read to the last bit.

    Raises
    ------
    UsageError
        if the file is no CSV or lacks one of the columns that are `needed`
    """
    try:
        table = pd.read_csv(
            SOURCES / name, low_memory=False, float_precision="round_trip", **options
        )
    except (ValueError, OSError) as error:
        message = f"models/sources/{name}: {str(error).strip()}"
        raise UsageError(message) from error
    missing = [column for column in needed if column not in table]
    if missing:
        message = f"models/sources/{name}: no column {', '.join(missing)}"
        raise UsageError(message)
    return table


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
