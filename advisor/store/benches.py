"""Machines that the user measured: the results of benches."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from advisor.base.errors import StoreTornError, UsageError
from advisor.base.resources import STORE
from advisor.hardware.measured import Figure, MeasuredMachine
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

MOST_MACHINES = 50
"""Measured machines that count, the latest: kinds are known by then, and what they say
takes time that grows with the cube of their number."""

_COLUMNS = ("market", "machine_id", "gpu", "num_gpus", "cpu", "cores", "figures")


@dataclass(frozen=True, slots=True)
class StoredBench:
    """A measured machine as it is stored.

    Attributes
    ----------
    number : by which it is deleted
    machine : what was measured
    source : where it is from, such as ``"file"``
    at : when it was measured, by the clock that stored it (UTC)
    document : the whole result, as the bench printed it
    """

    number: int
    machine: MeasuredMachine
    source: str
    at: datetime
    document: Mapping[str, Any]


def store_bench(
    connection: sqlite3.Connection,
    machine: MeasuredMachine,
    source: str,
    at: datetime,
    document: Mapping[str, Any],
) -> int:
    """Keep a measured machine with the whole result; return its number."""
    figures = {name: list(figure) for name, figure in machine.figures.items()}
    with transaction(connection):
        number = next_number(connection)
        connection.execute(
            f"INSERT INTO bench (number, {', '.join(_COLUMNS)}, source, at, document) "  # noqa: S608
            f"VALUES ({', '.join('?' * (len(_COLUMNS) + 4))})",
            (
                number,
                machine.market,
                machine.machine_id,
                machine.gpu,
                machine.num_gpus,
                machine.cpu,
                machine.cores,
                json.dumps(figures),
                source,
                int(at.timestamp()),
                json.dumps(document),
            ),
        )
    return number


def number_of(
    connection: sqlite3.Connection, machine: MeasuredMachine, document: Mapping[str, Any]
) -> int | None:
    """Return the number of a result of a machine, None where it is not stored."""
    row = connection.execute(
        "SELECT number FROM bench "
        "WHERE market = ? AND machine_id IS ? AND document = ? ORDER BY number",
        (machine.market, machine.machine_id, json.dumps(document)),
    ).fetchone()
    return None if row is None else int(row[0])


def stored_benches(connection: sqlite3.Connection) -> Sequence[StoredBench]:
    """Return the measured machines, the oldest first."""
    return _stored(connection, None)


def stored_bench(connection: sqlite3.Connection, number: int) -> StoredBench:
    """Return the measured machine of a number.

    Raises
    ------
    advisor.base.errors.UsageError
        if there is none of that number
    """
    found = _stored(connection, number)
    if not found:
        raise UsageError(missing(number))
    return found[0]


def has_bench(connection: sqlite3.Connection, number: int) -> bool:
    """Say whether a record is of a measured machine, whether or not it makes sense."""
    row = connection.execute("SELECT 1 FROM bench WHERE number = ?", (number,)).fetchone()
    return row is not None


def measured_machines(folder: Path) -> tuple[MeasuredMachine, ...]:
    """Return the latest machines that a user's data folder stores, the oldest first.

    Raises
    ------
    advisor.base.errors.AdvisorError
        if its file cannot be read
    """
    if not (folder / STORE).exists():
        return ()
    with open_store(folder) as connection:
        latest = _stored(connection, None, MOST_MACHINES)
    return tuple(one.machine for one in latest)


def delete_bench(connection: sqlite3.Connection, number: int) -> int:
    """Delete a measured machine with the runs that it was measured by.

    Returns how many runs these were.

    Raises
    ------
    advisor.base.errors.UsageError
        if there is none of that number
    """
    with transaction(connection):
        found = connection.execute("DELETE FROM bench WHERE number = ?", (number,))
        if not found.rowcount:
            raise UsageError(missing(number))
        runs = connection.execute("DELETE FROM run WHERE bench = ?", (number,))
    return runs.rowcount


def _stored(
    connection: sqlite3.Connection, number: int | None, most: int = -1
) -> list[StoredBench]:
    """Return the measured machine of a number, or the latest of all; -1 is all."""
    rows = connection.execute(
        f"SELECT number, source, at, document, {', '.join(_COLUMNS)} FROM bench "  # noqa: S608
        "WHERE :key IS NULL OR number = :key ORDER BY number DESC LIMIT :most",
        {"key": number, "most": most},
    ).fetchall()
    return [_parsed(*row) for row in reversed(rows)]


def _parsed(
    number: int, source: Any, at: Any, document: Any, *machine: Any
) -> StoredBench:
    """Return the measured machine of a row.

    Raises
    ------
    advisor.base.errors.StoreTornError
        if it makes no sense: predictions would not rest on what they are said to
    """
    found = dict(zip(_COLUMNS, machine, strict=True))
    named = found | {"source": source, "at": at}
    for name, makes_sense in _CHECKS.items():
        if not makes_sense(named[name]):
            raise _torn(number, name, named[name])
    figures = {
        name: _figure(number, one)
        for name, one in _object(number, "figures", named["figures"]).items()
    }
    return StoredBench(
        number,
        MeasuredMachine(**(found | {"figures": figures, "number": number})),
        source,
        datetime.fromtimestamp(at, UTC),
        _object(number, "document", document),
    )


def _figure(number: int, found: object) -> Figure:
    if isinstance(found, list) and len(found) == len(Figure._fields):
        value, log_sd = found
        if is_amount(value) and is_amount(log_sd):
            return Figure(float(value), float(log_sd))
    raise _torn(number, "figures", found)


def _object(number: int, name: str, text: object) -> Mapping[str, Any]:
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _torn(number, name, text)
    return found


def _torn(number: int, name: str, value: object) -> StoreTornError:
    return StoreTornError(
        f"record {number} makes no sense, its {name} is {plain_text(repr(value))[:60]}: "
        f"'advisor records delete {number}' removes it"
    )


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "market": is_name,
    "machine_id": or_none(is_count),
    "gpu": is_name,
    "num_gpus": lambda value: value == 0 or is_count(value),
    "cpu": is_name,
    "cores": or_none(lambda value: is_amount(value) and value > 0.0),
    "source": is_name,
    "at": is_time,
}
