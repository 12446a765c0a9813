"""Figures of the model card: how far predictions are off, what a choice by them costs.

They are read from the card itself, `README.md` beside the artifact, which the evaluation
writes; an artifact of the user's own has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_CARD = "README.md"

_HELD_OUT: Mapping[str, str] = {
    "pair": "this GPU on this workload",
    "gpu": "this GPU, on every workload",
    "family": "every card with this chip",
    "model": "this workload, on every GPU",
    "source": "everything from this lab",
}
"""Split of the evaluation -> what the model had not seen."""

_CHOSEN_BY: Mapping[str, str] = {
    "advisor": "advisor",
    "dlperf_per_usd": "DLPerf per dollar",
    "tflops_per_usd": "TFLOPS per dollar",
    "cheapest": "lowest price per hour",
}
"""Chooser of the card -> its name for people."""

_OWN = "**this model**"


def model_card(folder: Path) -> dict[str, Any] | None:
    """Return the figures of the card in a folder of models; None where there is none.

    ``errors`` has, per kind of data that was held out, ``what``, ``rows``, the mean and
    median error, and the share of rows in the 90 % interval, and ``choices`` what the
    first pick of each chooser costs more than the best in hindsight. All are shares.
    """
    try:
        text = (folder / _CARD).read_text(encoding="utf-8")
    except OSError:
        return None
    errors = [
        {
            "what": _HELD_OUT[split],
            "mean": _share(mean),
            "median": _share(median),
            "inside": _share(inside),
            "rows": int(rows.replace(",", "")),
        }
        for split, who, mean, median, _, inside, rows in _rows(text, 7)
        if split in _HELD_OUT and who == _OWN
    ]
    choices = [
        {"who": _CHOSEN_BY[who], "extra": _share(extra)}
        for offers, who, extra, *_ in _rows(text, 7)
        if offers == "all" and who in _CHOSEN_BY
    ]
    if not errors or not choices:
        return None
    return {"errors": errors, "choices": sorted(choices, key=lambda one: one["extra"])}


def _rows(text: str, cells: int) -> Iterator[list[str]]:
    """Yield the rows of all tables with so many cells."""
    for line in re.findall(r"^\| (.*) \|$", text, re.MULTILINE):
        row = [cell.strip() for cell in f" {line} ".split("|")]
        if len(row) == cells:
            yield row


def _share(text: str) -> float:
    return round(float(text.removesuffix(" %")) / 100.0, 4)
