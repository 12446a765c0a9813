"""Files of the kernel's, read below a root folder: a recorded tree stands in for it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/")


def text_of(root: Path, path: str) -> str:
    """Return the text of a file below a root, empty where it cannot be read."""
    try:
        return (root / path.lstrip("/")).read_text(errors="replace")
    except OSError:
        return ""
