"""The user's SQLite file: opened, migrated, and safe with two processes at once."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from advisor.base.errors import StoreError, StoreFullError, StoreTornError
from advisor.base.log import detail
from advisor.base.resources import STORE
from advisor.store.backup import back_up
from advisor.store.migrations import MIGRATIONS

_WAIT_S = 10.0
"""How long one process waits for another that writes."""

_LITTLE = 1 << 18
"""Bytes; with less room than this on its disk the file's write-ahead log, its index and
its pages do not fit."""
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
