"""The commands that people type next, with the options of the one that they just ran."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import click

from advisor.cli.options import Flag

WORDS = "advisor.words"
"""Where a context's `meta` has the words of the command line after `advisor`."""

_INDENT = "    "


def command_line(
    words: Sequence[str],
    ctx: click.Context,
    carried: Collection[str],
    more: Sequence[str] = (),
) -> list[str]:
    """Return the words of a command that goes on where this one ends.

    Parameters
    ----------
    words : it begins with, after `advisor`
    ctx : of the command that ran
    carried : fields whose options it takes over, as they were written
    more : it ends with
    """
    given = _given(ctx)
    found = ["advisor", *words]
    for param in ctx.command.params:
        field = param.of if isinstance(param, Flag) else param.name
        if isinstance(param, click.Option) and param.name in given and field in carried:
            found += _written(param, given[param.name])
    return [*found, *more]


def _given(ctx: click.Context) -> Mapping[str, Any]:
    """Return parameter -> what the command line says of it, not converted yet."""
    words = list(ctx.find_root().meta.get(WORDS, ()))
    named = words.index(ctx.info_name) + 1 if ctx.info_name in words else 0
    options, _, _ = ctx.command.make_parser(ctx).parse_args(words[named:])
    return options


def _written(option: click.Option, value: Any) -> Iterator[str]:
    """Yield the words by which an option was given."""
    name = max(option.opts, key=len)
    if option.is_flag:
        yield name
        return
    for one in value if isinstance(value, list | tuple) else [value]:
        yield from (name, str(one))


def shell_lines(words: Sequence[str], width: int | None) -> list[str]:
    r"""Return a command line for a shell, continued below where it is too long.

    An option stays with its value. No word is broken, so that a line may be longer where
    one word is.

    Examples
    --------
    >>> shell_lines(["advisor", "rank", "resnet50", "--gpu", "RTX 4090"], 26)
    ['advisor rank resnet50 \\', "    --gpu 'RTX 4090'"]
    """
    parts = list[str]()
    for word in map(shlex.quote, words):
        if parts and parts[-1].startswith("--") and not word.startswith("--"):
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    lines = [parts[0]]
    for part in parts[1:]:
        if width is None or len(lines[-1]) + len(part) + len("  \\") <= width:
            lines[-1] += f" {part}"
        else:
            lines[-1] += " \\"
            lines.append(_INDENT + part)
    return lines
