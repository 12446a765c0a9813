"""What came back from a machine: nothing that leads out, nothing that others obey."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

OBEYED = (".git", ".hg", ".svn", ".envrc", ".vscode", ".idea", ".advisorignore")
"""Names that other programs obey where they find them."""

_BACK = ("results", "checkpoints")
_LARGEST_LOG_BYTES = 100_000_000
"""Of the small disk that a hostile machine meets: it must not be the log's alone."""


def harm_done(home: Path) -> Iterator[str]:
    """Say what a machine has done to a computer whose home folder this is."""
    project = home / "project"
    for path in sorted(project.rglob("*")):
        inside = path.relative_to(project)
        if inside.parts[0] not in (*_BACK, "input"):
            yield f"{inside} lies outside of the results"
        if path.is_symlink():
            yield f"{inside} is a link"
        elif not (path.is_file() or path.is_dir()):
            yield f"{inside} is neither file nor folder"
        if path.name in OBEYED:
            yield f"{inside} came back"
        if path.is_dir() and {"HEAD", "objects", "refs"} <= {
            one.name for one in path.iterdir()
        }:
            yield f"{inside} is a repository"
    for log in (home / "data").rglob("*.log*"):
        if log.stat().st_size > _LARGEST_LOG_BYTES:
            yield f"the log {log.name} has {log.stat().st_size:,} bytes"
