"""What is checked before anything is paid, for `run`, `rent` and the Python face.

Each check raises, or says nothing; none of them asks the market. What a market tells
(the key, the credit, the caps) is checked where it is asked: `context`, `ends`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from advisor.base.errors import AdvisorError, UsageError
from advisor.base.files import nearest
from advisor.base.units import BYTES_PER_MB
from advisor.rental.incoming.names import safe_name
from advisor.rental.outgoing.secret_names import secret_folder
from advisor.rental.remote.ssh import find_program

_PACKAGES = {"ssh": "openssh-client", "ssh-keygen": "openssh-client", "rsync": "rsync"}
"""Program -> package of Debian that has it."""

LEAST_FREE_BYTES = 100 * 1000**2
"""Without so much even a log and the ledger do not fit; an assumption."""


def check_programs(*names: str) -> None:
    """Refuse to go on without programs of this machine.

    Raises
    ------
    UsageError
        with the package that has the one that is missing
    """
    for name in names:
        find_program(name, _PACKAGES[name])


def check_folder(folder: Path, own: Sequence[Path]) -> None:
    """Refuse to send a folder that cannot be read, or is not for others.

    Parameters
    ----------
    own : folders that are advisor's

    Raises
    ------
    UsageError
        if it may not be sent as a whole
    """
    if not folder.is_dir():
        message = f"there is no folder {folder} to copy to the machine"
        raise UsageError(message)
    if not os.access(folder, os.R_OK | os.X_OK):
        message = f"{folder} cannot be read: mend its permissions"
        raise UsageError(message)
    place = folder.resolve()
    for one in own:
        if place.is_relative_to(one.resolve()):
            message = f"{folder} is advisor's own folder: its keys go to no machine"
            raise UsageError(message)
    for inner in (place, *place.parents):
        if secret := secret_folder(inner.name, inner.parent.name):
            message = f"{inner} has {secret}: it goes to no machine"
            raise UsageError(message)


def is_too_much(folder: Path, home: Path) -> bool:
    """Say whether a folder is the home folder, or holds it: hardly anybody means that."""
    return home.resolve().is_relative_to(folder.resolve())


def check_comes_back(folder: Path, names: Iterable[str]) -> None:
    """Refuse folders into which what a machine wrote could not be copied.

    Parameters
    ----------
    names : of folders in `folder`

    Raises
    ------
    UsageError
        if one is no folder, or may not be written
    """
    for name in names:
        place = folder / name
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            message = f"{place} is no folder: what comes back from the machine goes there"
            raise UsageError(message)
        there = nearest(place)
        if not os.access(there, os.W_OK | os.X_OK):
            message = f"{there} may not be written: what comes back goes there"
            raise UsageError(message)


def check_places(folder: Path, names: Iterable[str], own: Sequence[Path]) -> None:
    """Refuse folders for what comes back from which a machine could reach advisor's own.

    It would write over the ledger, or the settings that caps are in.

    Parameters
    ----------
    names : of folders in `folder`
    own : folders that are advisor's

    Raises
    ------
    UsageError
        with the folder
    """
    for name in names:
        place = (folder / name).resolve()
        for one in own:
            private = one.resolve()
            if place.is_relative_to(private) or _reaches(place, private):
                message = (
                    f"{folder / name}: what a machine sends must not reach advisor's own "
                    f"folder {one}"
                )
                raise UsageError(message)


def _reaches(place: Path, private: Path) -> bool:
    """Say whether what comes into a place may get names that lead to a folder."""
    if not private.is_relative_to(place):
        return False
    return all(safe_name(name) == name for name in private.relative_to(place).parts)


def inner_folder(name: str) -> str:
    """Return the plain name of a folder inside the one that is sent.

    Raises
    ------
    UsageError
        if it is none, or one whose files programs here obey
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        message = f"{name!r}: a folder inside the one that is copied is expected"
        raise UsageError(message)
    if any(safe_name(part) != part for part in path.parts):
        message = (
            f"{name!r}: what a machine wrote must not go there: programs look into "
            "folders of such names by themselves"
        )
        raise UsageError(message)
    return str(path)


def check_room(*folders: Path) -> None:
    """Refuse to begin where nothing could be written.

    Parameters
    ----------
    folders : that are there, or will be made

    Raises
    ------
    AdvisorError
        if a disk is full
    """
    for folder in folders:
        there = nearest(folder)
        free = shutil.disk_usage(there).free
        if free < LEAST_FREE_BYTES:
            message = (
                f"{there} has {free / BYTES_PER_MB:,.0f} MB free: "
                "what is rented is written down, and results come back; "
                f"{LEAST_FREE_BYTES / BYTES_PER_MB:,.0f} MB are the least"
            )
            raise AdvisorError(message)
