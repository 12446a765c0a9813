"""Room on the disk that is kept for the outcome of a rental.

A machine that is rented may fill the disk here (its results, its log), and what becomes
of it must be written down all the same. So a file of pre-allocated space lies in the data
folder before anything is rented; it is given up, part by part, where SQLite says that the
disk is full, and made anew when there is room again.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from advisor.errors import StoreFullError

NAME = "advisor.reserve"
"""Name of the file in the user's data folder."""

SIZE = 1 << 20
"""Bytes. A commit of the ledger takes a few pages of 4 KiB in the write-ahead log and as
many in the file, and the log's index 32 KiB: about 100 KiB as measured by
``tests/store/test_reserve.py``."""

_PART = SIZE // 4
"""Bytes that are given up at a time: whoever fills the disk may be quicker once, or
twice."""

_ROOM = 4 * SIZE
"""Bytes that must be free before it is made anew by the way: else it would take the room
that it has just made."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """The reserve of one data folder.

    Attributes
    ----------
    folder : the user's data folder
    """

    folder: Path

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / NAME

    def make(self) -> None:
        """Make the reserve if it is not there as a whole.

        Raises
        ------
        StoreFullError
            if it cannot be made: nothing may be rented
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._size() < SIZE:
                self._allocate()
        except OSError as error:
            message = (
                f"{self.path}: {error.strerror}: {SIZE >> 20} MiB are kept free, so that "
                "the end of a rental can be written down; make room, nothing is rented"
            )
            raise StoreFullError(message) from error

    def give_up(self) -> bool:
        """Give a part of the reserve back to the disk; return whether there was any."""
        with suppress(OSError):
            if size := self._size():
                os.truncate(self.path, max(size - _PART, 0))
                return True
        return False

    def renew(self) -> None:
        """Make the reserve anew if there is plenty of room, else leave it as it is."""
        with suppress(OSError):
            if self._size() < SIZE and shutil.disk_usage(self.folder).free >= _ROOM:
                self._allocate()

    def _size(self) -> int:
        """Return how many bytes of it there are."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def _allocate(self) -> None:
        """Bring the file to its size, or leave it as it was."""
        handle = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)
        before = os.fstat(handle).st_size
        try:
            _fill(handle)
        except OSError:
            os.ftruncate(handle, before)
            raise
        finally:
            os.close(handle)


def _fill(handle: int) -> None:
    """Take space on the disk for all of a file."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, SIZE)
        return
    with os.fdopen(os.dup(handle), "wb") as file:
        file.write(os.urandom(SIZE))  # zeros take no space where a disk compresses
        file.flush()
        os.fsync(file.fileno())
