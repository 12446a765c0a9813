"""Runs that the user made and measured."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from advisor.base.errors import StoreTornError, UsageError
from advisor.base.resources import STORE
from advisor.store.database import open_store, transaction
from advisor.store.numbers import missing, next_number
from advisor.store.sense import (
    is_amount,
    is_count,
    is_name,
    is_time,
    or_none,
    plain_text,
)
from advisor.throughput.user_runs import UserRun
from advisor.workloads.profile import LOADERS, Precision

_COLUMNS = tuple(field.name for field in fields(UserRun))


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as it is stored.

    Attributes
    ----------
    number : by which it is deleted
    run : what was measured
    source : where the throughput is from: ``"given"``, or the kind of log
    at : when it was recorded (UTC)
    evidence : what shows it: ``parts``, each with where it is from, and ``marks``; None
        for one that an older advisor stored
    """

    number: int
    run: UserRun
    source: str
    at: datetime
    evidence: Mapping[str, Any] | None


def store_run(
    connection: sqlite3.Connection,
    run: UserRun,
    source: str,
    at: datetime,
    evidence: Mapping[str, Any],
) -> int:
    """Keep a run with its evidence; return its number."""
    with transaction(connection):
        number = next_number(connection)
        connection.execute(
            f"INSERT INTO run ({', '.join(_COLUMNS)}, source, at, evidence, number) "  # noqa: S608
            f"VALUES ({', '.join('?' * (len(_COLUMNS) + 4))})",
            (*astuple(run), source, int(at.timestamp()), json.dumps(evidence), number),
        )
    return number


def stored_runs(
    connection: sqlite3.Connection, workload: str | None = None
) -> Sequence[StoredRun]:
    """Return the runs of a workload (of all if `None`), the oldest first."""
    return _stored(connection, ":key IS NULL OR workload = :key", workload)


def stored_run(connection: sqlite3.Connection, number: int) -> StoredRun:
    """Return the run of a number.

    Raises
    ------
    advisor.base.errors.UsageError
        if there is none of that number
    """
    found = _stored(connection, "number = :key", number)
    if not found:
        raise UsageError(missing(number))
    return found[0]


def _stored(
    connection: sqlite3.Connection, condition: str, key: str | int | None
) -> list[StoredRun]:
    rows = connection.execute(
        f"SELECT number, source, at, evidence, {', '.join(_COLUMNS)} FROM run "  # noqa: S608
        f"WHERE {condition} ORDER BY number",
        {"key": key},
    )
    return [_parsed(*row) for row in rows]


def _parsed(number: int, source: Any, at: Any, evidence: Any, *run: Any) -> StoredRun:
    """Return the run of a row.

    Raises
    ------
    advisor.base.errors.StoreTornError
        if it makes no sense: predictions would not rest on what they are said to
    """
    named = dict(zip(_COLUMNS, run, strict=True)) | {"source": source, "at": at}
    for name, makes_sense in _CHECKS.items():
        if not makes_sense(named[name]):
            raise _torn(number, f"its {name} is {plain_text(repr(named[name]))[:60]}")
    return StoredRun(
        number,
        UserRun(*run),
        source,
        datetime.fromtimestamp(at, UTC),
        None if evidence is None else _evidence(number, evidence),
    )


def _evidence(number: int, text: object) -> Mapping[str, Any]:
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _torn(number, f"its evidence is {plain_text(repr(text))[:60]}")
    return found


def _torn(number: int, why: str) -> StoreTornError:
    return StoreTornError(
        f"record {number} makes no sense, {why}: 'advisor records delete {number}' "
        "removes it"
    )


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "workload": is_name,
    "gpu": is_name,
    "num_gpus": is_count,
    "samples_per_s": lambda value: is_amount(value) and value > 0.0,
    "cpu": or_none(is_name),
    "threads": or_none(lambda value: is_amount(value) and value > 0.0),
    "cpu_ghz": or_none(lambda value: is_amount(value) and value > 0.0),
    "batch_size": is_count,
    "precision": get_args(Precision).__contains__,
    "loader": or_none(LOADERS.__contains__),
    "bench": or_none(is_count),
    "source": is_name,
    "at": is_time,
}


def recorded_runs(folder: Path) -> tuple[UserRun, ...]:
    """Return the runs that a user's data folder stores, the oldest first.

    Raises
    ------
    advisor.base.errors.AdvisorError
        if its file cannot be read
    """
    if not (folder / STORE).exists():
        return ()
    with open_store(folder) as connection:
        return tuple(one.run for one in stored_runs(connection))


def delete_run(connection: sqlite3.Connection, number: int) -> None:
    """Delete a run.

    Raises
    ------
    advisor.base.errors.UsageError
        if there is none of that number
    """
    with transaction(connection):
        found = connection.execute("DELETE FROM run WHERE number = ?", (number,))
    if not found.rowcount:
        raise UsageError(missing(number))
