"""The bench program as one file, which any Python from 3.8 on runs.

The folder `probe` as an archive with a main module: ``python3 FILE --mode quick``. In it
the modules keep the names that they have here, so that they import one another alike,
and an advisor that is installed there does not come between.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

_PACKAGE = "advisor.measure.probe"

_WRITTEN = (1980, 1, 1, 0, 0, 0)
"""Of each module, the first date that an archive knows: one program is one file."""

_MAIN = f"""\
import sys

from {_PACKAGE}.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
"""


@cache
def program() -> bytes:
    """Return the program: a zip archive with a line for the shell before it."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(_modules()):
            archive.writestr(zipfile.ZipInfo(name, _WRITTEN), text)
    return b"#!/usr/bin/env python3\n" + body.getvalue()


def _modules() -> Iterator[tuple[str, bytes]]:
    """Yield path within the archive, and text, of each module."""
    yield "__main__.py", _MAIN.encode()
    folder = ""
    *above, _ = _PACKAGE.split(".")
    for part in above:
        folder += f"{part}/"
        yield f"{folder}__init__.py", b""
    yield from _below(resources.files(_PACKAGE), f"{_PACKAGE.replace('.', '/')}/")


def _below(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for one in folder.iterdir():
        if one.is_dir() and one.name != "__pycache__":
            yield from _below(one, f"{path}{one.name}/")
        elif one.name.endswith(".py"):
            yield f"{path}{one.name}", one.read_bytes()
