"""The ledger's tables: rows are read as far as they make sense, and written.

A row that makes no sense hides no other one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from advisor.base.errors import AdvisorError, StoreError
from advisor.store.entry import (
    COLUMNS,
    Entry,
    Step,
    Torn,
    parsed,
    parsed_step,
    row_of,
)
from advisor.store.sense import plain_text


def rows(
    store: sqlite3.Connection, label: str | None = None
) -> Iterator[tuple[int, Sequence[object]]]:
    """Yield number and values of all rows, or of those of a label, the oldest first.

    No index is asked: a torn one would hide rows.
    """
    for number, *row in store.execute(
        f"SELECT number, {', '.join(COLUMNS)} FROM rental NOT INDEXED "  # noqa: S608
        "WHERE :label IS NULL OR label = :label ORDER BY number",
        {"label": label},
    ):
        yield number, row


def sorted_out(
    store: sqlite3.Connection,
) -> tuple[list[Entry], list[tuple[str, Torn]]]:
    """Return the rows that make sense, and the others with the markets that they name."""
    entries: list[Entry] = []
    torn: list[tuple[str, Torn]] = []
    seen: set[str] = set()
    for _, row in rows(store):
        label, market = row[:2]
        try:
            entry = parsed(row)
            if entry.label in seen:
                message = "its label is another's too"
                raise ValueError(message)
        except ValueError as error:
            torn.append((_shown(market), Torn(_shown(label), str(error))))
        else:
            seen.add(entry.label)
            entries.append(entry)
    return entries, torn


def found_row(store: sqlite3.Connection, label: str) -> tuple[int, Entry]:
    """Return the first row of a label that makes sense, and its number."""
    why = ""
    for number, row in rows(store, label):
        try:
            return number, parsed(row)
        except ValueError as error:
            why = str(error)
    if why:
        message = f"the ledger's row of rental {label} makes no sense: {why}"
        raise StoreError(message)
    message = f"the ledger has no rental {label}"
    raise AdvisorError(message)


def torn_steps(store: sqlite3.Connection) -> Iterator[tuple[Any, Torn]]:
    """Yield the steps of all histories that make no sense, with what their label is."""
    for label, *step in store.execute(
        "SELECT label, at, state, reason FROM rental_event ORDER BY rowid"
    ):
        try:
            parsed_step(step)
        except ValueError as error:
            yield label, Torn(_shown(label), str(error))


def steps_of(store: sqlite3.Connection, label: str) -> list[Step]:
    """Return the steps of a rental that make sense, the oldest first."""
    steps: list[Step] = []
    for row in store.execute(
        "SELECT at, state, reason FROM rental_event NOT INDEXED WHERE label = ? "
        "ORDER BY rowid",
        (label,),
    ):
        try:
            steps.append(parsed_step(row))
        except ValueError:
            continue
    return steps


def row_to_write(entry: Entry) -> list[object]:
    """Return an entry as a row.

    Raises
    ------
    AdvisorError
        if it makes no sense: it could not be read again
    """
    try:
        return row_of(entry)
    except ValueError as error:
        message = f"rental {plain_text(entry.label)} cannot be written down: {error}"
        raise AdvisorError(message) from None


def insert(store: sqlite3.Connection, row: Sequence[object]) -> None:
    """Write a rental that is not in the ledger yet."""
    marks = ", ".join("?" * len(COLUMNS))
    store.execute(
        f"INSERT INTO rental ({', '.join(COLUMNS)}) VALUES ({marks})",  # noqa: S608
        row,
    )


def update(store: sqlite3.Connection, number: int, row: Sequence[object]) -> None:
    """Write what has become of a rental."""
    assignments = ", ".join(f"{name} = ?" for name in COLUMNS)
    store.execute(
        f"UPDATE rental SET {assignments} WHERE number = ?",  # noqa: S608
        (*row, number),
    )


def add_step(store: sqlite3.Connection, entry: Entry, at: float) -> None:
    """Write the state of a rental into its history."""
    reason = plain_text(entry.reason)
    try:
        parsed_step((at, entry.state, reason))
    except ValueError as error:
        message = f"rental {entry.label} cannot be written down: {error}"
        raise AdvisorError(message) from None
    store.execute(
        "INSERT INTO rental_event VALUES (?, ?, ?, ?)",
        (entry.label, at, entry.state, reason),
    )


def ends_in(store: sqlite3.Connection, entry: Entry, at: float) -> bool:
    """Return whether the history of a rental has its state, at its time, as the last."""
    steps = steps_of(store, entry.label)
    return bool(steps) and steps[-1] == (at, entry.state, entry.reason)


def _shown(value: object) -> str:
    """Return what names a torn row, ``""`` if it is no text."""
    return plain_text(value) if isinstance(value, str) else ""
