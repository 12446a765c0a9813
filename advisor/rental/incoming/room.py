"""Room on a disk of ours, of which a machine may not take the last."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from advisor.base.errors import TooMuchError
from advisor.base.units import BYTES_PER_MB

LEFT_FREE_BYTES = 500 * 1000**2
"""What is left free, or half of what was free where that is less: whatever else the user
does here goes on; an assumption."""

_LEFT_FREE_FILES = 100_000
"""As `LEFT_FREE_BYTES`, of files, which take none while they are empty."""

_LEAST_BYTES = 100 * 1000**2
"""What is left free in any case: several times what the ledger ever needs."""


def free_bytes(folder: Path) -> int:
    """Return what is free on the disk of a folder."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class Room:
    """What may be written on the disk of a folder.

    Attributes
    ----------
    folder : on the disk
    least_bytes, least_files : what is to be left free
    free : returns how many bytes are
    """

    folder: Path
    least_bytes: int
    least_files: int
    free: Callable[[Path], int]

    @classmethod
    def of(cls, folder: Path, free: Callable[[Path], int] = free_bytes) -> Room:
        """Return the room there is now."""
        half = max(free(folder) // 2, _LEAST_BYTES)
        files = _free_files(folder) or 0
        return cls(
            folder,
            min(LEFT_FREE_BYTES, half),
            min(_LEFT_FREE_FILES, files // 2),
            free,
        )

    @property
    def left_bytes(self) -> int:
        """What may be written; below 0 where too little is free already."""
        return self.free(self.folder) - self.least_bytes

    def check(self, more: int = 0) -> None:
        """Refuse to write what leaves too little.

        Raises
        ------
        TooMuchError
            with what is free
        """
        if self.left_bytes < more:
            free = self.free(self.folder) / BYTES_PER_MB
            what = f"{more / BYTES_PER_MB:,.0f} MB more do not fit: " if more else ""
            message = (
                f"{what}the disk of {self.folder} has {free:,.0f} MB free: free some"
            )
            raise TooMuchError(message)
        files = _free_files(self.folder)
        if files is not None and files < self.least_files:
            message = f"the disk of {self.folder} has room for {files:,} files: free some"
            raise TooMuchError(message)


def _free_files(folder: Path) -> int | None:
    """Return how many files may be made on a disk; None: it counts none."""
    if not hasattr(os, "statvfs"):
        return None
    status = os.statvfs(folder)
    return status.f_favail if status.f_files else None
