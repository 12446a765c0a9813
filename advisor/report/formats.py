"""Rows of plain dictionaries as JSON, CSV, TSV or a table for a terminal."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from advisor.base.units import GB_PER_GIB
from advisor.report.cells import pad, width_of, wrapped

Format = Literal["table", "json", "csv", "tsv"]


_GAP = 2
"""Spaces between a name and what there is to say of it."""

_LEAST_ROOM = 30
"""Characters below which wrapped text cannot be read."""


def to_json(document: Mapping[str, Any]) -> str:
    """Return a document as JSON that any parser and any terminal takes.

    No NaN, no Infinity, and nothing but ASCII.
    """
    return json.dumps(document, indent=2, allow_nan=False)


def to_json_line(document: Mapping[str, Any]) -> str:
    """Return a document as one line of such JSON."""
    return json.dumps(document, allow_nan=False)


def to_delimited(rows: Sequence[Mapping[str, Any]], delimiter: str) -> str:
    """Return rows with a header line, nested figures as columns of their own.

    A mapping ``limits`` with a key ``gpu`` becomes the column ``limits_gpu``,
    a list becomes its items joined by ``;``, `None` an empty cell. A text is no formula
    to a spreadsheet and no command to a terminal, see `_harmless`.
    """
    flat = [_flatten(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue().rstrip("\n")


def to_table(
    rows: Sequence[Sequence[object]], headers: Sequence[str], align: Sequence[str]
) -> str:
    """Return rows as a table for a terminal; `align` is one word per column."""
    from tabulate import tabulate  # noqa: PLC0415  (JSON and CSV need no tables)

    return tabulate(
        rows, headers, tablefmt="simple", disable_numparse=True, colalign=align
    )


def lines_of(pairs: Sequence[tuple[str, str]], width: int | None = None) -> str:
    """Return a line for each name and what there is to say of it.

    Parameters
    ----------
    width : cells of a line, within which the text is wrapped; a name for which there is
        no room stands on lines of its own. None: any number
    """
    if width is None:
        names = max(width_of(name) for name, _ in pairs)
        gap = " " * _GAP
        return "\n".join(
            f"{pad(name, names, 'left')}{gap}{text}".rstrip() for name, text in pairs
        )
    most = max(width - _LEAST_ROOM - _GAP, 0)
    names = max((w for name, _ in pairs if (w := width_of(name)) <= most), default=0)
    indent = names + _GAP
    lines = list[str]()
    for name, text in pairs:
        begun = wrapped(name, width) if width_of(name) > names else []
        first, *others = wrapped(text, max(width - indent, 1))
        head = "" if begun else name
        lines += begun
        lines.append(f"{pad(head, indent, 'left')}{first}".rstrip())
        lines += [" " * indent + other for other in others]
    return "\n".join(lines)


def as_sold(gpu_gb: float) -> float:
    """Return GPU memory of 10^9 bytes in the GB that cards are sold by, 2^30 bytes."""
    return gpu_gb / GB_PER_GIB


_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""What begins a formula: OWASP, "CSV Injection"; some locales have it in full width."""


def _harmless(text: str) -> str:
    """Return a text that a spreadsheet shows and does not compute, nor a terminal obey.

    A formula gets a quotation mark before it, by which spreadsheets know a text. Of what
    cannot be printed line breaks and tabs stay, which a CSV may hold.
    """
    if not text.isprintable():
        text = "".join(one for one in text if one.isprintable() or one in "\n\t")
    return f"'{text}" if text.startswith(_FORMULA) else text


def _flatten(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}_{key}": inner for key, inner in value.items()}
        elif isinstance(value, (list, tuple)):
            flat[name] = ";".join(map(str, value))
        else:
            flat[name] = value
    return {
        name: _harmless(value) if isinstance(value, str) else value
        for name, value in flat.items()
    }
