"""Whether a process lives, where its parent may never ask how it has ended."""

from __future__ import annotations

from pathlib import Path


def is_alive(process: int) -> bool:
    """Tell whether it runs: one that has ended and is not yet collected does not."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
