"""The record in SQLite becomes an archive, or is added to one.

An interval is told by its listing and its beginning. What an archive has already stays in
it, also where the record has lost it, and an interval that went on is written anew: so an
export may be repeated, stopped and repeated, or go on with another file of the user's.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from filelock import FileLock, Timeout

from advisor.base.errors import UsageError
from advisor.base.log import happened
from advisor.base.progress import Progress, quiet
from advisor.store.archive.engine import database
from advisor.store.archive.layout import (
    COLUMNS,
    FILE,
    VERSION,
    VERSION_KEY,
    check,
    partition_file,
    scan,
    text,
)
from advisor.store.archive.summing import sum_up
from advisor.store.history import SENSE
from advisor.store.sense import is_filled_name, is_id, is_name

if TYPE_CHECKING:
    import duckdb

_BATCH = 100_000
"""Rows that pass from SQLite to DuckDB at once."""

_NAMES = ", ".join(COLUMNS)
_WHOLE = ("number", "first_at", "last_at", "born", "gone")
_PRICES = ("dph_base", "storage_usd_per_gb_month", "min_bid")


@dataclass(frozen=True, slots=True)
class Partition:
    """One file of an archive.

    Attributes
    ----------
    market, month : that it is of; the month in which an interval began, ``2026-11`` (UTC)
    file : where it is
    rows : listing intervals in it
    size_bytes : of it
    written : False where it had all of the record already
    """

    market: str
    month: str
    file: Path
    rows: int
    size_bytes: int
    written: bool


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did.

    Attributes
    ----------
    partitions : that the record has intervals of, by market and month; none: nothing is
        stored of what was asked for, and nothing was written
    torn_listings : listings left out, whose names make no sense
    """

    partitions: Sequence[Partition]
    torn_listings: int


def export(
    store: sqlite3.Connection,
    folder: Path,
    *,
    market: str | None = None,
    since: datetime | None = None,
    progress: Progress = quiet,
) -> Exported:
    """Write the record into a folder, made where there is none.

    Parameters
    ----------
    store : the user's file
    market : whose record; None: of all
    since : of intervals that were seen then or later; None: of all

    Raises
    ------
    advisor.base.errors.UsageError
        if the folder cannot be written to, or holds no archive of this version
    """
    with database() as connection:
        torn = _read_listings(connection, store, market)
        _read_intervals(connection, store, market, since)
        found = connection.execute(
            "SELECT DISTINCT market, month FROM fresh ORDER BY market, month"
        ).fetchall()
        if not found:
            return Exported((), torn)
        done = list[Partition]()
        with _locked(folder):
            for name, month in found:
                progress("writing the archive", len(done), len(found), "files")
                done.append(_write(connection, folder, name, month))
    return Exported(tuple(done), torn)


def listing_id(
    market: str, machine_id: int, num_gpus: int, gpu_ids: str, gpu_name: str
) -> int:
    """Return the number of a listing, the same in every archive.

    It is the first 64 bits of the SHA-256 of what makes it the same listing, signed: two
    of a million listings share one with a probability of 3 in 100 million.
    """
    key = "\x1f".join((market, str(machine_id), str(num_gpus), gpu_ids, gpu_name))
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder: of two exports at once one would undo the other's rows."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=0):
            for left in folder.glob(f"market=*/month=*/.{FILE}.*"):
                left.unlink()  # of an export that was killed
            yield
    except Timeout as error:
        message = f"another export writes into {folder}: wait for its end"
        raise UsageError(message) from error
    except OSError as error:
        message = f"cannot write into {folder}: {error.strerror or error}"
        raise UsageError(message) from error


def _read_listings(
    connection: duckdb.DuckDBPyConnection, store: sqlite3.Connection, market: str | None
) -> int:
    """Make the table ``listings``; return how many make no sense."""
    rows, torn = list[tuple[object, ...]](), 0
    for number, *key in store.execute(
        "SELECT id, market, machine_id, num_gpus, gpu_ids, gpu_name FROM listing "
        "WHERE :market IS NULL OR market = :market",
        {"market": market},
    ):
        name, machine_id, num_gpus, gpu_ids, gpu_name = key
        if (
            is_filled_name(name)
            and is_id(machine_id)
            and is_id(num_gpus)
            and is_name(gpu_ids)
            and is_name(gpu_name)
        ):
            rows.append((number, listing_id(*key), *key))
        else:
            torn += 1
    names = (
        "number",
        "listing",
        "market",
        "machine_id",
        "num_gpus",
        "gpu_ids",
        "gpu_name",
    )
    kinds = (
        pa.int64(),
        pa.int64(),
        pa.string(),
        pa.int64(),
        pa.int64(),
        *(pa.string(),) * 2,
    )
    _insert(connection, "listings", rows, pa.schema(zip(names, kinds, strict=True)))
    return torn


def _read_intervals(
    connection: duckdb.DuckDBPyConnection,
    store: sqlite3.Connection,
    market: str | None,
    since: datetime | None,
) -> None:
    """Make the table ``fresh`` of the intervals of the record."""
    spell = pa.schema(
        [
            *((name, pa.int64()) for name in _WHOLE),
            *((name, pa.float64()) for name in _PRICES),
        ]
    )
    cursor = store.execute(
        f"SELECT id, first_at, last_at, born, gone, {', '.join(_PRICES)} "  # noqa: S608
        "FROM spell JOIN listing ON listing = id "
        f"WHERE {SENSE} AND last_at >= :since AND (:market IS NULL OR market = :market)",
        {"since": 0 if since is None else int(since.timestamp()), "market": market},
    )
    _insert(connection, "spells", [], spell)
    while rows := cursor.fetchmany(_BATCH):
        _insert(connection, "spells", rows, spell)
    connection.execute(
        f"CREATE TABLE fresh AS SELECT {_NAMES}, market, month FROM ("  # noqa: S608
        "SELECT * REPLACE (born <> 0 AS born, gone <> 0 AS gone), "
        "strftime(make_timestamp(first_at * 1000000), '%Y-%m') AS month "
        "FROM spells JOIN listings USING (number))"
    )
    connection.execute("DROP TABLE spells")


def _insert(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    rows: Sequence[Sequence[object]],
    schema: pa.Schema,
) -> None:
    """Add rows to a table, made where there is none."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    arrays = [
        pa.array(list(column), kind)
        for column, kind in zip(columns, schema.types, strict=True)
    ]
    connection.register("batch", pa.Table.from_arrays(arrays, schema=schema))
    connection.execute(f"CREATE TABLE IF NOT EXISTS {name} AS FROM batch LIMIT 0")
    connection.execute(f"INSERT INTO {name} FROM batch")
    connection.unregister("batch")


def _write(
    connection: duckdb.DuckDBPyConnection, folder: Path, market: str, month: str
) -> Partition:
    """Write the file of a market and a month, unless it has all there is."""
    path = partition_file(folder, market, month)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE part AS SELECT {_NAMES} FROM fresh "  # noqa: S608
        "WHERE market = ? AND month = ?",
        [market, month],
    )
    rows, written = "part", True
    if path.exists():
        check(path)
        old = f"(SELECT {_NAMES} FROM {scan([path])})"  # noqa: S608
        new = connection.execute(
            f"SELECT 1 FROM (FROM part EXCEPT FROM {old}) LIMIT 1"  # noqa: S608
        ).fetchone()
        written = new is not None
        rows = (
            f"(SELECT * FROM (FROM part UNION ALL FROM {old}) "  # noqa: S608
            "QUALIFY row_number() OVER (PARTITION BY listing, first_at "
            "ORDER BY last_at DESC, gone DESC) = 1)"
        )
    if written:
        save(connection, rows, path)
    sum_up(connection, path)
    (count,) = connection.execute(
        f"SELECT count(*) FROM {scan([path])}"  # noqa: S608
    ).fetchall()[0]
    return Partition(market, month, path, int(count), path.stat().st_size, written)


def save(connection: duckdb.DuckDBPyConnection, rows: str, path: Path) -> None:
    """Write a file of an archive, whole or not at all.

    Parameters
    ----------
    rows : table of SQL with the columns of an archive
    """
    with _replacing(path) as temporary:
        connection.execute(
            # Of one GPU the rows are together: who asks for it skips the rest.
            f"COPY (SELECT {_NAMES} FROM {rows} "  # noqa: S608
            f"ORDER BY gpu_name, listing, first_at) TO {text(temporary)} "
            "(FORMAT parquet, COMPRESSION zstd, "
            f"KV_METADATA {{{VERSION_KEY}: '{VERSION}'}})"
        )


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give the name of a file that takes the place of another when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        happened("files", "%s written, %d bytes", path, path.stat().st_size)
    finally:
        temporary.unlink(missing_ok=True)
