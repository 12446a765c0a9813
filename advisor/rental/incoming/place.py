"""What a machine sent is moved to its place, each entry after a look at it."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from advisor.rental.incoming.names import another, safe_name, safe_path
from advisor.rental.incoming.room import Room
from advisor.rental.incoming.stage import PARTIAL, Stage, is_folder

_MOST_DEPTH = 100
"""Folders in one another; no program makes so many on purpose."""


class Came(NamedTuple):
    """A file that came from a machine.

    Attributes
    ----------
    path : here
    size : bytes
    mtime_ns : when it was written there
    """

    path: Path
    size: int
    mtime_ns: int

    @property
    def is_here(self) -> bool:
        """Whether it is still as it came."""
        status = _status(self.path)
        return status is not None and self.is_like(status)

    def is_like(self, status: os.stat_result) -> bool:
        """Tell whether a file looks as this one."""
        stamp = (status.st_size, status.st_mtime_ns)
        return stat.S_ISREG(status.st_mode) and stamp == (self.size, self.mtime_ns)


Record = dict[tuple[Path, str], Came]
"""Place and name on the machine -> what came, so far, to this process."""


@dataclass(slots=True)
class Placing:
    """Moves what came from a stage to its place; it is used once.

    Attributes
    ----------
    stage : with what came
    record : of what has come, which is added to
    renamed : paths here of what has got another name, and had not before
    left : names on the machine of what is no file, folder or link, or lies too deep
    """

    stage: Stage
    record: Record
    renamed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Move everything.

        Raises
        ------
        OSError
            if something cannot be moved; what was is there
        """
        waiting = [(self.stage.tree, self.stage.place, PurePosixPath())]
        while waiting:
            staged, here, path = waiting.pop()
            with os.scandir(staged) as found:
                entries = sorted(found, key=lambda one: one.name)
            for entry in entries:
                inner = path / entry.name
                if entry.name == PARTIAL:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if len(inner.parts) > _MOST_DEPTH:
                        self.left.append(str(inner))
                        continue
                    folder = self._folder(here, entry.name)
                    waiting.append((Path(entry.path), folder, inner))
                elif entry.is_file(follow_symlinks=False):
                    self._file(Path(entry.path), here, str(inner))
                else:
                    self.left.append(str(inner))

    def _folder(self, here: Path, name: str) -> Path:
        """Return a folder for what came in one; it is made where it is missing."""
        for path in _names_in(here, name):
            if not os.path.lexists(path):
                path.mkdir()
                if path.name != name:
                    self._tell(path)
                return path
            if is_folder(path):
                return path
        raise AssertionError  # there is no end of names

    def _file(self, staged: Path, here: Path, name: str) -> None:
        """Move a file to its place, over what has come before."""
        status = staged.lstat()
        if self.stage.is_hole(status):
            return
        key = (self.stage.place, name)
        before = self.record.get(key)
        for path in _names_in(here, staged.name):
            came = Came(path, status.st_size, status.st_mtime_ns)
            own_name = path.name == staged.name
            if came.is_here and not own_name:  # of an earlier process
                break
            came_before = before is not None and before.path == path
            may_replace = came_before or (own_name and not is_folder(path))
            if may_replace or not os.path.lexists(path):
                staged.chmod(stat.S_IMODE(status.st_mode) & 0o777 | 0o600)
                self._move(staged, path)
                if not own_name and not came_before:
                    self._tell(path)
                break
        self.record[key] = came

    def _move(self, staged: Path, path: Path) -> None:
        try:
            staged.replace(path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # Another disk is mounted in the folder.
            aside = path.with_name(f".{path.name[:50]}.advisor")
            aside.unlink(missing_ok=True)
            shutil.copy2(staged, aside)
            aside.replace(path)

    def _tell(self, path: Path) -> None:
        self.renamed.append(str(path.relative_to(self.stage.place)))


def resolve_links(
    stage: Stage, links: Mapping[str, str], record: Record, room: Room
) -> list[str]:
    """Put what links of the machine lead to into a stage, as files; links are not made.

    A link leads to what came in this process, and to nothing else: what is here beside
    may be private.

    Returns
    -------
    links that lead to what has not come

    Raises
    ------
    advisor.base.errors.TooMuchError
        if there is no room
    """
    left = []
    for link, target in sorted(links.items()):
        source = stage.tree / target
        status = _status(source)
        if status is None or stage.is_hole(status):
            known = record.get((stage.place, target))
            if known is None or not known.is_here:
                left.append(link)
                continue
            source, status = known.path, known.path.lstat()
        copy = stage.tree / link
        here = stage.place.joinpath(*safe_path(PurePosixPath(link).parts))
        is_here = Came(here, status.st_size, status.st_mtime_ns).is_here
        if is_here or os.path.lexists(copy) or not stat.S_ISREG(status.st_mode):
            continue
        room.check(status.st_size)
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):  # it sent a file of that name
            left.append(link)
            continue
        shutil.copy2(source, copy)
    return left


def total_bytes(record: Record, stage: Stage | None = None) -> int:
    """Return the size of what has come, once what is in a stage has its place, too."""
    known = {key: came.size for key, came in record.items()}
    if stage is not None:
        known |= {(stage.place, path): size for path, size in stage.sizes().items()}
    return sum(known.values())


def _names_in(here: Path, name: str) -> Iterator[Path]:
    """Yield what an entry of a machine's may be called here, the first the best."""
    safe = safe_name(name)
    yield here / safe
    for number in count(2):
        yield here / another(safe, number)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (OSError, ValueError):
        return None
