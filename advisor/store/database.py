"""The user's SQLite file: opened, migrated, and safe with two processes at once."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from advisor.errors import AdvisorError, UsageError
from advisor.resources import STORE

_WAIT_S = 10.0
"""How long one process waits for another that writes."""

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE snapshot (
        market TEXT NOT NULL,
        at INTEGER NOT NULL,
        whole INTEGER NOT NULL,
        offers INTEGER NOT NULL,
        PRIMARY KEY (market, at)
    ) WITHOUT ROWID;
    CREATE TABLE listing (
        id INTEGER PRIMARY KEY,
        market TEXT NOT NULL,
        machine_id INTEGER NOT NULL,
        num_gpus INTEGER NOT NULL,
        gpu_ids TEXT NOT NULL,
        gpu_name TEXT NOT NULL,
        open_since INTEGER,
        UNIQUE (market, machine_id, num_gpus, gpu_ids, gpu_name)
    );
    CREATE INDEX listing_gpu ON listing (gpu_name);
    CREATE INDEX listing_open ON listing (market) WHERE open_since IS NOT NULL;
    CREATE TABLE spell (
        listing INTEGER NOT NULL REFERENCES listing (id),
        first_at INTEGER NOT NULL,
        last_at INTEGER NOT NULL,
        born INTEGER NOT NULL,
        gone INTEGER NOT NULL DEFAULT 0,
        dph_base REAL,
        storage_usd_per_gb_month REAL,
        min_bid REAL,
        PRIMARY KEY (listing, first_at)
    ) WITHOUT ROWID;
    CREATE TABLE host_rule (
        market TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('machine', 'host')),
        id INTEGER NOT NULL,
        blocked INTEGER NOT NULL,
        reason TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (market, kind, id)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE run (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        workload TEXT NOT NULL,
        gpu TEXT NOT NULL,
        num_gpus INTEGER NOT NULL,
        samples_per_s REAL NOT NULL,
        cpu TEXT,
        threads REAL,
        cpu_ghz REAL,
        batch_size INTEGER NOT NULL,
        precision TEXT NOT NULL,
        source TEXT NOT NULL,
        at INTEGER NOT NULL
    );
    CREATE INDEX run_workload ON run (workload);
    """,
    """
    CREATE TABLE rental (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        label TEXT NOT NULL UNIQUE,
        market TEXT NOT NULL,
        job TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN (
            'intended', 'unknown', 'held', 'handed', 'releasing', 'released', 'refused'
        )),
        offer_id INTEGER NOT NULL,
        machine_id INTEGER NOT NULL,
        gpu_ids TEXT NOT NULL,
        gpu_name TEXT NOT NULL,
        num_gpus INTEGER NOT NULL,
        usd_per_hour REAL NOT NULL,
        traffic_usd REAL NOT NULL,
        intended_at REAL NOT NULL,
        ends_at REAL NOT NULL,
        instance_id INTEGER,
        handed_at REAL,
        closed_at REAL,
        absent_at REAL,
        reason TEXT NOT NULL
    );
    CREATE INDEX rental_market ON rental (market);
    CREATE TABLE rental_event (
        label TEXT NOT NULL,
        at REAL NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL
    );
    CREATE INDEX rental_event_label ON rental_event (label);
    """,
    """
    CREATE TABLE misfit (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        market TEXT NOT NULL,
        job TEXT NOT NULL,
        misfit TEXT NOT NULL,
        machine_id INTEGER NOT NULL,
        image TEXT NOT NULL,
        gpu_name TEXT NOT NULL,
        capability REAL,
        driver REAL,
        cpu_arch TEXT NOT NULL,
        ram_gb REAL,
        gpu_memory_gb REAL,
        at REAL NOT NULL
    );
    CREATE INDEX misfit_market ON misfit (market, at);
    """,
    """
    ALTER TABLE run ADD COLUMN evidence TEXT;
    """,
)
"""One script for each version of the schema after the one before it. Times are seconds
since 1970 (UTC); prices as in `advisor.market.offers.Offers`."""


@contextmanager
def open_store(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the user's file in `folder`, made and migrated where that is needed.

    Raises
    ------
    advisor.errors.UsageError
        if it is no database of ours, or one of a newer version
    advisor.errors.AdvisorError
        if it cannot be read or written
    """
    path = folder / STORE
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():  # what one rents is nobody else's to read
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    try:
        connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
        try:
            _prepare(connection, path)
            yield connection
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise _explained(error, path) from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all of a block or nothing of it; other processes wait meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # a full disk has rolled back already
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the newest version of the schema."""
    # The change of mode does not wait for others; whoever comes first makes it.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    if _version(connection) == len(MIGRATIONS):
        return
    with transaction(connection):
        version = _version(connection)  # another process may have been quicker
        if version > len(MIGRATIONS):
            message = (
                f"{path} was written by a newer advisor: update advisor, or keep data "
                "elsewhere with ADVISOR_DATA_DIR"
            )
            raise UsageError(message)
        for script in MIGRATIONS[version:]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _explained(error: sqlite3.DatabaseError, path: Path) -> AdvisorError:
    """Return the error that says what to do about a file that does not work."""
    if isinstance(error, sqlite3.OperationalError):
        return AdvisorError(f"{path}: {error}: check the disk and who may write to it")
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return AdvisorError(f"{path}: {error}")
    return UsageError(
        f"{path} is no whole database ({error}): move it away, and a new one is made"
    )
