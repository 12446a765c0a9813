"""How the user's file is, looked at without changing anything of it.

SQLite makes files beside one that it opens, and changes it when it is closed; so a file
whose write-ahead log is empty is opened as one that cannot change, and another one is
copied first.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from advisor.base.errors import StoreError
from advisor.base.mounts import lock_holder
from advisor.base.resources import STORE
from advisor.store.database import (
    explained,
    has_journal,
    lenient_text,
    migrate,
    torn_file,
    version_of,
)
from advisor.store.entry import Entry, Torn
from advisor.store.migrations import MIGRATIONS
from advisor.store.rows import sorted_out, torn_steps
from advisor.store.sweep_rows import torn_rows

_WRITE_LOCK = 120
"""Byte of SQLite's wal-index that a process which writes has locked: "WAL-Index Locks" in
https://www.sqlite.org/walformat.html."""

_TRIES = 3
_STEPS_BETWEEN_LOOKS = 100_000


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """The user's file as it was found.

    Attributes
    ----------
    path : the file
    version : of its schema
    is_current : this advisor changes nothing of the schema
    is_whole : every page was checked; False: there was no time for all of them
    entries : rentals that make sense, the oldest first
    torn : rows of the ledger that make no sense
    torn_jobs : rows of sweeps that make no sense
    writer : process that writes it now; None: none that is known
    """

    path: Path
    version: int
    is_current: bool
    is_whole: bool
    entries: Sequence[Entry]
    torn: Sequence[Torn]
    torn_jobs: Sequence[Torn]
    writer: int | None


def look_at(folder: Path, check_s: float) -> StoreHealth | None:
    """Return how the file of a data folder is, None where there is none yet.

    A ledger of an older version is read as the newest one would have it.

    Parameters
    ----------
    check_s : seconds after which no more of its pages are checked

    Raises
    ------
    advisor.base.errors.StoreError
        if it cannot be read; `StoreTornError` if it is torn or a newer advisor's
    """
    path = folder / STORE
    if not path.exists():
        return None
    with _unchanged(path) as store:
        version = version_of(store, path)
        is_whole = _check(store, path, check_s)
        with _newest(store, version) as ledger:
            entries, torn = sorted_out(ledger)
            found = [one for _, one in (*torn, *torn_steps(ledger))]
            torn_jobs = torn_rows(ledger)
    writer = lock_holder(path.with_name(f"{path.name}-shm"), _WRITE_LOCK)
    is_current = version == len(MIGRATIONS)
    return StoreHealth(
        path, version, is_current, is_whole, entries, found, torn_jobs, writer
    )


def copies_of(folder: Path) -> Sequence[Path]:
    """Return the copies that were made before the file was changed, the newest first."""
    found = folder.glob(f"{STORE}.v*.bak")
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def check_copy(path: Path) -> None:
    """Refuse a copy that could not take the place of the file.

    Raises
    ------
    advisor.base.errors.StoreError
        if it is no database of ours
    """
    with _unchanged(path) as store:
        version_of(store, path)


@contextmanager
def _unchanged(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file of which nothing changes, nor what SQLite has beside it."""
    with ExitStack() as stack:
        stack.enter_context(explained(path))
        try:
            name = f"{path.absolute().as_uri()}?immutable=1"
            if has_journal(path):
                aside = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                name = _copied(path, aside).as_uri()
        except OSError as error:
            message = f"{path}: {error.strerror}: check the disk and who may read it"
            raise StoreError(message) from error
        store = stack.enter_context(closing(sqlite3.connect(name, uri=True)))
        store.text_factory = lenient_text
        yield store


def _copied(path: Path, folder: Path) -> Path:
    """Copy a file and its write-ahead log, once more where somebody writes meanwhile."""
    copy = folder / path.name
    for _ in range(_TRIES):
        before = _stamps(path)
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
        if _stamps(path) == before:
            break
    return copy


def _stamps(path: Path) -> list[tuple[int, int]]:
    """Return size and time of a file and its write-ahead log."""
    both = (path, path.with_name(f"{path.name}-wal"))
    return [(one.stat().st_size, one.stat().st_mtime_ns) for one in both]


def _check(store: sqlite3.Connection, path: Path, check_s: float) -> bool:
    """Check the pages of a file; say whether there was time for all of them.

    Raises
    ------
    advisor.base.errors.StoreTornError
        if one is torn
    """
    end = time.monotonic() + check_s
    store.set_progress_handler(lambda: time.monotonic() > end, _STEPS_BETWEEN_LOOKS)
    try:
        (found,) = store.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return False
    finally:
        store.set_progress_handler(None, 0)
    if found != "ok":
        raise torn_file(" ".join(str(found).split()), path)
    return True


@contextmanager
def _newest(store: sqlite3.Connection, version: int) -> Iterator[sqlite3.Connection]:
    """Give a file with the newest schema: one of an older version is copied to memory."""
    if version == len(MIGRATIONS):
        yield store
        return
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        store.backup(copy)
        copy.text_factory = lenient_text
        migrate(copy, version)
        yield copy
