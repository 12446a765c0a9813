r"""The man page: all that `-h` prints of every command, as roff.

Its language is that of man(7); ``\-`` is a hyphen that can be typed, ``\e`` a backslash.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping

import click

from advisor import __version__
from advisor.base.errors import ExitStatus
from advisor.report.cells import wrapped

_WIDTH = 70
"""Characters of a line of the source, escapes not counted."""

_DATE = "2026-11-28"
"""When words of this page that are not the commands' own were changed last."""

_STATUS: Mapping[ExitStatus, str] = {
    ExitStatus.DONE: "Done.",
    ExitStatus.FAILED: "Something failed; the message says what to do.",
    ExitStatus.USAGE: "The command line, a profile or a file is wrong.",
    ExitStatus.NOTHING_FITS: "No offer meets the constraints.",
    ExitStatus.KEY_REFUSED: "The market refuses the key.",
    ExitStatus.RATE_OR_QUOTA: "The market's rate limit or quota is reached.",
    ExitStatus.OVER_BUDGET: "Offers fit, but none within the budget or the credit.",
    ExitStatus.RENTAL_STATE_UNKNOWN: "A rental may exist: run 'advisor reconcile'.",
    ExitStatus.COMMAND_FAILED: "Your own command failed on its machine.",
    ExitStatus.INTERRUPTED: "Interrupted.",
}

_ENVIRONMENT: Mapping[str, str] = {
    "VAST_API_KEY": "Key of the account at Vast.ai.",
    "ADVISOR_DATA_DIR": "Folder of what you keep: ledger, profiles, records.",
    "ADVISOR_CACHE_DIR": "Folder of stored answers, which may be removed.",
    "COLUMNS": "Width of a line, in place of the terminal's.",
    "NO_COLOR": "If it is set, nothing is colored.",
}

_FILES: Mapping[str, str] = {
    "advisor.toml": "Profiles, limits and the market of a project, in its folder or one "
    "above, and your own in the data folder. 'advisor init' makes one.",
    "~/.config/vastai/vast_api_key": "Key of the account, where its own client has it.",
}


def manual(app: click.Command) -> str:
    """Return the man page of the command `advisor`.

    Parameters
    ----------
    app : the command with all below it
    """
    root = click.Context(app, info_name=str(app.name), **app.context_settings)
    name = str(app.name)
    first, *rest = _paragraphs(app.help or "")
    lines = [
        f'.TH {name.upper()} 1 "{_DATE}" "{name} {__version__}" "User Commands"',
        ".ad l",
        ".SH NAME",
        rf"{name} \- {_text(first[:1].lower() + first[1:].rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {name}",
        _text(_usage(app, root)),
        ".SH DESCRIPTION",
    ]
    for at, paragraph in enumerate(rest):
        lines += [*([".PP"] if at else []), *_lines(paragraph)]
    lines += [".SH OPTIONS", *_options(app, root), ".SH COMMANDS"]
    for below, context in _below(app, root):
        lines += _command(below, context)
    statuses = {str(int(one)): words for one, words in _STATUS.items()}
    for title, entries in (
        ("EXIT STATUS", statuses),
        ("ENVIRONMENT", _ENVIRONMENT),
        ("FILES", _FILES),
    ):
        lines.append(f".SH {title}")
        for term, words in entries.items():
            lines += [".TP", rf"\fB{_text(term)}\fR", *_lines(words)]
    return "\n".join([*lines, ""])


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield the section of a command, and those of the commands below it."""
    yield f'.SS "{_text(f"{context.command_path} {_usage(command, context)}")}"'
    text, _, examples = inspect.cleandoc(command.help or "").partition("\b\n")
    for at, paragraph in enumerate(_paragraphs(text)):
        yield from ([".PP"] if at else [])
        yield from _lines(paragraph)
    shown = [line.strip() for line in examples.splitlines()[1:] if line.strip()]
    if shown:
        yield from (".PP", "For example:", ".PP", ".RS 4", ".nf", *map(_line, shown))
        yield from (".fi", ".RE")
    yield from _options(command, context)
    for below, inner in _below(command, context):
        yield from _command(below, inner)


def _below(
    command: click.Command, context: click.Context
) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield the commands below a group, in its order."""
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        if below is not None:
            yield below, click.Context(below, info_name=name, parent=context)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield the options of a command; ``-h`` is said once."""
    for param in command.get_params(context):
        record = param.get_help_record(context)
        is_help = "--help" in param.opts and context.parent is not None
        if record is not None and record[1] and not is_help:
            yield from (".TP", rf"\fB{_text(record[0])}\fR", *_lines(record[1]))


def _usage(command: click.Command, context: click.Context) -> str:
    usage = " ".join(command.collect_usage_pieces(context))
    # Not all versions of click put it in brackets where a group goes without a command.
    return usage.replace("[COMMAND]", "COMMAND")


def _paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a help text, each on one line."""
    parts = inspect.cleandoc(text).split("\n\n")
    return [" ".join(part.split()) for part in parts if part.strip()]


def _lines(text: str) -> list[str]:
    """Return a paragraph as lines of roff: a sentence begins on a line of its own."""
    sentences = re.split(r"(?<=[.:?]) (?=[A-Z])", text)
    return [_line(piece) for one in sentences for piece in wrapped(one, _WIDTH)]


def _line(text: str) -> str:
    r"""Return a line of text that roff takes for no request, which begin by ``.``."""
    plain = _text(text)
    return rf"\&{plain}" if plain[:1] in {".", "'"} else plain


def _text(text: str) -> str:
    r"""Return text as roff has it; a quotation mark would end an argument."""
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return plain.replace("'", r"\(aq").replace("^", r"\(ha").replace("~", r"\(ti")
