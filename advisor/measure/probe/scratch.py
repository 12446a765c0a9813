"""Where scratch files go: a folder on a disk, with room."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from advisor.measure.probe.files import ROOT, text_of

_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_SPARE_BYTES = 1e9
_SPARE_SHARE = 0.05
"""Of the disk, that stay free whatever is asked."""


class NoPlaceError(Exception):
    """No folder can take scratch files."""


def chosen_folder(asked: str | None) -> Path:
    """Return the folder for scratch files.

    Parameters
    ----------
    asked : by the user; None: the first that is on a disk and can be written to, of the
        working folder and the usual ones for temporary files

    Raises
    ------
    NoPlaceError
        if there is none
    """
    if asked is not None:
        folder = Path(asked).resolve()  # a link may lead into memory
        if not (folder.is_dir() and os.access(folder, os.W_OK)):
            message = "the folder is not there, or cannot be written to"
            raise NoPlaceError(message)
        return folder
    usual = [os.curdir, tempfile.gettempdir(), "/var/tmp"]  # noqa: S108  (a safe name in it)
    writable = [Path(one).resolve() for one in usual if os.access(one, os.W_OK)]
    for folder in writable:
        if not is_in_memory(folder):
            return folder
    message = "no folder on a disk can be written to: name one that can"
    raise NoPlaceError(message)


def is_in_memory(folder: Path, root: Path = ROOT) -> bool:
    """Say whether what is written to a folder stays in memory.

    Parameters
    ----------
    root : folder that holds ``proc``
    """
    found, length = "", -1
    for line in text_of(root, "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) < 5 or not kinds:
            continue
        place = Path(fields[4].replace("\\040", " "))
        is_above = place == folder or place in folder.parents
        if is_above and len(place.parts) >= length:  # the last mount is on top
            found, length = kinds[0], len(place.parts)
    return found in _IN_MEMORY


def room(folder: Path) -> float:
    """Return the bytes that may be written, so that the disk is not filled."""
    usage = shutil.disk_usage(folder)
    return max(usage.free - max(_SPARE_BYTES, _SPARE_SHARE * usage.total), 0.0)


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Yield a folder that is removed with all in it at the end, however that comes."""
    folder = tempfile.mkdtemp(prefix=".advisor-bench-", dir=str(parent))
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
