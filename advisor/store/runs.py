"""Runs that the user made and measured."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

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
    """

    number: int
    run: OwnRun
    source: str
    at: datetime


def keep_run(
    connection: sqlite3.Connection, run: OwnRun, source: str, at: datetime
) -> int:
    """Keep a run; return its number."""
    with transaction(connection):
        cursor = connection.execute(
            f"INSERT INTO run ({', '.join(_COLUMNS)}, source, at) "  # noqa: S608
            f"VALUES ({', '.join('?' * (len(_COLUMNS) + 2))})",
            (*astuple(run), source, int(at.timestamp())),
        )
    return int(cursor.lastrowid or 0)


def kept_runs(
    connection: sqlite3.Connection, workload: str | None = None
) -> Sequence[KeptRun]:
    """Return the runs of a workload (of all if `None`), the oldest first."""
    rows = connection.execute(
        f"SELECT number, source, at, {', '.join(_COLUMNS)} FROM run "  # noqa: S608
        "WHERE :workload IS NULL OR workload = :workload ORDER BY number",
        {"workload": workload},
    )
    return [
        KeptRun(number, OwnRun(*run), source, datetime.fromtimestamp(at, UTC))
        for number, source, at, *run in rows
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
        message = f"there is no record {number}; 'advisor records list' shows them"
        raise UsageError(message)
