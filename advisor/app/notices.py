"""What people are told beside the result."""

from __future__ import annotations

import contextlib
import sys


def say(line: str) -> None:
    """Say something on stderr, if it is there; whoever looks at it decides nothing."""
    with contextlib.suppress(OSError, ValueError):  # gone, full, or closed
        if sys.stderr is not None:
            print(" ".join(line.split()), file=sys.stderr, flush=True)  # noqa: T201
