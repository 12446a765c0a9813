"""Small disks that can be filled, and are gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_BALLAST = "ballast"


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Let a folder be a small disk of its own; root alone can do that."""
    mount, unmount = (str(shutil.which(name)) for name in ("mount", "umount"))
    words = [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    subprocess.run(words, check=True)
    try:
        yield
    finally:
        subprocess.run([unmount, "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Fill the disk that a folder is on, to the last byte."""
    with (folder / _BALLAST).open("ab", buffering=0) as file:
        for size in (1 << 22, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)


def empty(folder: Path) -> None:
    """Give a disk that was filled its room back."""
    (folder / _BALLAST).unlink(missing_ok=True)


def can_have_small_disks() -> bool:
    """Say whether a disk can be filled here."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            with small_disk(Path(folder), "1m"):
                return True
        except subprocess.CalledProcessError:
            return False
