"""Where workload profiles lie, and how one is found by its name.

A name is looked for in the file ``advisor.toml`` of the project (the working folder or
one above it), then in the user's folder, then among the built-in profiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from advisor.errors import UsageError
from advisor.workloads.parse import (
    Parent,
    closest,
    parse_workload,
    parse_workloads,
    short,
    short_path,
)
from advisor.workloads.profile import Workload

BUILTIN = Path(__file__).with_name("builtin")

PROJECT_FILE = "advisor.toml"
"""Name of a project's file; its profiles are the tables ``[workloads.NAME]``."""

_TABLE = "workloads"
_TABLES = (_TABLE, "rental")
"""Tables of a project's file; each is read by who it is for."""

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
    project : file of the project; None: none
    """

    user: Path | None = None
    project: Path | None = None

    def files(self) -> dict[str, tuple[Origin, Path]]:
        """Map each name to where it is; the project's go first, the built-in last.

        A project's file that cannot be read has no names here; `broken` says why.
        """
        known: dict[str, tuple[Origin, Path]] = {}
        if self.project is not None:
            try:
                known = dict.fromkeys(self._project(), ("project", self.project))
            except UsageError:
                known = {}
        for origin, folder in (("user", self.user), ("built-in", BUILTIN)):
            for path in sorted(folder.glob("*.toml")) if folder else ():
                known.setdefault(path.stem, (origin, path))  # type: ignore[arg-type]
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
        advisor.errors.UsageError
            if there is no such profile or it cannot be used; the message has the
            file, the line where known, the key, and what is expected
        """
        return self._load(name_or_path, 0)

    def all(self) -> tuple[list[Workload], list[UsageError]]:
        """Return every profile with a name, sorted, and why others cannot be used."""
        workloads: list[Workload] = []
        errors: list[UsageError] = []
        try:
            self._project()
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
                return self._of_name(name_or_path, *known[name_or_path], depth)
            if not _is_there(name_or_path):
                self._project()  # if it is broken, the name may be in it
                raise UsageError(_unknown_name(name_or_path, known))
        return self._of_file(Path(name_or_path), depth)

    def _of_name(self, name: str, origin: Origin, path: Path, depth: int) -> Workload:
        """Return a known profile; one that extends its own name means the next place."""

        def parent(extended: str) -> Workload:
            if extended != name:
                return self._load(extended, depth + 1)
            below = Library(None if origin == "user" else self.user, None)
            return below._load(extended, depth + 1)

        if origin == "project":
            return self._project()[name](parent)
        return parse_workload(read_text(path), str(path), parent, path.stem)

    def _of_file(self, path: Path, depth: int) -> Workload:
        def parent(extended: str) -> Workload:
            return self._load(extended, depth + 1)

        return parse_workload(read_text(path), str(path), parent, path.stem)

    def _project(self) -> dict[str, Callable[[Parent], Workload]]:
        if self.project is None:
            return {}
        text = read_text(self.project)
        return parse_workloads(text, str(self.project), _TABLE, _TABLES)


def load_workload(name_or_path: str, library: Library | None = None) -> Workload:
    """Return a profile, see `Library.load`; without a library a built-in one."""
    return (library or Library()).load(name_or_path)


def list_workloads() -> list[Workload]:
    """Return the built-in profiles, sorted by name."""
    return Library().all()[0]


def library_of(data_folder: Path, folder: Path) -> Library:
    """Return the library of a user's data folder and a working folder."""
    return Library(data_folder / _TABLE, find_project(folder))


def find_project(folder: Path) -> Path | None:
    """Return the project's file of a working folder: in it or above it."""
    for place in (folder, *folder.parents):
        if (place / PROJECT_FILE).is_file():
            return place / PROJECT_FILE
    return None


def looks_like_path(name_or_path: str) -> bool:
    """Tell whether a text is a path rather than a profile's name."""
    return name_or_path.endswith(".toml") or any(sep in name_or_path for sep in "/\\")


def read_text(path: Path) -> str:
    """Return the text of a file that may be anything.

    Raises
    ------
    advisor.errors.UsageError
        if there is none, or it cannot be a profile
    """
    name = short_path(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
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


def _unknown_name(name: str, known: Mapping[str, object]) -> str:
    close = closest(name, known)
    hint = f"did you mean {close}?" if close else _SHOWN.format(len(known))
    return f"no workload and no file is called {short(name)}; {hint}"


def _missing_file(path: Path, name: str) -> str:
    close = closest(path.stem, Library().files())
    hint = f"; the built-in profile is called {close}" if close else ""
    return f"there is no file {name}{hint}"
