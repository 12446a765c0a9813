"""Runs that the user made and measured."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from advisor.errors import UsageError
from advisor.resources import STORE
from advisor.store.database import open_store, transaction
from advisor.throughput.own_runs import OwnRun

_COLUMNS = tuple(field.name for field in fields(OwnRun))


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run as it is kept.

    Attributes
    ----------
    number : by which it is deleted
    run : what was measured
    source : where the throughput is from: ``"given"``, or the kind of log
    at : when it was recorded (UTC)
    evidence : what shows it: ``parts``, each with where it is from, and ``marks``; None
        for one that an older advisor kept
    """

    number: int
    run: OwnRun
    source: str
    at: datetime
    evidence: Mapping[str, Any] | None


def keep_run(
    connection: sqlite3.Connection,
    run: OwnRun,
    source: str,
    at: datetime,
    evidence: Mapping[str, Any],
) -> int:
    """Keep a run with its evidence; return its number."""
    with transaction(connection):
        cursor = connection.execute(
            f"INSERT INTO run ({', '.join(_COLUMNS)}, source, at, evidence) "  # noqa: S608
            f"VALUES ({', '.join('?' * (len(_COLUMNS) + 3))})",
            (*astuple(run), source, int(at.timestamp()), json.dumps(evidence)),
        )
    return int(cursor.lastrowid or 0)


def kept_runs(
    connection: sqlite3.Connection, workload: str | None = None
) -> Sequence[KeptRun]:
    """Return the runs of a workload (of all if `None`), the oldest first."""
    return _kept(connection, ":key IS NULL OR workload = :key", workload)


def kept_run(connection: sqlite3.Connection, number: int) -> KeptRun:
    """Return the run of a number.

    Raises
    ------
    advisor.errors.UsageError
        if there is none of that number
    """
    found = _kept(connection, "number = :key", number)
    if not found:
        raise UsageError(_missing(number))
    return found[0]


def _kept(
    connection: sqlite3.Connection, condition: str, key: str | int | None
) -> list[KeptRun]:
    rows = connection.execute(
        f"SELECT number, source, at, evidence, {', '.join(_COLUMNS)} FROM run "  # noqa: S608
        f"WHERE {condition} ORDER BY number",
        {"key": key},
    )
    return [
        KeptRun(
            number,
            OwnRun(*run),
            source,
            datetime.fromtimestamp(at, UTC),
            None if evidence is None else json.loads(evidence),
        )
        for number, source, at, evidence, *run in rows
    ]


def recorded_runs(folder: Path, workload: str) -> tuple[OwnRun, ...]:
    """Return the runs of a workload that a user's data folder keeps, if it keeps any.

    Raises
    ------
    advisor.errors.AdvisorError
        if its file cannot be read
    """
    if not (folder / STORE).exists():
        return ()
    with open_store(folder) as connection:
        return tuple(one.run for one in kept_runs(connection, workload))


def delete_run(connection: sqlite3.Connection, number: int) -> None:
    """Delete a run.

    Raises
    ------
    advisor.errors.UsageError
        if there is none of that number
    """
    with transaction(connection):
        found = connection.execute("DELETE FROM run WHERE number = ?", (number,))
    if not found.rowcount:
        raise UsageError(_missing(number))


def _missing(number: int) -> str:
    return f"there is no record {number}; 'advisor records list' shows them"
