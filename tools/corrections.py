"""Where a published table was read wrongly: what a figure says instead, and why.

``corrections/`` of the sources has one file for each file of ``training/`` that needs
one, by the same name. The figures stay as they were collected; each line says which of
them it means, what it changes, and what in the source shows it. A line that no figure
answers to, or whose figures are not as it says, is refused: it is out of date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from advisor.base.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = """
    source source_path says precision throughput column was right why seen_in
""".split()  # noqa: SIM905  (a line each otherwise)
"""What each line has. The figures of it are those of `source` and `source_path` whose
notes contain `says`, of this `precision` (empty: not stated) and `throughput` (empty:
any). Their `column` is not `was` but `right`; without a `column` they are but told
`why`, which is added to their notes: words there leave a figure out. `seen_in` is the
repository and the commit in which the source was read."""

CORRECTED = ("batch_size_per_gpu", "num_gpus", "throughput")
"""Columns that can be corrected."""


def correct(name: str, table: pd.DataFrame, corrections: pd.DataFrame) -> pd.DataFrame:
    """Return the figures as the corrections say.

    Raises
    ------
    UsageError
        with the line of a correction that does not fit the figures
    """
    table = table.assign(
        notes=table["notes"].fillna(""),
        **{column: table[column].astype(float) for column in CORRECTED},
    )
    found = [_figures(name, table, line) for _, line in corrections.iterrows()]
    for rows, (_, line) in zip(found, corrections.iterrows(), strict=True):
        if line["column"]:
            table.loc[rows, line["column"]] = float(line["right"])
        table.loc[rows, "notes"] += f"; {line['why']}"
    return table


def _figures(name: str, table: pd.DataFrame, line: pd.Series[str]) -> pd.Index[int]:
    """Return the index of the figures that a correction means.

    Raises
    ------
    UsageError
        if there are none, or if they are not as it says
    """
    rows = table["source"].eq(line["source"])
    rows &= table["source_path"].eq(line["source_path"])
    rows &= table["precision"].fillna("").eq(line["precision"])
    if line["throughput"]:
        rows &= table["throughput"].eq(float(line["throughput"]))
    meant = table[rows]
    meant = meant[meant["notes"].str.contains(line["says"], regex=False)]
    where = f"models/sources/{name}, line {int(str(line.name)) + 2}"
    if meant.empty:
        message = f"{where}: no figure of {line['source_path']} says {line['says']!r}"
        raise UsageError(message)
    if line["column"]:
        if line["column"] not in CORRECTED:
            message = f"{where}: column is {line['column']}: {', '.join(CORRECTED)}"
            raise UsageError(message)
        was = float(line["was"]) if line["was"] else np.nan
        there = meant[line["column"]]
        if not (there.eq(was) | (there.isna() & np.isnan(was))).all():
            has = ", ".join(map(str, sorted(set(there))))
            message = f"{where}: {line['column']} is {has}, not {line['was'] or 'empty'}"
            raise UsageError(message)
    return meant.index
