"""Packages as they are installed here: their files, and those of all that they need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from advisor.base.errors import UsageError
from advisor.base.resources import installing

_ROOT = "distributed"

_LEFT_OUT = frozenset({"__pycache__", "tests", "static"})
"""Folders that no worker reads; ``static`` is what a dashboard shows in a browser."""

_COMPILED = frozenset({".so", ".dylib", ".pyd"})

_WORKS_WITHOUT = frozenset({"markupsafe", "msgpack", "pyyaml", "tornado"})
"""Packages that have in Python what they have compiled, and take it where that lacks."""

_GLIBC = re.compile(rb"GLIBC_(\d+)\.(\d+)")
"""Versioned symbols of the GNU C library that a program names, see `ld.so(8)`."""


PACKAGES, ALSO = "packages", "also"
"""Folders of Dask with all that it needs, which comes before what the image has, and of
what is brought besides, which comes after: the image's own NumPy fits its PyTorch."""


def package_files(*, compiled: bool, also: Sequence[str] = ()) -> dict[str, Path]:
    """Return the files of Dask and of other packages: path on the machine -> file.

    Parameters
    ----------
    compiled : with what was compiled for this machine; without it, packages that are
        nothing else are left out
    also : names of packages that are brought besides, with all that they need

    Raises
    ------
    UsageError
        if one is not installed here, or nobody knows which files are its
    """
    own = _needed([_ROOT])
    more = {k: v for k, v in _needed(also).items() if k not in own}
    files: dict[str, Path] = {}
    for folder, packages in ((PACKAGES, own), (ALSO, more)):
        for name, installed in packages.items():
            found = dict(_files(installed))
            plain = {path: one for path, one in found.items() if not is_compiled(one)}
            if compiled or len(plain) == len(found):
                chosen = found
            elif name in _WORKS_WITHOUT:
                chosen = plain
            else:
                continue
            files |= {f"{folder}/{path}": one for path, one in chosen.items()}
    return files


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


def _needed(roots: Sequence[str]) -> dict[str, Distribution]:
    """Return packages and all that they require, by canonical name."""
    try:
        from packaging.requirements import Requirement  # noqa: PLC0415  (extra)
        from packaging.utils import canonicalize_name  # noqa: PLC0415  (extra)
    except ImportError as error:
        message = f"Dask is not installed here: {installing('fleet')}"
        raise UsageError(message) from error
    needed: dict[str, Distribution] = {}
    wanted = list(roots)
    while wanted:
        name = canonicalize_name(wanted.pop())
        if name in needed:
            continue
        needed[name] = _installed(name)
        for line in needed[name].requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or marker.evaluate({"extra": ""}):
                wanted.append(requirement.name)
    return needed


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        how = installing("fleet") if name == _ROOT else "install it"
        message = f"{name} is not installed here, and no machine can be given it: {how}"
        raise UsageError(message) from error


def _is_editable(installed: Distribution) -> bool:
    """Tell whether its files lie elsewhere (PEP 610): those that it lists lead there."""
    told = installed.read_text("direct_url.json")
    origin = json.loads(told) if told else {}
    return bool(origin.get("dir_info", {}).get("editable"))


def _files(installed: Distribution) -> Iterator[tuple[str, Path]]:
    """Yield the files of a package that a worker may read."""
    if installed.files is None:
        message = (
            f"{installed.metadata['Name']} as it is installed here has no list of its "
            "files, and no machine can be given it: install it by pip in a virtual "
            "environment"
        )
        raise UsageError(message)
    if _is_editable(installed):
        message = (
            f"{installed.metadata['Name']} is installed here as editable, and no machine "
            "can be given it: install it as a copy, without -e"
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
