"""`advisor` in the fast time of a simulated market, which other processes share."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from advisor.app.context import Context
from advisor.base.clock import Clock
from advisor.cli.main import run


def context_in(variables: Mapping[str, str], folder: Path) -> Context:
    """Return a world whose seconds are as short as the market's (see ``TEST_CLOCK``)."""
    speed, start, began = map(float, variables["TEST_CLOCK"].split())

    def monotonic() -> float:
        return (time.monotonic() - began) * speed

    return Context(
        variables=variables,
        home=Path(variables["HOME"]),
        folder=folder,
        clock=Clock(
            now=lambda: datetime.fromtimestamp(start + monotonic(), UTC),
            monotonic=monotonic,
            sleep=lambda seconds: time.sleep(seconds / speed),
        ),
    )


if __name__ == "__main__":
    sys.exit(run(context=context_in(os.environ, Path.cwd())))
