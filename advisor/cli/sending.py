"""Options that say what `run` sends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from advisor.cli.options import above_zero
from advisor.rental.outgoing.decide import MAX_SYNC_GB

Command = TypeVar("Command", bound=Callable[..., Any])


def sync_options(command: Command) -> Command:
    """Add the options that say what goes to the machine."""
    for option in reversed(
        (
            click.option(
                "--sync",
                "folder",
                type=click.Path(exists=True, file_okay=False, path_type=Path),
                help="Folder to copy to the machine, in which the command runs. Not "
                "copied: what git ignores, what .advisorignore names, and secrets. "
                "Default: the working folder.",
            ),
            click.option(
                "--exclude",
                "excludes",
                multiple=True,
                metavar="PATTERN",
                help="More files not to copy, a pattern as in .gitignore; may be "
                "repeated.",
            ),
            click.option(
                "--include",
                "includes",
                multiple=True,
                metavar="PATTERN",
                help="Files to copy although they are ignored or secret, a pattern as in "
                ".gitignore; may be repeated.",
            ),
            click.option(
                "--max-sync-gb",
                type=float,
                callback=above_zero,
                metavar="GB",
                help="Ask before more than this is copied; without a terminal, refuse. "
                f"Default: {MAX_SYNC_GB:g}.",
            ),
        )
    ):
        command = option(command)
    return command
