"""Options that several commands share."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from advisor.app.context import Context
from advisor.base.errors import Given
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


class Flag(click.Option):
    """One of several flags that stand for the values of one argument.

    Parameters
    ----------
    of : name of the argument
    meaning : its value if this flag is given
    otherwise : its value if none is
    """

    def __init__(
        self, *args: Any, of: str, meaning: object, otherwise: object, **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self.of, self.meaning, self.otherwise = of, meaning, otherwise


def one_of(
    name: str, default: object, *flags: tuple[str, object, str]
) -> Callable[[Command], Command]:
    """Add flags of which one may be given, as the argument `name` of the command.

    Parameters
    ----------
    default : what the argument is if none is given
    flags : each with the value that it stands for, and its help
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_chosen(*args: Any, **options: Any) -> Any:
            return command(*args, **chosen(click.get_current_context(), options))

        options = [
            click.option(
                flag,
                f"flag_{flag.strip('-').replace('-', '_')}",
                cls=Flag,
                is_flag=True,
                of=name,
                meaning=meaning,
                otherwise=default,
                help=text,
            )
            for flag, meaning, text in flags
        ]
        return with_options(with_chosen, *options)  # type: ignore[return-value]

    return decorate


def chosen(ctx: click.Context, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a command, what flags stand for in place of flags.

    Raises
    ------
    click.UsageError
        if two flags contradict each other
    """
    found, given = dict(options), dict[str, Flag]()
    for flag in ctx.command.params:
        if not isinstance(flag, Flag) or flag.name not in found:
            continue
        if found.pop(flag.name):
            if other := given.get(flag.of):
                message = f"{other.opts[0]} and {flag.opts[0]} contradict each other."
                raise click.UsageError(message, ctx)
            given[flag.of] = flag
            found[flag.of] = flag.meaning
        else:
            found.setdefault(flag.of, flag.otherwise)
    return found


def given_flags(command: click.Command, values: Mapping[str, Any]) -> dict[str, str]:
    """Return field -> flag of those of `one_of` that were given.

    Parameters
    ----------
    values : of the command's parameters, by name
    """
    return {
        flag.of: flag.opts[0]
        for flag in command.params
        if isinstance(flag, Flag) and values.get(str(flag.name))
    }


def is_given(value: object) -> bool:
    """Say whether an option without a default was given, by its value."""
    return not (value is None or value is False or value == ())


def options_of(command: click.Command, values: Mapping[str, Any]) -> dict[str, str]:
    """Return field -> the option or argument of a command that sets it.

    Parameters
    ----------
    values : of the command's parameters, by name
    """
    named = {
        one.name: one.opts[0]
        if isinstance(one, click.Option)
        else one.human_readable_name
        for one in command.params
        if one.name
    }
    return named | given_flags(command, values)


def given_options(ctx: click.Context) -> dict[str, str]:
    """Return field -> option or argument of what a command line gives.

    An option with a default of click's counts as given: there must be none.
    """
    flags = {one.name for one in ctx.command.params if isinstance(one, Flag)}
    called = options_of(ctx.command, ctx.params)
    given = {
        name: called[name]
        for name, value in ctx.params.items()
        if name not in flags and is_given(value)
    }
    return given | given_flags(ctx.command, ctx.params)


def called(field: str) -> str:
    """Return what the command that runs calls a field of a spec."""
    return in_options(Given(field))


def in_options(given: Given) -> str:
    """Return what the command that runs calls an argument of a message."""
    ctx = click.get_current_context(silent=True)
    names = options_of(ctx.command, ctx.params) if ctx else {}
    return names.get(given.name, str(given))


_VERBOSITY = "advisor.verbosity"
_FORMAT = "output_format"


def _verbose(ctx: click.Context, param: click.Parameter, count: int) -> None:  # noqa: ARG001
    """Show the log from here on; given before the command and after it, both count."""
    if not count or ctx.resilient_parsing:
        return
    from advisor.cli.verbose import logged  # noqa: PLC0415  (logging takes a while)

    count += ctx.meta.get(_VERBOSITY, 0)
    ctx.meta[_VERBOSITY] = count
    context = ctx.obj or Context.of_this_process()
    ctx.with_resource(logged(context, count))


verbose_option = click.Option(
    ["-v", "--verbose"],
    count=True,
    expose_value=False,
    callback=_verbose,
    help="Log to stderr what happens; -vv logs more.",
)
"""Of every command; no record that it shows has a key in it."""


def _without_color(ctx: click.Context, param: click.Parameter, given: bool) -> None:  # noqa: ARG001
    """Let nothing that comes after be in color."""
    if given:
        ctx.color = False


color_option = click.Option(
    ["--no-color"],
    is_flag=True,
    expose_value=False,
    callback=_without_color,
    help="Print without colors, as NO_COLOR=1 does.",
)
"""Of every command."""


def workload_option(command: Command, *, required: bool = True) -> Command:
    """Add ``--workload``, the profile of what is trained."""
    return click.option(
        "--workload",
        required=required,
        metavar="NAME|FILE",
        help="Name of a workload (see 'advisor workloads list'), or a profile file.",
    )(command)


def json_option(command: Command) -> Command:
    """Add ``--json`` to a command whose result is a file that it writes."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the result as JSON."
    )(command)


def format_options(*formats: str) -> Callable[[Command], Command]:
    """Add ``--format`` with `formats` (the first is the default) and ``--json``."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_format(*args: Any, as_json: bool, **options: Any) -> Any:
            if as_json:
                options[_FORMAT] = _json_alone(options[_FORMAT])
            options[_FORMAT] = options[_FORMAT] or formats[0]
            return command(*args, **options)

        by_name = click.option(
            "--format",
            _FORMAT,
            type=click.Choice(formats),
            help=f"How to print the result. Default: {formats[0]}.",
        )
        as_json = click.option(
            "--json", "as_json", is_flag=True, help="Short for --format json."
        )
        return by_name(as_json(with_format))  # type: ignore[return-value]

    return decorate


def _json_alone(other: str | None) -> str:
    """Return the format of ``--json``.

    Parameters
    ----------
    other : what ``--format`` says; None: nothing

    Raises
    ------
    click.UsageError
        if ``--format`` says another one
    """
    if other not in (None, "json"):
        message = f"--json and --format {other} contradict each other."
        raise click.UsageError(message, click.get_current_context())
    return "json"


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
            help="Use the newest stored answer when the market's rate limit is reached.",
        ),
    )


def set_option(command: Command) -> Command:
    """Add ``--set``, which replaces figures of the workload's profile."""
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change a figure of the workload, such as batch_size=64; may be repeated.",
    )(command)


def max_age_option(command: Command) -> Command:
    """Add ``--max-age``, how old a stored answer of the market may be."""
    return click.option(
        "--max-age",
        type=click.FloatRange(min=0),
        callback=no_nan,
        default=300.0,
        show_default=True,
        metavar="SECONDS",
        help="Reuse a stored answer of the market that is at most this old.",
    )(command)
