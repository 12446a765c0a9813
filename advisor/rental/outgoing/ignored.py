"""Ignore files of a folder and of the folders in it, read without git."""

from __future__ import annotations

import codecs
import os
import stat
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from advisor.base.errors import UsageError
from advisor.base.units import BYTES_PER_MIB
from advisor.rental.outgoing.patterns import Pattern, Patterns

GIT_IGNORE = ".gitignore"
OWN_IGNORE = ".advisorignore"

DEFAULTS = Path(__file__).with_name("defaults.gitignore")
"""What hardly anybody wants to send: made anew there, or of no use there."""

DEFAULT = "default"
"""What is said to ignore an entry that one of those patterns is about."""

_MOST_BYTES = 100 * BYTES_PER_MIB  # git's own limit of an ignore file


@cache
def default_patterns() -> Patterns:
    """Return the patterns of `DEFAULTS`, which any ignore file overrules."""
    text = DEFAULTS.read_text(encoding="utf-8")
    return Patterns.of_file(text, DEFAULT)


@dataclass(frozen=True, slots=True)
class NestedIgnores:
    """All ignore files of one name in a tree; the one that is nearest decides.

    Attributes
    ----------
    root : folder that the paths are relative to
    name : of the files
    upper : what decides where no file in the tree does, the strongest first
    """

    root: Path
    name: str
    upper: tuple[Patterns, ...] = ()
    _lists: dict[str, tuple[tuple[str, Patterns], ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def deciding(self, path: str, *, is_folder: bool) -> tuple[Pattern, str] | None:
        """Return the line that decides about an entry and where that line is from.

        An entry in a folder that is ignored is not asked about.

        Parameters
        ----------
        path : relative to the root, with ``/``
        """
        for prefix, patterns in self.lists(path.rpartition("/")[0]):
            line = patterns.deciding(path[len(prefix) :], is_folder=is_folder)
            if line is not None:
                return line, patterns.origin
        for patterns in self.upper:
            line = patterns.deciding(path, is_folder=is_folder)
            if line is not None:
                return line, patterns.origin
        return None

    def lists(self, folder: str) -> tuple[tuple[str, Patterns], ...]:
        """Return the lists that count in a folder, the nearest first.

        Each with the path of its own folder, ``""`` or with a slash at its end.
        """
        found = self._lists.get(folder)
        if found is None:
            upper = () if not folder else self.lists(folder.rpartition("/")[0])
            own = self._read(self.root / folder / self.name, folder)
            prefix = f"{folder}/" if folder else ""
            found = ((prefix, own), *upper) if own is not None else upper
            self._lists[folder] = found
        return found

    def _read(self, path: Path, folder: str) -> Patterns | None:
        """Return the lines of the file in a folder; ours counts in whatever guise.

        What git does not obey (a link, a folder of that name) it ignores nothing by.
        """
        is_ours = self.name == OWN_IGNORE
        if is_ours and os.path.lexists(path) and not path.is_file():
            message = f"{path} says what must not be sent and is no file"
            raise UsageError(message)
        return read_patterns(path, f"{folder}/{self.name}".lstrip("/"), through=is_ours)


def read_patterns(path: Path, origin: str, *, through: bool) -> Patterns | None:
    """Return the lines of an ignore file, None where there is none.

    Parameters
    ----------
    through : also through a link, which git does not do in a work tree

    Raises
    ------
    UsageError
        if it cannot be read: what it ignores must not be sent
    """
    try:
        if not stat.S_ISREG(path.stat(follow_symlinks=through).st_mode):
            return None
        with path.open("rb") as file:
            body = file.read(_MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        message = (
            f"{path} says what must not be sent and cannot be read: {error.strerror}"
        )
        raise UsageError(message) from error
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        message = f"{path} says what must not be sent and is in UTF-16: save it as UTF-8"
        raise UsageError(message)
    return Patterns.of_file(os.fsdecode(body), origin)
