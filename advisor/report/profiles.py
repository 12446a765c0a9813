"""Workload profiles for people: a line each, and whole with what is guessed marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from advisor.report.tables import Column, Fitted, fitted
from advisor.workloads.dump import dump_workload
from advisor.workloads.parse import SET_BY_USER
from advisor.workloads.profile import Workload

_GUESSES = ("assumption", "assumed", "guess")
"""What the source of a figure begins with that nobody measured or published."""


def listed_rows(
    workloads: Sequence[Workload], files: Mapping[str, tuple[str, Path]]
) -> list[dict[str, Any]]:
    """Return a row for each profile: what it is, whose, and how long it trains."""
    return [
        {
            "name": workload.name,
            "of": files[workload.name][0] if workload.name in files else "built-in",
            "task": workload.task,
            "precision": workload.precision,
            "batch": workload.batch_size,
            "epochs": workload.epochs,
            "description": workload.description,
        }
        for workload in workloads
    ]


def listed_table(rows: Sequence[Mapping[str, Any]], width: int | None) -> Fitted:
    """Return rows of `listed_rows` as a table within a width."""
    columns = (
        Column("name", least=18, breaks=True),
        Column("of", dispensable=3),
        Column("task", least=12, breaks=True, dispensable=2),
        Column("precision", dispensable=1),
        Column("batch", "right"),
        Column("epochs", "right"),
        Column("description", least=24, breaks=True),
    )
    cells = [
        [
            f"{row[one.name]:,}" if one.name == "epochs" else str(row[one.name])
            for one in columns
        ]
        for row in rows
    ]
    return fitted(columns, cells, width)


def guessed(workload: Workload) -> list[str]:
    """Return the figures of a profile that are assumed, or have no source at all."""
    numbers = [one.name for one in fields(workload) if str(one.type) in {"float", "int"}]
    return [
        name
        for name in numbers
        if not (source := workload.sources.get(name, ""))
        or source.lower().startswith(_GUESSES)
    ]


def shown_text(workload: Workload) -> str:
    """Return a profile as TOML, each guessed figure marked, the user's own named."""
    marks = dict.fromkeys(guessed(workload), "guessed")
    own = [name for name, source in workload.sources.items() if source == SET_BY_USER]
    marks |= dict.fromkeys(own, "yours")
    return dump_workload(workload, marks).rstrip("\n")
