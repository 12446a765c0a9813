"""The hardware tables as listings."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from advisor.base.errors import AdvisorError
from advisor.report.failure import with_error
from advisor.report.formats import Format, to_delimited, to_json
from advisor.report.tables import Column, Fitted, fitted

_SCHEMA_VERSION = 1

_AS_WRITTEN: Mapping[str, str] = {
    "usd per hour": "$/h",
    "samples per s": "samples/s",
    "num gpus": "GPUs",
    "gb s": "GB/s",
    "gb": "GB",
    "ghz": "GHz",
    "tflops": "TFLOPS",
    "tdp w": "TDP W",
    "fp32": "FP32",
    "fp16": "FP16",
    "gpu": "GPU",
    "cpu": "CPU",
}
"""Words of a field's name -> how people write them; the longer come first."""

_WRITTEN = re.compile(rf"\b(?:{'|'.join(_AS_WRITTEN)})\b")


def listing(
    name: str,
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[Column],
    output_format: Format,
    *,
    error: AdvisorError | None = None,
    width: int | None = None,
) -> Fitted:
    """Return rows of a table called `name` in one of the formats.

    A table for people shows `columns`, which have the names of fields; JSON, CSV and TSV
    show every field. With `error`, JSON also says why the command fails all the same.
    Unknown numbers (NaN) come out as ``?`` in a table, else as `None` or empty.

    Parameters
    ----------
    width : cells of a line of the table; None: any number
    """
    known = [{key: _known(value) for key, value in row.items()} for row in rows]
    if output_format == "json":
        document = {"schema_version": _SCHEMA_VERSION, name: known}
        return Fitted(to_json(with_error(document, error)), [])
    if output_format != "table":
        delimiter = "," if output_format == "csv" else "\t"
        return Fitted(to_delimited(known, delimiter), [])
    cells = [[_cell(row[column.name]) for column in columns] for row in known]
    first = known[0] if known else {}
    heads = [
        replace(
            one,
            name=_head(one.name),
            align="left" if isinstance(first.get(one.name), str) else "right",
        )
        for one in columns
    ]
    return fitted(heads, cells, width)


def _head(field: str) -> str:
    """Return the name of a field for people, its units as they are written.

    Examples
    --------
    >>> _head("memory_bandwidth_gb_s"), _head("usd_per_hour"), _head("ends_at")
    ('memory bandwidth GB/s', '$/h', 'ends at')
    """
    return _WRITTEN.sub(lambda found: _AS_WRITTEN[found[0]], field.replace("_", " "))


def _known(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


def _cell(value: object) -> str:
    if value is None:
        return "?"
    return f"{value:g}" if isinstance(value, float) else str(value)
