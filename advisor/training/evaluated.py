"""The errors of the throughput model as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from advisor.report.formats import to_table
from advisor.report.plots import Panel
from advisor.training.evaluate.run import Evaluation
from advisor.training.evaluate.set_up import (
    AS_IT_RAN,
    OTHER_PRECISION,
    OTHER_SERIES,
    OTHER_WORKLOADS,
    PARTS,
)

_HEADERS = ("split", "predictor", "MAPE %", "median %", "p90 %", "90 % covers", "n")
_ALIGN = ("left", "left", *["right"] * 5)
_PARTS = {
    AS_IT_RAN: "  as it ran",
    OTHER_PRECISION: "  another precision",
    OTHER_SERIES: "  another series",
    OTHER_WORKLOADS: "  other workloads",
    "level_known": "  its level known",
    "rented": "  cards rented most",
    "true_fp32": "  plain FP32, no TF32",
    "with_left_out": "  with what is left out",
}

_REGRET = (
    "offers",
    "chosen by",
    "extra $ %",
    "90 % interval",
    "hit@3 %",
    "tau",
    "groups",
)
_REGRET_ALIGN = ("left", "left", *["right"] * 5)

_KNOWN = (
    "profile",
    "GPU",
    "precision",
    "source held out",
    "measured",
    "predicted",
    "90 % interval",
)
_KNOWN_ALIGN = (*["left"] * 4, *["right"] * 3)


def evaluation_table(evaluation: Evaluation) -> str:
    """Return the errors by split, what choosing by them costs, known machines."""
    tables = [to_table(list(_rows(evaluation)), _HEADERS, _ALIGN)]
    if evaluation.regret:
        rows = list(_regret_rows(evaluation.regret))
        tables.append(to_table(rows, _REGRET, _REGRET_ALIGN))
    if evaluation.known:
        rows = list(_known_rows(evaluation.known))
        tables.append(to_table(rows, _KNOWN, _KNOWN_ALIGN))
    return "\n\n".join(tables)


def panels(evaluation: Evaluation) -> list[Panel]:
    """Return predicted beside measured, split by split, to be drawn."""
    found = []
    for split, of in evaluation.compared.items():
        if len(of.measured):
            mape = evaluation.splits[split]["mape"]
            caption = f"{len(of.measured):,} rows, mean error {mape * 100:.1f} %"
            found.append(Panel(split, caption, of.unit, of.measured, of.predicted))
    return found


def _rows(evaluation: Evaluation) -> Iterator[list[str]]:
    for split, own in evaluation.splits.items():
        yield _row(split, "advisor", own)
        for part, words in _PARTS.items():
            if part in own:
                yield _row("", words, own[part])
        for beside in (evaluation.baselines, evaluation.regressors):
            for name, errors in beside.get(split, {}).items():
                yield _row("", name, errors)
                for part in PARTS:
                    if part in errors:
                        yield _row("", _PARTS[part], errors[part])


def _row(split: str, name: str, errors: Mapping[str, Any]) -> list[str]:
    figures = ("mape", "median_ape", "p90_ape", "coverage90")
    values = [f"{errors[f] * 100:.1f}" if f in errors else "" for f in figures]
    return [split, name, *values, f"{errors['n']:,}"]


def _regret_rows(regret: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    for offers, policies in regret.items():
        for place, (policy, figures) in enumerate(policies.items()):
            low, high = (figures.get(f"mean_extra_{end}") for end in ("low", "high"))
            interval = "" if low is None else f"{low * 100:.1f} - {high * 100:.1f}"
            yield [
                offers if place == 0 else "",
                policy,
                _scaled(figures.get("mean_extra"), 100.0, 1),
                interval,
                _scaled(figures.get("hit3"), 100.0, 0),
                _scaled(figures.get("kendall_tau"), 1.0, 2),
                f"{figures['n']:,}",
            ]


def _known_rows(known: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    for one in known:
        yield [
            one["profile"],
            one["gpu"],
            one["precision"],
            one["source"],
            f"{one['measured']:,.0f}",
            f"{one['predicted']:,.0f}",
            f"{one['low']:,.0f} - {one['high']:,.0f}",
        ]


def _scaled(value: float | None, by: float, digits: int) -> str:
    return "" if value is None else f"{value * by:.{digits}f}"
