"""Options that several commands share."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from advisor.cli.arguments import Listed, flat

Command = TypeVar("Command", bound=Callable[..., Any])

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


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


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    """Add options, which the help lists in this order."""
    for option in reversed(options):
        command = option(command)
    return command


_LARGEST_MARGIN = 0.9
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
        return _with(command, *options)

    return decorate


def given_flags(ctx: click.Context) -> dict[str, str]:
    """Return argument -> flag of those of `one_of` that were given."""
    return dict(ctx.meta.get(_GIVEN, {}))


def workload_option(command: Command) -> Command:
    """Add ``--workload``, the profile of what is trained."""
    return click.option(
        "--workload",
        required=True,
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
    return _with(
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


def machine_options(command: Command) -> Command:
    """Add the options that describe a machine, and the batch that runs on it."""
    return _with(
        command,
        click.option(
            "--gpu",
            required=True,
            metavar="NAME",
            help="GPU, such as 'RTX 4090' (see 'advisor gpus').",
        ),
        click.option(
            "--num-gpus",
            type=int,
            default=1,
            show_default=True,
            help="GPUs in the machine.",
        ),
        click.option(
            "--cpu",
            metavar="NAME",
            help="CPU, such as 'AMD EPYC 7702' or 7980X. Default: unknown.",
        ),
        click.option(
            "--cores",
            "threads",
            type=float,
            callback=above_zero,
            metavar="THREADS",
            help="Hardware threads of the machine. Default: all those of one CPU.",
        ),
        click.option(
            "--clock",
            "--ghz",
            "clock",
            type=float,
            callback=above_zero,
            metavar="GHZ",
            help="Clock of the CPU; counts only where its name tells nothing.",
        ),
        click.option(
            "--batch",
            type=click.IntRange(min=1, max=10**9),
            metavar="SAMPLES",
            help="Batch of a GPU and optimizer step. Default: the workload's.",
        ),
    )


def fit_batch_option(command: Command) -> Command:
    """Add ``--fit-batch``, which takes the largest batch that each GPU holds."""
    return click.option(
        "--fit-batch",
        is_flag=True,
        help="Take the largest batch that each GPU holds, nine times in ten, not the "
        "workload's.",
    )(command)


def memory_margin_option(command: Command) -> Command:
    """Add ``--memory-margin``, the share of a GPU's memory that is to be left free."""
    return click.option(
        "--memory-margin",
        callback=_share,
        default="0",
        metavar="SHARE",
        help="Leave so much of a GPU's memory free, such as 10% or 0.1; what does not is "
        "left out.",
    )(command)


def _share(ctx: click.Context, param: click.Parameter, value: str) -> float:  # noqa: ARG001
    """Read a share: ``10%`` or ``0.1``."""
    text = value.strip()
    try:
        share = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
    except ValueError:
        share = math.nan
    if not 0.0 <= share <= _LARGEST_MARGIN:
        message = f"a share from 0 to {_LARGEST_MARGIN} is expected, such as 10%"
        raise click.BadParameter(message)
    return share


def job_options(command: Command) -> Command:
    """Add the options that say what is to be done, and how the machine is paid."""
    return _with(
        command,
        workload_option,
        set_option,
        fit_batch_option,
        memory_margin_option,
        click.option(
            "--epochs",
            type=click.IntRange(min=1, max=10**9),
            help="Epochs of the job. Default: the workload's.",
        ),
        click.option(
            "--disk",
            type=float,
            callback=above_zero,
            metavar="GB",
            help="Disk to rent. Default: what the job needs.",
        ),
        one_of(
            "rental",
            "on-demand",
            ("--on-demand", "on-demand", "Pay the listed price (the default)."),
            (
                "--interruptible",
                "interruptible",
                "Bid what costs least, pauses and lost work included.",
            ),
            (
                "--reserved",
                "reserved",
                "Pay ahead, at the discount that an offer states.",
            ),
        ),
        click.option(
            "--assume",
            "assumed",
            multiple=True,
            metavar="NAME=VALUE",
            help="Change an assumption of the cost, such as repair_h=4 (the JSON "
            "lists all); may be repeated.",
        ),
        click.option(
            "--image",
            metavar="NAME",
            help="Docker image that the job runs in. Default: chosen by card and driver.",
        ),
    )


def constraint_options(command: Command) -> Command:
    """Add the constraints on offers; none of them is on by default."""
    return _with(
        command,
        click.option(
            "--gpu",
            "gpus",
            multiple=True,
            type=Listed(),
            callback=flat,
            metavar="NAME",
            help="GPU or family, such as 'RTX 4090' or A100; several apart by commas, "
            "or repeated.",
        ),
        click.option(
            "--exclude-gpu",
            "exclude_gpus",
            multiple=True,
            type=Listed(),
            callback=flat,
            metavar="NAME",
            help="GPU or family that will not do; several apart by commas, or repeated.",
        ),
        click.option(
            "--num-gpus",
            type=Listed(click.IntRange(min=1)),
            callback=flat,
            multiple=True,
            help="GPUs in the offer; several apart by commas, or repeated.",
        ),
        click.option(
            "--min-reliability",
            type=click.FloatRange(0.0, 1.0),
            callback=no_nan,
            metavar="0..1",
            help="Least market reliability. Default: no floor.",
        ),
        click.option(
            "--max-price",
            type=float,
            callback=above_zero,
            metavar="USD",
            help="Highest $/h, with the disk that the job needs.",
        ),
        click.option(
            "--region",
            "regions",
            multiple=True,
            metavar="NAME",
            help="Region (europe, asia ...), country (DE, Germany), state of the US or "
            "province of Canada (Texas); several apart by commas, or repeated.",
        ),
        one_of(
            "verified",
            None,
            ("--verified", True, "Only verified machines."),
            ("--any", None, "Any machines (the default)."),
        ),
        click.option(
            "--min-duration",
            callback=duration_s,
            metavar="TIME",
            help="How long the offer must still stand: 12h, 3d.",
        ),
        click.option(
            "--min-ram",
            type=float,
            callback=above_zero,
            metavar="GB",
            help="Least host memory of the offer.",
        ),
        click.option(
            "--min-vram",
            type=float,
            callback=above_zero,
            metavar="GB",
            help="Least memory of each GPU, as it is sold: a 24 GB card has 24.",
        ),
        click.option(
            "--datacenter",
            is_flag=True,
            help="Only machines in data centers.",
        ),
        click.option(
            "--where",
            multiple=True,
            metavar="QUERY",
            help="Conditions in the words and units of 'vastai search offers', such as "
            "'cpu_ram>=48 gpu_name!=RTX_3060 geolocation notin [CN,VN]'; may be "
            "repeated.",
        ),
    )
