"""What may be written in another way: lists by comma, the workload without an option."""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import chain
from typing import Any, TypeVar

import click

from advisor.cli.options import workload_option

Command = TypeVar("Command", bound=Callable[..., Any])


class Listed(click.ParamType):  # type: ignore[type-arg]
    """Values apart by commas, each of a type; given again, an option adds to them."""

    def __init__(self, kind: Any = click.STRING) -> None:
        self.name = kind.name
        self._kind = kind

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...]:
        """Return the values; click has tuples of them as they are."""
        if isinstance(value, tuple):
            return value
        parts = [part for one in str(value).split(",") if (part := one.strip())]
        if not parts:
            self.fail(f"{value!r} names nothing.", param, ctx)
        return tuple(self._kind.convert(part, param, ctx) for part in parts)


def flat(
    ctx: click.Context,  # noqa: ARG001  (click gives it)
    param: click.Parameter,  # noqa: ARG001
    value: tuple[tuple[Any, ...], ...],
) -> tuple[Any, ...]:
    """Return the values of an option that was given several times, one after another."""
    return tuple(chain.from_iterable(value))


def workload_argument(command: Command) -> Command:
    """Take the workload as an argument, ``rank resnet50``, or by ``--workload``."""

    @functools.wraps(command)
    def with_workload(*args: Any, named: str | None, **options: Any) -> Any:
        given = options.pop("workload")
        if named is None and given is None:
            ctx = click.get_current_context()
            message = "Missing the workload: name one, or give --workload."
            raise click.UsageError(message, ctx)
        if None not in (named, given) and named != given:
            message = f"WORKLOAD {named} and --workload {given} contradict each other."
            raise click.UsageError(message)
        return command(*args, workload=named or given, **options)

    argument = click.argument("named", metavar="[WORKLOAD]", required=False)
    return argument(workload_option(with_workload, required=False))  # type: ignore[return-value]
