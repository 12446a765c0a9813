"""What people are notified of beside the result."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TextIO

from advisor.market.values import read_text


def say(line: str, color: Callable[[str], str] = str) -> None:
    """Say something on stderr; never raises: whoever looks at it decides nothing.

    What a terminal would obey is not printed: a market's words may be in it.

    Parameters
    ----------
    color : returns the line in a color
    """
    try:
        if sys.stderr is not None:
            print(color(read_text(line)), file=sys.stderr, flush=True)  # noqa: T201
    except (OSError, ValueError):  # gone, full, or closed
        silence(sys.stderr)


def silence(stream: TextIO | None) -> None:
    """Send nowhere what a stream still holds, and what comes: it has failed.

    Else Python, which tries once more at the end of the process, would change the exit
    code.
    """
    try:
        number = -1 if stream is None else stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
    except (OSError, ValueError):  # it is none of the system's, or closed
        return
    if number >= 0:
        os.dup2(nowhere, number)
    os.close(nowhere)
