"""Files that are written whole or not at all, and the folders that are there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from advisor.base.log import happened


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
