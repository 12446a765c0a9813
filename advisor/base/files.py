"""Files that are written whole or not at all, and the folders that are there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from advisor.base.errors import UsageError
from advisor.base.log import happened


def write_output(path: Path, body: bytes) -> None:
    """Write a file that the user named, whole or not at all.

    A link stays, and what it leads to is written. A device or a pipe stays what it is:
    a new file in its place would be there for every other program, too.

    Raises
    ------
    UsageError
        if it cannot be written
    """
    try:
        file = path.resolve()
        if file.exists() and not file.is_file():  # a device such as /dev/null
            message = f"cannot write {path}: it is no regular file; name another"
            raise UsageError(message)
        write_atomically(file, body)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        why = getattr(error, "strerror", None) or error
        message = f"cannot write {path}: {why}"
        raise UsageError(message) from error


def write_atomically(path: Path, body: bytes, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old one or the new one, whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
        happened("files", "%s written, %d bytes", path, len(body))
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def nearest(path: Path) -> Path:
    """Return a path, absolute; or the first above it that is there, if it is not."""
    whole = path.absolute()
    return next(one for one in (whole, *whole.parents) if one.exists())
