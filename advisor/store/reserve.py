"""Room on the disk that is kept for the outcome of a rental.

A machine that is rented may fill the disk here (its results, its log), and what becomes
of it must be written down all the same. So a file of pre-allocated space lies in the data
folder before anything is rented; it is given up, part by part, where SQLite says that the
disk is full, and made anew when there is room again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from advisor.base.errors import StoreFullError
from advisor.base.units import BYTES_PER_MIB

NAME = "advisor.reserve"
"""Name of the file in the user's data folder."""

SIZE = BYTES_PER_MIB
"""Bytes. While it is open the ledger takes 32 KiB for the index of its write-ahead log, a
few pages of 4 KiB in the log for each commit, and as many in the file at most: a part of
the reserve is enough, as ``tests/store/test_reserve.py`` shows on a full disk."""

_PART = SIZE // 4
"""Bytes that are given up at a time: whoever fills the disk may be quicker once or
twice."""

_STEP = SIZE // 16
"""Bytes by which less than all of it is taken back, where there is not so much room."""


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
                self._allocate(SIZE)
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
        """Take back what was given up, or as much of it as there is room for.

        Most of it is free again once the file is closed, and whoever has filled the disk
        would take it next.
        """
        with suppress(OSError):
            for size in range(SIZE, self._size(), -_STEP):
                with suppress(OSError):
                    self._allocate(size)
                    return

    def _size(self) -> int:
        """Return how many bytes of it there are."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def _allocate(self, size: int) -> None:
        """Bring the file to a size, or leave it as it was."""
        handle = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)
        before = os.fstat(handle).st_size
        try:
            _take(handle, before, size)
        except OSError:
            os.ftruncate(handle, before)
            raise
        finally:
            os.close(handle)


def _take(handle: int, before: int, size: int) -> None:
    """Take space on the disk for a file that has some already."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
        return
    with os.fdopen(os.dup(handle), "r+b") as file:
        file.seek(before)
        file.write(os.urandom(size - before))  # a disk that compresses keeps no zeros
        file.flush()
        os.fsync(file.fileno())
