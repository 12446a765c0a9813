"""The errors of the throughput model as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from advisor.report.formats import to_table
from advisor.throughput.evaluate.ratios import Evaluation

_HEADERS = ("split", "predictor", "MAPE %", "median %", "p90 %", "90 % covers", "n")
_ALIGN = ("left", "left", *["right"] * 5)


def evaluation_table(evaluation: Evaluation) -> str:
    """Return one row for the model and for each baseline, split by split."""
    return to_table(list(_rows(evaluation)), _HEADERS, _ALIGN)


def _rows(evaluation: Evaluation) -> Iterator[list[str]]:
    for split, own in evaluation.splits.items():
        yield _row(split, "advisor", own)
        for name, errors in evaluation.baselines[split].items():
            yield _row("", name, errors)


def _row(split: str, name: str, errors: Mapping[str, float]) -> list[str]:
    figures = ("mape", "median_ape", "p90_ape", "coverage90")
    cells = [f"{errors[f] * 100:.1f}" if f in errors else "" for f in figures]
    return [split, name, *cells, f"{errors['n']:,}"]
