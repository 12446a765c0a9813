"""Where what a machine sends lands first: a folder that no program looks into.

It lies in the folder that is meant for it, so that moving a file from here to its place
copies nothing: ``.advisor-incoming/KEY``, for the user alone (mode 0700). One that was
left by a process that died is used again by the next that copies from there, as far as a
machine's own files go; others are removed.

rsync sees this folder alone. What is in its place already is shown to it by a file of the
same size and time without any content (a hole), so that it is not copied again, and
nothing of the user's is read: rsync sends checksums of what it finds to the machine.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from advisor.base.errors import RemoteError
from advisor.rental.incoming.names import INCOMING, safe_path

PARTIAL = ".advisor-partial"
"""Folder of rsync's for what has come of a file that is not whole yet."""

_MOST_HOLE_BYTES = 1 << 16  # that a file without content takes on the disk
_BEGINNING_S = 60.0  # a folder so young may not have its lock yet


class Stage:
    """A folder for what one machine sends into one place.

    Parameters
    ----------
    place : folder that it is meant for, resolved
    root : this folder

    Attributes
    ----------
    tree : what rsync writes into
    aside : where it writes a file until that is whole
    shown_bytes : size of what was shown, as it is in its place
    """

    def __init__(self, place: Path, root: Path) -> None:
        self.place = place
        self.tree = root / "tree"
        self.aside = root / "aside"
        self.shown_bytes = 0
        self._root = root
        self._holes = root / "holes"

    def begin(self) -> None:
        """Make what is missing; remove what was shown before: it may have changed."""
        self.tree.mkdir(exist_ok=True)
        for path, status in _files_in(self.tree):
            # Without any block: its second name is gone, as after a loss of power.
            if self.is_hole(status) or (status.st_size and not status.st_blocks):
                path.unlink()
        for one in (self.aside, self._holes):
            _remove(one)
            one.mkdir()

    def remove(self) -> None:
        """Remove it with all that is in it."""
        # Under another name, since half of it must not be gone on with: a hole that has
        # lost its second name looks like a file.
        doomed = self._root.with_name(f"{self._root.name}.done")
        self._root.rename(doomed)
        _remove(doomed)

    def show(self, paths: Iterable[str]) -> None:
        """Show to rsync which files are here already, by their names on the machine."""
        straight = {PurePosixPath(): True}
        for number, text in enumerate(sorted(paths)):
            path = PurePosixPath(text)
            here = self.place.joinpath(*safe_path(path.parts))
            if self._is_straight(path.parent, straight):
                with suppress(OSError):  # names that no file can have here
                    self._show_one(here, self.tree / path, self._holes / str(number))

    def is_hole(self, status: os.stat_result) -> bool:
        """Tell whether a file in the tree is still one that was shown.

        It has a second name, so that no other file can take its place unseen.
        """
        return status.st_nlink > 1

    def size(self) -> int:
        """Return how many bytes the machine has sent, as far as they are here."""
        came = (status for _, status in _files_in(self.tree) if not self.is_hole(status))
        begun = (status for _, status in _files_in(self.aside))
        return sum(status.st_size for status in chain(came, begun))

    def sizes(self) -> dict[str, int]:
        """Return how large the files are that have come whole, by their paths there."""
        return {
            str(path.relative_to(self.tree)): status.st_size
            for path, status in _files_in(self.tree)
            if PARTIAL not in path.parts and not self.is_hole(status)
        }

    def _is_straight(self, path: PurePosixPath, known: dict[PurePosixPath, bool]) -> bool:
        """Say whether a folder is here, none on the way to it being a link."""
        if path not in known:
            here = self.place.joinpath(*safe_path(path.parts))
            known[path] = self._is_straight(path.parent, known) and is_folder(here)
        return known[path]

    def _show_one(self, here: Path, staged: Path, second: Path) -> None:
        status = here.lstat()
        if not stat.S_ISREG(status.st_mode) or os.path.lexists(staged):
            return
        with second.open("xb") as file:
            os.truncate(file.fileno(), status.st_size)
        if second.lstat().st_blocks * 512 > _MOST_HOLE_BYTES:  # no holes on this disk
            second.unlink()
            return
        os.utime(second, ns=(status.st_mtime_ns, status.st_mtime_ns))
        second.chmod(stat.S_IMODE(status.st_mode) | 0o600)
        staged.parent.mkdir(parents=True, exist_ok=True)
        os.link(second, staged)
        self.shown_bytes += status.st_size


@contextmanager
def staged(place: Path, source: str) -> Iterator[Stage]:
    """Yield the folder for what a source sends; it stays if the block fails.

    Parameters
    ----------
    place : folder that it is meant for, resolved; it is there
    source : text that no other machine or folder on one has

    Raises
    ------
    RemoteError
        if another process copies from there at the moment
    OSError
        if it cannot be made
    """
    above = place / INCOMING
    above.mkdir(mode=0o700, exist_ok=True)
    if not is_folder(above):
        message = f"{above} is no folder: move it away"
        raise RemoteError(message)
    above.chmod(0o700)
    root = above / hashlib.sha256(source.encode()).hexdigest()[:16]
    _sweep(above, root)
    root.mkdir(mode=0o700, exist_ok=True)
    lock = FileLock(root / "lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        message = f"another process copies from the machine into {place} at the moment"
        raise RemoteError(message) from None
    try:
        stage = Stage(place, root)
        stage.begin()
        yield stage
        stage.remove()
    finally:
        lock.release()
        with suppress(OSError):  # it has others, or what is to be gone on with
            above.rmdir()


def is_folder(path: Path) -> bool:
    """Say whether a path is a folder, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def _sweep(above: Path, own: Path) -> None:
    """Remove what processes have left that are gone."""
    for root in above.iterdir():
        with suppress(OSError, Timeout):
            young = time.time() - root.lstat().st_mtime < _BEGINNING_S
            if root == own or young or not is_folder(root):
                continue
            with FileLock(root / "lock", timeout=0, thread_local=False):
                _remove(root)


def _remove(root: Path) -> None:
    """Remove a folder; a machine may have made it deeper than Python goes."""
    try:
        shutil.rmtree(root, ignore_errors=True)
    except RecursionError:
        command = ["rm", "-rf", "--", str(root)]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False)  # noqa: S603


def _files_in(tree: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what is no folder, at any depth."""
    waiting = [tree]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                    continue
                with suppress(FileNotFoundError):  # rsync has renamed it
                    yield path, path.lstat()
