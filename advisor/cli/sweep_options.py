"""What the commands that begin with a sweep's file have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from advisor.cli.options import above_zero, duration_s

Command = TypeVar("Command", bound=Callable[..., Any])


def sweep_options(command: Command) -> Command:
    """Add the sweep's file, and what counts instead of what it says."""
    for option in reversed(
        (
            click.argument("file", type=click.Path(dir_okay=False, path_type=Path)),
            click.option(
                "--deadline",
                "deadline_s",
                callback=duration_s,
                metavar="TIME",
                help="Longest time for all jobs together, such as 24h or 3d. Default: "
                "the file's.",
            ),
            click.option(
                "--budget",
                "budget_usd",
                type=float,
                callback=above_zero,
                metavar="USD",
                help="Highest cost of the sweep, all its machines together. Default: "
                "the file's.",
            ),
            click.option(
                "--max-machines",
                type=click.IntRange(min=1),
                metavar="N",
                help="Most machines at the same time. Default: the file's.",
            ),
        )
    ):
        command = option(command)
    return command
