"""How a command that fails says so: a line for people, a document with ``--json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import click

from advisor.base.errors import AdvisorError, ExitStatus, Given
from advisor.cli.options import options_of
from advisor.cli.output import result
from advisor.report.failure import INTERNAL, INTERRUPTED, SYSTEM, Failure
from advisor.report.formats import to_json, to_json_line


class Explained(NamedTuple):
    """What to say of an error.

    Attributes
    ----------
    failure : for programs
    line : for people; the hint of a wrong command line is in it
    status : exit code
    """

    failure: Failure
    line: str
    status: ExitStatus


class Asked(NamedTuple):
    """What a command line asks for, as far as it can be read.

    Attributes
    ----------
    command : such as ``advisor rank``
    as_json : it asks for JSON
    in_lines : it asks for documents of a line each
    options : field -> what the command calls it
    """

    command: str
    as_json: bool
    in_lines: bool
    options: Mapping[str, str]


def explain(error: Exception, asked: Asked) -> Explained:
    """Return what to say of an error.

    Parameters
    ----------
    asked : by the command line that failed
    """
    command = asked.command
    if isinstance(error, AdvisorError):

        def words(given: Given) -> str:
            return asked.options.get(given.name, str(given))

        failure = Failure.of(error, words)
        if failure.hint is None and error.exit_status == ExitStatus.USAGE:
            failure = Failure(failure.code, failure.message, _help_of(command))
        return Explained(failure, error.worded(words), error.exit_status)
    if isinstance(error, click.Abort):  # what click makes of Ctrl-C
        return Explained(INTERRUPTED, INTERRUPTED.message, ExitStatus.INTERRUPTED)
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else command
        message, hint = " ".join(error.format_message().split()), _help_of(path)
        failure = Failure("usage", message, hint)
        stop = "" if message.endswith((".", "?", "!")) else "."
        return Explained(failure, f"{message}{stop} {hint}", ExitStatus.USAGE)
    if isinstance(error, click.ClickException):
        message = error.format_message()
        return Explained(Failure("usage", message), message, ExitStatus.USAGE)
    message = " ".join(str(error).split())
    if isinstance(error, OSError):
        return Explained(Failure(SYSTEM, message), message, ExitStatus.FAILED)
    message = f"{type(error).__name__}: {message}"
    hint = "This is a fault of advisor: report it with what stands on stderr."
    return Explained(Failure(INTERNAL, message, hint), message, ExitStatus.FAILED)


def report_to_programs(
    error: Exception, group: click.Group, words: Sequence[str]
) -> None:
    """Print the document of what ends a command, where its words ask for JSON.

    Parameters
    ----------
    group : the command `advisor`
    words : of the command line after its name
    """
    asked = asked_of(group, words)
    if asked.as_json:
        failure = explain(error, asked).failure
        with suppress(AdvisorError):  # what went wrong first counts
            document = failure.document()
            result(to_json_line(document) if asked.in_lines else to_json(document))


def asked_of(group: click.Group, words: Sequence[str]) -> Asked:
    """Read a command line once more, passing over what is wrong in it.

    Parameters
    ----------
    group : the command `advisor`
    words : of the command line after its name

    Words after ``--``, and those of the command that `advisor run` carries out, are not
    ours.
    """
    ctx = _context(group, "advisor", None)
    options, rest = _read(ctx, words)
    while isinstance(ctx.command, click.Group) and rest:
        found = ctx.command.get_command(ctx, rest[0])
        if found is None:
            break
        ctx = _context(found, rest[0], ctx)
        options, rest = _read(ctx, rest[1:])
    in_lines = bool(options.get("as_lines"))
    as_json = (
        in_lines or bool(options.get("as_json")) or options.get("output_format") == "json"
    )
    return Asked(ctx.command_path, as_json, in_lines, options_of(ctx.command, options))


def _context(
    command: click.Command, name: str, parent: click.Context | None
) -> click.Context:
    return click.Context(
        command,
        parent,
        name,
        resilient_parsing=True,
        **command.context_settings,
    )


def _read(
    ctx: click.Context, words: Sequence[str]
) -> tuple[Mapping[str, Any], list[str]]:
    """Return the options that are there, and the words that are none."""
    parser = ctx.command.make_parser(ctx)
    parser.ignore_unknown_options = True
    options, rest, _ = parser.parse_args(list(words))
    return options, rest


def _help_of(command: str) -> str:
    return f"See '{command} -h'."
