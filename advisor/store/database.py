"""The user's SQLite file: opened, migrated, and safe with two processes at once."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from advisor.base.errors import StoreError, StoreFullError, StoreTornError
from advisor.base.log import detail
from advisor.base.resources import STORE
from advisor.store.backup import back_up

_WAIT_S = 10.0
"""How long one process waits for another that writes."""

_LITTLE = 1 << 18
"""Bytes; with less room than this on its disk the file's write-ahead log, its index and
its pages do not fit."""

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
    # What a row may have is checked where it is written and read (advisor.store.entry):
    # with constraints here, one torn row would stop the migration of all.
    """
    CREATE TABLE rental_6 (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        label TEXT,
        market TEXT,
        job TEXT,
        state TEXT,
        offer_id INTEGER,
        machine_id INTEGER,
        gpu_ids TEXT,
        gpu_name TEXT,
        num_gpus INTEGER,
        usd_per_hour REAL,
        traffic_usd REAL,
        intended_at REAL,
        ends_at REAL,
        instance_id INTEGER,
        handed_at REAL,
        closed_at REAL,
        absent_at REAL,
        reason TEXT,
        place TEXT,
        holder TEXT,
        lease_until REAL
    );
    INSERT INTO rental_6 SELECT *, '', '', NULL FROM rental NOT INDEXED;
    UPDATE rental_6 SET state = 'working'
        WHERE state = 'handed' AND reason = 'it runs a job';
    DROP TABLE rental;
    ALTER TABLE rental_6 RENAME TO rental;
    UPDATE rental_event SET state = 'working'
        WHERE state = 'handed' AND reason = 'it runs a job';
    """,
    """
    CREATE TABLE bench (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        market TEXT,
        machine_id INTEGER,
        gpu TEXT,
        num_gpus INTEGER,
        cpu TEXT,
        cores REAL,
        figures TEXT,
        source TEXT,
        at INTEGER,
        document TEXT
    );
    ALTER TABLE run ADD COLUMN loader TEXT;
    ALTER TABLE run ADD COLUMN bench INTEGER;
    """,
    # As the ledger's: what a row may have is checked where it is written and read.
    """
    CREATE TABLE sweep (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT,
        market TEXT,
        place TEXT,
        begun_at REAL,
        ended_at REAL,
        planned_at REAL,
        spec TEXT,
        plan TEXT
    );
    CREATE TABLE sweep_job (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        sweep TEXT,
        name TEXT,
        state TEXT,
        label TEXT,
        attempt INTEGER,
        attempts INTEGER,
        exit_code INTEGER,
        assigned_at REAL,
        ended_at REAL,
        done_at REAL,
        checkpoint_at REAL,
        reason TEXT
    );
    CREATE INDEX sweep_job_name ON sweep_job (sweep, name);
    CREATE TABLE sweep_event (
        sweep TEXT,
        job TEXT,
        at REAL,
        state TEXT,
        label TEXT,
        attempt INTEGER,
        reason TEXT
    );
    CREATE INDEX sweep_event_job ON sweep_event (sweep, job);
    """,
)
"""One script for each version of the schema after the one before it. Times are seconds
since 1970 (UTC); prices as in `advisor.market.offers.Offers`."""


@contextmanager
def open_store(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the user's file in `folder`, made and migrated where that is needed.

    Raises
    ------
    advisor.base.errors.StoreTornError
        if it is no database of ours, or one of a newer version
    advisor.base.errors.StoreFullError
        if there is no room for it
    advisor.base.errors.StoreError
        if it cannot be read or written for another reason
    """
    path = folder / STORE
    with explained(path), closing(_opened(path)) as connection:
        _prepare(connection, path)
        detail("files", "%s opened", path)
        yield connection


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise what SQLite says of a file as an error that says what to do.

    Raises
    ------
    advisor.base.errors.StoreError
        or one of its subclasses
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _explained(error, path) from error
    except UnicodeDecodeError as error:  # SQLite quotes what is torn
        raise torn_file("it quotes what is no text", path) from error


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


def _opened(path: Path) -> sqlite3.Connection:
    """Open a file, made where there is none; on a read-only disk it can be read."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():  # what one rents is nobody else's to read
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        name = str(path.absolute())  # one that is not may begin as an address does
        if _is_read_only(path.parent) and not has_journal(path):
            # SQLite would make an index for a journal that there is not.
            name = f"{path.absolute().as_uri()}?immutable=1"
    except OSError as error:
        kind = StoreFullError if _is_full(path.parent) else StoreError
        message = f"{path}: {error.strerror}: check the disk and who may write to it"
        raise kind(message) from error
    return sqlite3.connect(name, timeout=_WAIT_S, isolation_level=None, uri=True)


def _is_read_only(folder: Path) -> bool:
    """Tell whether the disk of a folder is mounted read-only."""
    return hasattr(os, "statvfs") and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def has_journal(path: Path) -> bool:
    """Tell whether some of a file is in its write-ahead log alone."""
    journal = path.with_name(f"{path.name}-wal")
    return journal.exists() and journal.stat().st_size > 0


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the newest version of the schema."""
    connection.text_factory = lenient_text
    # The change of mode does not wait for others; whoever comes first makes it.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")
    # A commit is on the disk when it returns, also where SQLite was built to hurry, and
    # on macOS, whose fsync leaves it in the drive's cache.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    if version_of(connection, path) == len(MIGRATIONS):
        return
    with transaction(connection):
        version = version_of(connection, path)  # another process may have been quicker
        if version < len(MIGRATIONS) and _has_tables(connection):
            back_up(path, path.with_name(f"{path.name}.v{version}.bak"))
        migrate(connection, version)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a database from a version of the schema to the newest one."""
    for script in MIGRATIONS[version:]:
        for statement in script.split(";"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def lenient_text(text: bytes) -> str:
    """Return a text of the file; what is torn in it is no reason not to read the rest."""
    return text.decode(errors="replace")


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of a file's schema, if this advisor knows it."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        message = (
            f"{path} was written by a newer advisor: update advisor, or keep data "
            "elsewhere with ADVISOR_DATA_DIR"
        )
        raise StoreTornError(message)
    if version < 0:
        message = f"{path} is no file of advisor's (version {version}): {_WAY_OUT}"
        raise StoreTornError(message)
    return int(version)


def _has_tables(connection: sqlite3.Connection) -> bool:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(tables)


_WAY_OUT = (
    "move it away, with what it knows of rentals, and a new one is made; "
    "'advisor reconcile' ends rentals that are past their end without it"
)


def _explained(error: sqlite3.Error, path: Path) -> StoreError:
    """Return the error that says what to do about a file that does not work."""
    reason = " ".join(word for word in str(error).split() if word.isprintable())
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE)
    kind = code & 0xFF  # the rest of an extended code says where
    if kind in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}:
        # SQLITE_ERROR: our own tables are not there, or are others.
        return torn_file(reason, path)
    if kind in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreError(
            f"{path}: {reason}: another process has had it for {_WAIT_S:.0f} s; "
            "try again, or end that process"
        )
    failed = kind in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
    if (
        kind == sqlite3.SQLITE_FULL
        or code == sqlite3.SQLITE_IOERR_WRITE  # also where a quota is used up
        or (failed and _is_full(path.parent))
    ):
        return StoreFullError(f"{path}: {reason}: make room on its disk, or check it")
    return StoreError(f"{path}: {reason}: check the disk and who may write to it")


def torn_file(reason: str, path: Path) -> StoreTornError:
    """Return the error of a file that is not whole; the message says the way out."""
    return StoreTornError(f"{path} is no whole database ({reason}): {_WAY_OUT}")


def _is_full(folder: Path) -> bool:
    """Tell whether the disk of a folder has no room for the file's next change."""
    try:
        return shutil.disk_usage(folder).free < _LITTLE
    except OSError:
        return False
