"""A copy of the user's file, made before a newer advisor changes it."""

from __future__ import annotations

import filecmp
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

from advisor.base.errors import StoreError


def back_up(file: Path, path: Path) -> None:
    """Copy a database, if no such copy is there.

    An earlier copy is never overwritten: this one gets a number then.

    Parameters
    ----------
    file : nobody changes it meanwhile: the caller has it locked, and has not written yet
    path : of the copy

    Raises
    ------
    advisor.base.errors.StoreError
        if the copy cannot be made; nothing is changed then
    """
    new = path.with_name(f"{path.name}.new")
    try:
        _copy(file, new)
        for place in _places(path):
            if not place.exists():
                new.rename(place)
                break
            if filecmp.cmp(new, place, shallow=False):  # an attempt was broken off
                break
        _sync(path.parent)
    except (OSError, sqlite3.Error) as error:
        message = (
            f"{path} cannot be written ({error}): the file is copied before this advisor "
            "changes it; make room on its disk"
        )
        raise StoreError(message) from error
    finally:
        with suppress(OSError):
            _remove(new)


def _places(path: Path) -> Iterator[Path]:
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem}.{number}{path.suffix}")


def _copy(file: Path, path: Path) -> None:
    """Copy a database to a new file, which is on the disk then."""
    _remove(path)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    # By a connection of its own: one that may write waits for itself for ever.
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file is all of it
    _sync(path)


def _remove(path: Path) -> None:
    """Remove a database that may have been broken off, with what SQLite has beside it."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Bring a file, or what a folder lists, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
