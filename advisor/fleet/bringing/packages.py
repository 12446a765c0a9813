"""Dask as it is installed here: its own files, and those of all that it needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from advisor.base.errors import UsageError
from advisor.base.resources import installing

_ROOT = "distributed"

_LEFT_OUT = frozenset({"__pycache__", "tests", "static"})
"""Folders that no worker reads; ``static`` is what a dashboard shows in a browser."""

_COMPILED = frozenset({".so", ".dylib", ".pyd"})

_NEEDS_COMPILED = frozenset({"psutil"})
"""Packages that are nothing without their compiled files.

The others of Dask's (msgpack, MarkupSafe, PyYAML, tornado) have the same in Python, and
take it where the compiled one is missing.
"""

_GLIBC = re.compile(rb"GLIBC_(\d+)\.(\d+)")
"""Versioned symbols of the GNU C library that a program names, see `ld.so(8)`."""


def needed_packages() -> tuple[str, ...]:
    """Return the names of the packages that a Dask worker needs, sorted.

    Raises
    ------
    UsageError
        if Dask is not installed here
    """
    return tuple(sorted(_needed()))


def package_files(*, compiled: bool) -> dict[str, Path]:
    """Return the files of those packages: path below ``site-packages`` -> file.

    Parameters
    ----------
    compiled : with what was compiled for this machine; without it, packages that are
        nothing else are left out

    Raises
    ------
    UsageError
        if Dask is not installed here, or nobody knows which files are its
    """
    return {
        path: file
        for name, installed in sorted(_needed().items())
        if compiled or name not in _NEEDS_COMPILED
        for path, file in _files(installed)
        if compiled or not is_compiled(file)
    }


def is_compiled(file: Path) -> bool:
    """Tell whether a file is machine code, as one of ``libpython3.11.so.1.0``."""
    return not _COMPILED.isdisjoint(file.suffixes)


def needed_glibc(files: dict[str, Path]) -> tuple[int, int]:
    """Return the oldest GNU C library that the compiled ones among files run with."""
    found = (
        (int(match[1]), int(match[2]))
        for file in files.values()
        if is_compiled(file)
        for match in _GLIBC.finditer(file.read_bytes())
    )
    return max(found, default=(0, 0))


def _needed() -> dict[str, Distribution]:
    """Return the package of a worker and all that it requires, by canonical name."""
    try:
        from packaging.requirements import Requirement  # noqa: PLC0415  (extra)
        from packaging.utils import canonicalize_name  # noqa: PLC0415  (extra)

        needed: dict[str, Distribution] = {}
        wanted = [_ROOT]
        while wanted:
            name = canonicalize_name(wanted.pop())
            if name in needed:
                continue
            needed[name] = distribution(name)
            for line in needed[name].requires or ():
                requirement = Requirement(line)
                marker = requirement.marker
                if marker is None or marker.evaluate({"extra": ""}):
                    wanted.append(requirement.name)
    except (ImportError, PackageNotFoundError) as error:
        message = f"{error.name} is not installed: {installing('fleet')}"
        raise UsageError(message) from error
    return needed


def _files(installed: Distribution) -> Iterator[tuple[str, Path]]:
    """Yield the files of a package that a worker may read."""
    if installed.files is None:
        message = (
            f"{installed.metadata['Name']} as it is installed here has no list of its "
            f"files, so that no machine can be given it: {installing('fleet')}, in a "
            "virtual environment"
        )
        raise UsageError(message)
    for one in installed.files:
        path = PurePosixPath(one)
        # Commands lie outside of it (``../../bin``), and nobody runs them there.
        if ".." in path.parts or path.is_absolute() or path.suffix == ".pyc":
            continue
        file = Path(str(installed.locate_file(one)))
        if _LEFT_OUT.isdisjoint(path.parts) and file.is_file():
            yield str(path), file
