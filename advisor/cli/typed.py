"""Arguments of a spec as the command line that a user would type."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import click

from advisor.cli.options import Flag, duration_s, is_given

_AFTER_DASHES = "argv"


def command_line(command: click.Command, arguments: Mapping[str, Any]) -> str:
    """Return the command line of a command with arguments by the names of spec fields.

    What the command has no option for is left out.

    Examples
    --------
    >>> from advisor.cli.rent import command
    >>> command_line(command, {"workload": "bert-base", "budget_usd": 5.0})
    'advisor rent --workload bert-base --budget 5'
    """
    words = ["advisor", str(command.name)]
    last: list[str] = []
    for param in command.params:
        if isinstance(param, Flag):
            if arguments.get(param.of) == param.meaning:
                words += [] if param.meaning == param.otherwise else [param.opts[0]]
            continue
        value = arguments.get(str(param.name))
        if not is_given(value):
            continue
        if param.name == _AFTER_DASHES:
            last = ["--", *_texts(value)]
        elif isinstance(param, click.Argument):
            words += _texts(value)
        else:
            words += _option(param, value)
    return shlex.join([*words, *last])


def _option(param: click.Parameter, value: Any) -> Iterator[str]:
    """Yield the words of one option."""
    if getattr(param, "is_flag", False):
        yield param.opts[0]
        return
    unit = "s" if param.callback is duration_s else ""
    for one in _texts(value):
        yield from (param.opts[0], f"{one}{unit}")


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{name}={_text(one)}" for name, one in value.items()]
    return [_text(one) for one in (value if isinstance(value, list | tuple) else [value])]


def _text(value: object) -> str:
    """Return a value as an option takes it: no exponent in a time, no ``True``."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)
