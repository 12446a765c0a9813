"""Options that several commands share."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from advisor.base.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE

Command = TypeVar("Command", bound=Callable[..., Any])

_SECONDS = {
    "s": 1.0,
    "m": SECONDS_PER_MINUTE,
    "h": SECONDS_PER_HOUR,
    "d": SECONDS_PER_DAY,
}


def help_if_alone(ctx: click.Context) -> None:
    """Print the help of a group that was called without a command."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def duration_s(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> float | None:
    """Return the seconds of a time such as ``90m``, ``24h`` or ``3d``.

    A bare number is refused: the market counts in seconds, its own client in
    days, people in hours.
    """
    if value is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", value.strip())
    if match is None:
        message = f"{value!r} is no time with a unit: write 90m, 24h or 3d."
        raise click.BadParameter(message, ctx, param)
    return above_zero(ctx, param, float(match[1]) * _SECONDS[match[2]])


def no_nan(
    ctx: click.Context, param: click.Parameter, value: float | None
) -> float | None:
    """Refuse NaN and infinity, which click's ranges let through."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number.", ctx, param)
    return value


def above_zero(
    ctx: click.Context, param: click.Parameter, value: float | None
) -> float | None:
    """Refuse what is not a finite number above zero."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise click.BadParameter(
            f"{value} is not a finite number above zero.", ctx, param
        )
    return value


def with_options(command: Command, *options: Callable[[Command], Command]) -> Command:
    """Add options, which the help lists in this order."""
    for option in reversed(options):
        command = option(command)
    return command


_GIVEN = "advisor.given_flags"
_GIVEN_JSON = "advisor.given_json"
_FORMAT = "output_format"


def one_of(
    name: str, default: object, *flags: tuple[str, object, str]
) -> Callable[[Command], Command]:
    """Add flags of which one may be given, as the argument `name` of the command.

    Parameters
    ----------
    default : what the argument is if none is given
    flags : each with the value that it stands for, and its help
    """
    values = {f"flag_{flag.strip('-').replace('-', '_')}": one for flag, one, _ in flags}

    def choose(ctx: click.Context, param: click.Parameter, given: bool) -> None:
        known = ctx.meta.setdefault(_GIVEN, {})
        if not given:
            ctx.params.setdefault(name, default)
            return
        flag = param.opts[0]
        if name in known:
            raise click.UsageError(
                f"{known[name]} and {flag} contradict each other.", ctx
            )
        known[name] = flag
        ctx.params[name] = values[str(param.name)]

    def decorate(command: Command) -> Command:
        options = [
            click.option(
                flag,
                param,
                is_flag=True,
                expose_value=False,
                callback=choose,
                help=text,
            )
            for param, (flag, _, text) in zip(values, flags, strict=True)
        ]
        return with_options(command, *options)

    return decorate


def given_flags(ctx: click.Context) -> dict[str, str]:
    """Return argument -> flag of those of `one_of` that were given."""
    return dict(ctx.meta.get(_GIVEN, {}))


def workload_option(command: Command, *, required: bool = True) -> Command:
    """Add ``--workload``, the profile of what is trained."""
    return click.option(
        "--workload",
        required=required,
        metavar="NAME|FILE",
        help="Built-in workload ('advisor workloads list') or a profile file.",
    )(command)


def json_option(command: Command) -> Command:
    """Add ``--json`` to a command whose result is a file that it writes."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Say what was done as JSON."
    )(command)


def _as_json(ctx: click.Context, param: click.Parameter, given: bool) -> None:  # noqa: ARG001
    """Take ``--json``; click looks at what was given in the order that it stands in."""
    if given:
        _one_format(ctx, ctx.params.get(_FORMAT, "json"))
        ctx.meta[_GIVEN_JSON] = True
        ctx.params[_FORMAT] = "json"


def _format(ctx: click.Context, param: click.Parameter, value: str) -> str:  # noqa: ARG001
    """Take ``--format``, which may be said by ``--json`` too."""
    if not ctx.meta.get(_GIVEN_JSON):
        return value
    if ctx.get_parameter_source(_FORMAT) is ParameterSource.COMMANDLINE:
        _one_format(ctx, value)
    return "json"


def _one_format(ctx: click.Context, other: str) -> None:
    if other != "json":
        message = f"--json and --format {other} contradict each other."
        raise click.UsageError(message, ctx)


def format_options(*formats: str) -> Callable[[Command], Command]:
    """Add ``--format`` with `formats` (the first is the default) and ``--json``."""

    def decorate(command: Command) -> Command:
        as_json = click.option(
            "--json",
            "as_json",
            is_flag=True,
            expose_value=False,
            callback=_as_json,
            help="Short for --format json.",
        )
        by_name = click.option(
            "--format",
            "output_format",
            type=click.Choice(formats),
            default=formats[0],
            show_default=True,
            callback=_format,
            help="How to print the result.",
        )
        return by_name(as_json(command))

    return decorate


def market_options(command: Command) -> Command:
    """Add the options that say which market is asked and how fresh it must be."""
    return with_options(
        command,
        click.option(
            "--market",
            metavar="sample|vast|FILE",
            help="Where the offers come from. Default: vast with a key, else sample.",
        ),
        click.option(
            "--stale-ok",
            is_flag=True,
            help="Take the newest kept answer when the market's limit is reached.",
        ),
    )


def set_option(command: Command) -> Command:
    """Add ``--set``, which replaces figures of the workload's profile."""
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Replace a figure of the workload, such as batch_size=64; may be repeated.",
    )(command)


def max_age_option(command: Command) -> Command:
    """Add ``--max-age``, how old a kept answer of the market may be."""
    return click.option(
        "--max-age",
        type=click.FloatRange(min=0),
        callback=no_nan,
        default=300.0,
        show_default=True,
        metavar="SECONDS",
        help="Take an answer of the market that is at most this old.",
    )(command)
