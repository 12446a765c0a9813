"""What `run` sends: the options that say it, and the questions before it goes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from advisor.app.context import Context
from advisor.app.private import private_of
from advisor.base.errors import AdvisorError, UsageError
from advisor.base.units import BYTES_PER_GB
from advisor.cli.options import above_zero
from advisor.cli.output import remark
from advisor.rental.outgoing.decide import (
    MAX_SYNC_GB,
    Asked,
    Outgoing,
    decide,
)
from advisor.rental.outgoing.told import lines, too_large
from advisor.rental.preflight import check_folder, is_too_much

Command = TypeVar("Command", bound=Callable[..., Any])


def sync_options(command: Command) -> Command:
    """Add the options that say what goes to the machine."""
    for option in reversed(
        (
            click.option(
                "--sync",
                "folder",
                type=click.Path(exists=True, file_okay=False, path_type=Path),
                default=".",
                show_default=True,
                help="Folder that goes to the machine; the command runs in it. What git "
                "ignores, what .advisorignore names, and secrets stay here.",
            ),
            click.option(
                "--exclude",
                "excludes",
                multiple=True,
                metavar="PATTERN",
                help="Leave this here, too, as a line of .gitignore; may be repeated.",
            ),
            click.option(
                "--include",
                "includes",
                multiple=True,
                metavar="PATTERN",
                help="Send this although it is ignored, or a secret; may be repeated.",
            ),
            click.option(
                "--max-sync-gb",
                type=float,
                callback=above_zero,
                default=MAX_SYNC_GB,
                show_default=True,
                metavar="GB",
                help="Ask before more than this is sent; refuse it without a terminal.",
            ),
        )
    ):
        command = option(command)
    return command


@dataclass(slots=True)
class Sender:
    """Decides what goes to the machines of one job, and has it allowed once.

    Parameters
    ----------
    context : the outside world
    max_gb : more than this is asked about, 10^9 bytes; what the job itself wrote does
        not count
    """

    context: Context
    max_gb: float
    _allowed: bool = False
    _ready: Outgoing | None = None

    def prepare(self, asked: Asked) -> Outgoing:
        """Decide what goes, tell it, have it allowed; the next `outgoing` is this.

        Raises
        ------
        UsageError
            if it may not be sent, or nobody is there to be asked
        AdvisorError
            if it was not confirmed
        """
        private = private_of(self.context)
        if not self._allowed:
            check_folder(asked.folder, private.folders)
            self._allow_folder(asked.folder)
        allow = None if self._allowed else self._allow_size
        outgoing = decide(asked, private, remark, allow)
        self._allowed = True
        for line in lines(outgoing):
            remark(line)
        self._ready = outgoing
        return outgoing

    def outgoing(self, asked: Asked) -> Outgoing:
        """Return what was prepared, else decide it now; as in `prepare`."""
        found = self._ready or self.prepare(asked)
        self._ready = None  # the next machine gets what is there by then
        return found

    def _allow_folder(self, folder: Path) -> None:
        if is_too_much(folder, self.context.home):
            _ask_or_refuse(
                f"{folder.resolve()} has your home folder: name one in it with --sync",
                "send all of it?",
            )

    def _allow_size(self, outgoing: Outgoing) -> None:
        if outgoing.bytes - outgoing.written_bytes > self.max_gb * BYTES_PER_GB:
            told = too_large(outgoing, self.max_gb)
            _ask_or_refuse(
                f"{told} (--exclude, .advisorignore) or raise --max-sync-gb",
                "send it all?",
            )


def _ask_or_refuse(reason: str, question: str) -> None:
    """Ask on a terminal; refuse elsewhere.

    Raises
    ------
    UsageError
        if nobody is there to be asked
    AdvisorError
        if the answer is no
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(reason)
    remark(reason)
    if not click.confirm(question, err=True):
        message = "nothing was sent and nothing was rented: it was not confirmed"
        raise AdvisorError(message)
