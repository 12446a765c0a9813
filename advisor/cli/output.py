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
from typing import TYPE_CHECKING, Any, TextIO

import click

from advisor.app.notices import say, silence
from advisor.base.errors import AdvisorError
from advisor.base.interrupts import window
from advisor.cli.progress import is_terminal, wipe_line
from advisor.report.cells import wrapped
from advisor.report.styles import Meaning, Style, unstyled

if TYPE_CHECKING:
    from advisor.report.look import Look
    from advisor.report.tables import Fitted

_HAS_RESULT = "advisor.has_result"

_COLORS: Mapping[Meaning, Mapping[str, Any]] = {
    "answer": {"fg": "green", "bold": True},
    "caution": {"fg": "yellow"},
    "danger": {"fg": "red"},
    "faint": {"dim": True},
}
"""Colors of the terminal's own palette, which are readable on dark and light."""


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


CSV_HAS_ALL = "--format csv has all"
JSON_HAS_ALL = "--json has all"
"""What shows the columns that have no room."""


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


def result_within(table: Fitted, width: int | None, others: str = "") -> None:
    """Print a table, and say which of its columns have no room.

    Parameters
    ----------
    others : what shows those
    """
    result(table.text)
    if table.missing:
        told = f"too wide for this terminal: {', '.join(table.missing)}"
        remark_within("; ".join(filter(None, [told, others])), width)


def style_of(stream: TextIO | None, variables: Mapping[str, str]) -> Style:
    """Return how a meaning looks on a stream: in color only where somebody looks at it.

    ``NO_COLOR`` (https://no-color.org), ``--no-color`` and a terminal that says that it
    is dumb are respected.
    """
    ctx = click.get_current_context(silent=True)
    if (
        (ctx is not None and ctx.color is False)
        or variables.get("NO_COLOR")
        or variables.get("TERM") == "dumb"
        or not is_terminal(stream)
    ):
        return unstyled
    return _in_color


def _in_color(meaning: Meaning, text: str) -> str:
    return click.style(text, **_COLORS[meaning])


def remark_within(
    text: str, width: int | None, color: Callable[[str], str] = str
) -> None:
    """Say something, broken between words where a terminal would break it anywhere.

    Parameters
    ----------
    color : of each line
    """
    for line in [text] if width is None else wrapped(" ".join(text.split()), width):
        remark(line, color)


def showing(stream: TextIO | None) -> Callable[[bytes], None]:
    """Return what shows, on a stream, what a command on a machine prints.

    That command goes on where nobody can be shown anything more, which is reported once.
    """
    from advisor.report.terminal import plain_for  # noqa: PLC0415  (start-up)

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


def remark(text: str, color: Callable[[str], str] = str) -> None:
    """Say something about the result, on stderr; never raises."""
    wipe_line()
    say(text, color)


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


def look_of_result(variables: Mapping[str, str]) -> Look:
    """Return how a text looks where the result is shown."""
    from advisor.report.bars import BLOCKS  # noqa: PLC0415  (start-up)
    from advisor.report.look import Look  # noqa: PLC0415

    style = style_of(sys.stdout, variables)
    return Look(line_width(variables), _shows(BLOCKS), style)


def _shows(characters: str) -> bool:
    """Tell whether what takes the result can be given these characters."""
    encoding = getattr(sys.stdout, "encoding", None)
    try:
        characters.encode(encoding or "utf-8")  # without one it takes any text
    except (LookupError, UnicodeEncodeError):
        return False
    return True
