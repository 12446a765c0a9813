"""Where results go: stdout carries the result alone, the rest goes to stderr.

Either may fail at any time: closed by the shell, a reader that has gone, a full disk, a
terminal that was closed. What is said on stderr is of use only to who reads it, so that
is no error. A stream that has failed goes nowhere from then on; else Python, which tries
once more at the end of the process, would change the exit code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

import click

from advisor.app.notices import say, silence
from advisor.base.errors import AdvisorError
from advisor.base.interrupts import window
from advisor.cli.progress import wipe_line
from advisor.report.formats import wrap
from advisor.report.terminal import plain_for

_HAS_RESULT = "advisor.has_result"


def has_result(ctx: click.Context) -> bool:
    """Tell whether a command has printed its result."""
    return bool(ctx.meta.get(_HAS_RESULT))


def result(text: str, *, owed: bool = False) -> None:
    """Print a result, and meet a reader that has gone while nothing else is open.

    One that has gone has had enough, as `head` has: the command goes on to its end.

    Parameters
    ----------
    owed : somebody must have it: that its reader has gone is an error, too

    Raises
    ------
    AdvisorError
        if it cannot be printed
    """
    need_stdout()
    if ctx := click.get_current_context(silent=True):
        ctx.meta[_HAS_RESULT] = True
    wipe_line()
    try:
        click.echo(text)
        sys.stdout.flush()
    except (OSError, ValueError) as error:  # ValueError: it was closed meanwhile
        silence(sys.stdout)
        if isinstance(error, BrokenPipeError) and not owed:
            return
        message = f"the result cannot be printed: {reason_of(error)}"
        raise AdvisorError(message) from error


def need_stdout() -> None:
    """Refuse to compute a result that nobody can see.

    Raises
    ------
    AdvisorError
        if stdout is closed
    """
    if sys.stdout is None:  # closed by the shell: `>&-`
        message = "stdout is closed: there is nowhere to print the result"
        raise AdvisorError(message)


def line_width(variables: Mapping[str, str]) -> int | None:
    """Return how many characters a line of the result has room for.

    `COLUMNS` says it, else the terminal; None where the result goes to no terminal.
    """
    stated = variables.get("COLUMNS", "")
    if stated.isdecimal() and int(stated) > 0:
        return int(stated)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (AttributeError, OSError, ValueError):  # closed, a file, a pipe
        return None


def remark_within(text: str, width: int | None) -> None:
    """Say something, broken between words where a terminal would break it anywhere."""
    if width is None:
        remark(text)
        return
    for line in wrap(text, width):
        remark(line)


def showing(stream: TextIO | None) -> Callable[[bytes], None]:
    """Return what shows, on a stream, what a command on a machine prints.

    That command goes on where nobody can be shown anything more, which is reported once.
    """
    is_lost = False
    shown = plain_for(stream)

    def show(piece: bytes) -> None:
        nonlocal is_lost
        if is_lost:
            return
        try:
            if stream is None:
                message = "the stream is closed"
                raise ValueError(message)
            wipe_line()
            with window():  # whoever reads may let us wait
                stream.buffer.write(shown(piece))
                stream.buffer.flush()
        except (OSError, ValueError) as error:
            is_lost = True
            silence(stream)
            remark(
                "what the command prints cannot be shown any more "
                f"({reason_of(error)}): it goes on, and its log has all of it"
            )

    return show


def remark(text: str) -> None:
    """Say something about the result, on stderr; never raises."""
    wipe_line()
    say(text)


def aside(text: str) -> None:
    """Print lines on stderr; never raises."""
    wipe_line()
    try:
        click.echo(text, err=True)
    except (OSError, ValueError):
        silence(sys.stderr)


def reason_of(error: OSError | ValueError) -> str:
    """Return why a stream has failed, in words."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
