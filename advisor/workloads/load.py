"""Where workload profiles lie, and how one is found by its name.

A name is looked for in the file ``advisor.toml`` of the project (the working folder or
one above it), then in the user's own ``advisor.toml``, then in the user's folder, then
among the built-in profiles. A file that others could write is passed over, see `trust`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from advisor.base.errors import UsageError
from advisor.base.log import happened
from advisor.workloads.parse import (
    WORKLOADS,
    closest,
    parse_workload,
    short,
    short_path,
)
from advisor.workloads.profile import Workload
from advisor.workloads.project import ProjectFile, parse_project
from advisor.workloads.settings import Settings
from advisor.workloads.trust import Refused, belongs_to_user, refusal

BUILTIN = Path(__file__).with_name("builtin")

PROJECT_FILE = "advisor.toml"
"""Name of a project's file, and of the user's own in the data folder; see `project`."""

_MAX_BYTES = 1_000_000
"""A profile has some 10 kB; what is larger is some other file."""

_SHOWN = "'advisor workloads list' shows the {} that are known"

_DEEPEST = 10
"""Profiles that extend one another; more are a circle."""

Origin = Literal["project", "user", "built-in"]


@dataclass(frozen=True, slots=True)
class Library:
    """Profiles by name.

    Attributes
    ----------
    user : folder with the user's own, each as ``NAME.toml``; None: none
    projects : files named ``advisor.toml``, the project's before the user's own
    refused : those that are not obeyed
    """

    user: Path | None = None
    projects: tuple[Path, ...] = ()
    refused: tuple[Refused, ...] = ()

    def files(self) -> dict[str, tuple[Origin, Path]]:
        """Map each name to where it is; the project's go first, the built-in last.

        An ``advisor.toml`` that cannot be read has no names here; `all` says why.
        """
        known: dict[str, tuple[Origin, Path]] = {}
        for path in self.projects:
            origin: Origin = "user" if self._is_own(path) else "project"
            with suppress(UsageError):
                for name in read_project(path).profiles:
                    known.setdefault(name, (origin, path))
        folders: Sequence[tuple[Origin, Path | None]]
        folders = (("user", self.user), ("built-in", BUILTIN))
        for origin, folder in folders:
            for path in sorted(folder.glob("*.toml")) if folder else ():
                known.setdefault(path.stem, (origin, path))
        return known

    def load(self, name_or_path: str) -> Workload:
        """Return the profile of that name, or the one in that file.

        Parameters
        ----------
        name_or_path : name of a profile, or path of a TOML file. What ends in
            ``.toml`` or holds a path separator is a path; anything else is a name
            if there is such a profile, else a path.

        Raises
        ------
        advisor.base.errors.UsageError
            if there is no such profile or it cannot be used; the message has the
            file, the line where known, the key, and what is expected
        """
        return self._load(name_or_path, 0)

    def all(self) -> tuple[list[Workload], list[UsageError]]:
        """Return every profile with a name, sorted, and why others cannot be used."""
        workloads: list[Workload] = []
        errors: list[UsageError] = []
        for path in self.projects:
            try:
                read_project(path)
            except UsageError as error:
                errors.append(error)
        for name in sorted(self.files()):
            try:
                workloads.append(self.load(name))
            except UsageError as error:
                errors.append(error)
        return workloads, errors

    def _load(self, name_or_path: str, depth: int) -> Workload:
        if not name_or_path.strip():
            message = "no workload given; `advisor workloads list` shows the names"
            raise UsageError(message)
        if depth > _DEEPEST:
            message = f"{name_or_path}: profiles extend one another in a circle"
            raise UsageError(message)
        if not looks_like_path(name_or_path):
            known = self.files()
            if name_or_path in known:
                return self._of_name(name_or_path, known[name_or_path][1], depth)
            if not _is_there(name_or_path):
                for path in self.projects:  # if it is broken, the name may be in it
                    read_project(path)
                raise UsageError(_unknown_name(name_or_path, known, self.refused))
        return self._of_file(Path(name_or_path), depth)

    def _of_name(self, name: str, path: Path, depth: int) -> Workload:
        """Return a known profile; one that extends its own name means the next place."""

        def parent(extended: str) -> Workload:
            if extended != name:
                return self._load(extended, depth + 1)
            return self._below(path).load(extended)

        if path in self.projects:
            return read_project(path).profiles[name](parent)
        return parse_workload(read_text(path), str(path), parent, path.stem)

    def _below(self, path: Path) -> Library:
        """Return what is left where the places up to the one of a file are passed."""
        if path in self.projects:
            passed = self.projects.index(path) + 1
            return Library(self.user, self.projects[passed:], self.refused)
        return Library()

    def _is_own(self, path: Path) -> bool:
        return self.user is not None and path.parent == self.user.parent

    def _of_file(self, path: Path, depth: int) -> Workload:
        def parent(extended: str) -> Workload:
            return self._load(extended, depth + 1)

        return parse_workload(read_text(path), str(path), parent, path.stem)


def load_workload(name_or_path: str, library: Library | None = None) -> Workload:
    """Return a profile, see `Library.load`; without a library a built-in one."""
    return (library or Library()).load(name_or_path)


def list_workloads() -> list[Workload]:
    """Return the built-in profiles, sorted by name."""
    return Library().all()[0]


def library_of(data_folder: Path, folder: Path) -> Library:
    """Return the library of a user's data folder and a working folder."""
    files = project_files(data_folder, folder)
    return Library(data_folder / WORKLOADS, files.obeyed, files.refused)


def load_settings(files: Iterable[Path]) -> Settings:
    """Return what files named ``advisor.toml`` say of rentals, see `Settings.before`.

    Raises
    ------
    advisor.base.errors.UsageError
        if a file cannot be read, or says what cannot be
    """
    found = Settings()
    for path in files:
        found = found.before(read_project(path).settings)
    return found


def market_named(files: Iterable[Path]) -> str | None:
    """Return the market that the first of the files that names one does; None: none.

    Raises
    ------
    advisor.base.errors.UsageError
        as `load_settings`
    """
    named = (read_project(path).market for path in files)
    return next((market for market in named if market is not None), None)


def read_project(path: Path) -> ProjectFile:
    """Return what a file named ``advisor.toml`` says.

    Raises
    ------
    advisor.base.errors.UsageError
        if it cannot be read, or says what cannot be
    """
    found = parse_project(read_text(path), str(path))
    return found if belongs_to_user(path) else found.without_images()


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """Files named ``advisor.toml``.

    Attributes
    ----------
    obeyed : the project's before the user's own
    refused : those that are not obeyed
    """

    obeyed: tuple[Path, ...]
    refused: tuple[Refused, ...]


def project_files(data_folder: Path, folder: Path) -> ProjectFiles:
    """Return the ``advisor.toml`` of a working folder and the user's own, if any.

    The project's is in the folder or above it, the first that is obeyed: one that is not
    hides no other.
    """
    own = data_folder / PROJECT_FILE
    obeyed: list[Path] = []
    refused: list[Refused] = []
    for place in (folder, *folder.parents):
        path = place / PROJECT_FILE
        if not _is_file(path):
            continue
        if (mistrusted := refusal(path)) is None:
            obeyed.append(path)
            break
        refused.append(mistrusted)
    if own not in (*obeyed, *(one.path for one in refused)) and _is_file(own):
        if (mistrusted := refusal(own)) is None:
            obeyed.append(own)
        else:
            refused.append(replace(mistrusted, is_own=True))
    return ProjectFiles(tuple(obeyed), tuple(refused))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that may not be looked into
        return False


def looks_like_path(name_or_path: str) -> bool:
    """Say whether a text is a path rather than a profile's name."""
    return name_or_path.endswith(".toml") or any(sep in name_or_path for sep in "/\\")


def read_text(path: Path) -> str:
    """Return the text of a file that may be anything.

    Raises
    ------
    advisor.base.errors.UsageError
        if there is none, or it cannot be a profile
    """
    name = short_path(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        happened("files", "%s read, %d bytes", path, len(data))
    except IsADirectoryError:
        raise UsageError(f"{name} is a folder; give a profile inside it") from None
    except FileNotFoundError:
        raise UsageError(_missing_file(path, name)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{name} cannot be read: {reason}") from None
    if len(data) > _MAX_BYTES:
        raise UsageError(
            f"{name} is larger than {_MAX_BYTES // 1_000_000} MB; "
            "a workload profile is a small TOML file"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UsageError(f"{name} is not UTF-8 text; a workload profile is a TOML file")
    return text


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long, or with a NUL in it
        return False


def _unknown_name(
    name: str, known: Mapping[str, object], refused: Sequence[Refused]
) -> str:
    close = closest(name, known)
    hint = f"did you mean {close}?" if close else _SHOWN.format(len(known))
    passed = "".join(f"; {one}" for one in refused)
    return f"no workload and no file is called {short(name)}; {hint}{passed}"


def _missing_file(path: Path, name: str) -> str:
    close = closest(path.stem, Library().files())
    hint = f"; the built-in profile is called {close}" if close else ""
    return f"there is no file {name}{hint}"
