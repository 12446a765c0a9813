"""The bench program as one file, which any Python from 3.8 on runs.

The folder `probe` as an archive with a main module: ``python3 FILE --mode quick``. In it
the modules keep the names that they have here, so that they import one another alike,
and an advisor that is installed there does not come between.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
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


def command_words(
    mode: str,
    *,
    seconds: float | None = None,
    most_bytes: float | None = None,
    folder: str | None = None,
    urls: Sequence[str] = (),
) -> list[str]:
    """Return the words of the program's command line; None: what the program has.

    Parameters
    ----------
    mode : how much is measured
    seconds : after which it stops
    most_bytes : that it may write
    folder : on the disk that is measured
    urls : to download from
    """
    words = ["--mode", mode]
    if seconds is not None:
        words += ["--seconds", f"{seconds:g}"]
    if most_bytes is not None:
        words += ["--bytes", f"{most_bytes:.0f}"]
    if folder is not None:
        words += ["--folder", folder]
    for url in urls:
        words += ["--url", url]
    return words


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
