"""`advisor` in the fast time of a simulated market, which other processes share."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from advisor.app.context import Context
from advisor.base.clock import Clock
from advisor.base.errors import AdvisorError
from advisor.cli.main import app, explain


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


def main() -> int:
    """Run one command line as `advisor` does."""
    try:
        code = app.main(
            prog_name="advisor",
            standalone_mode=False,
            obj=context_in(os.environ, Path.cwd()),
        )
    except (AdvisorError, click.ClickException, click.Abort, OSError) as error:
        message, status = explain(error)
        click.echo(f"advisor: {message}", err=True)
        return status
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
