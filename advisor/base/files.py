"""Files that are written whole or not at all."""

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
