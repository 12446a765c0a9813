"""Options that describe a job, the machine that it runs on, and which offers will do."""

from __future__ import annotations

import math

import click

from advisor.app.job import LARGEST_MARGIN
from advisor.cli.arguments import Listed, flat
from advisor.cli.options import (
    Command,
    above_zero,
    duration_s,
    no_nan,
    one_of,
    set_option,
    with_options,
    workload_option,
)


def machine_options(command: Command) -> Command:
    """Add the options that describe a machine, and the batch that runs on it."""
    return with_options(
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
            "cpu_ghz",
            type=float,
            callback=above_zero,
            metavar="GHZ",
            help="Clock of the CPU; used only if its name is not known.",
        ),
        click.option(
            "--batch",
            type=click.IntRange(min=1, max=10**9),
            metavar="SAMPLES",
            help="Samples per GPU per optimizer step. Default: the workload's.",
        ),
    )


def fit_batch_option(command: Command) -> Command:
    """Add ``--fit-batch``, which takes the largest batch that each GPU holds."""
    return click.option(
        "--fit-batch",
        is_flag=True,
        help="Use the largest batch that fits each GPU (nine times in ten) instead of "
        "the workload's.",
    )(command)


def memory_margin_option(command: Command) -> Command:
    """Add ``--memory-margin``, the share of a GPU's memory that is to be left free."""
    return click.option(
        "--memory-margin",
        callback=_share,
        metavar="SHARE",
        help="Exclude offers that leave less of a GPU's memory free, such as 10% or 0.1. "
        "Default: 0.",
    )(command)


def _share(
    ctx: click.Context,  # noqa: ARG001  (click gives it)
    param: click.Parameter,  # noqa: ARG001
    value: str | None,
) -> float | None:
    """Read a share: ``10%`` or ``0.1``."""
    if value is None:
        return None
    text = value.strip()
    try:
        share = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
    except ValueError:
        share = math.nan
    if not 0.0 <= share <= LARGEST_MARGIN:
        message = f"a share from 0 to {LARGEST_MARGIN} is expected, such as 10%"
        raise click.BadParameter(message)
    return share


def job_options(command: Command) -> Command:
    """Add the options that say what is to be done, and how the machine is paid."""
    return with_options(command, workload_option, how_options)


def how_options(command: Command) -> Command:
    """Add those of `job_options` that say how, without the workload."""
    return with_options(
        command,
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
            "disk_gb",
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
                "Bid the price that costs the job least, pauses and lost work included.",
            ),
            (
                "--reserved",
                "reserved",
                "Prepay, at the discount that the offer states.",
            ),
        ),
        click.option(
            "--assume",
            "assumptions",
            multiple=True,
            metavar="NAME=VALUE",
            help="Change an assumption of the cost model, such as repair_h=4 (the JSON "
            "output lists all); may be repeated.",
        ),
        click.option(
            "--image",
            metavar="NAME",
            help="Docker image that the job runs in. Default: chosen by GPU and driver.",
        ),
    )


def constraint_options(command: Command) -> Command:
    """Add the constraints on offers; none of them is on by default."""
    return with_options(
        command,
        click.option(
            "--gpu",
            "gpus",
            multiple=True,
            type=Listed(),
            callback=flat,
            metavar="NAME",
            help="GPU or family, such as 'RTX 4090' or A100; separate several by commas, "
            "or repeat the option.",
        ),
        click.option(
            "--exclude-gpu",
            "exclude_gpus",
            multiple=True,
            type=Listed(),
            callback=flat,
            metavar="NAME",
            help="GPU or family to exclude; separate several by commas, or repeat the "
            "option.",
        ),
        click.option(
            "--num-gpus",
            type=Listed(click.IntRange(min=1)),
            callback=flat,
            multiple=True,
            help="Number of GPUs in the offer; separate several by commas, or repeat the "
            "option.",
        ),
        click.option(
            "--min-reliability",
            type=click.FloatRange(0.0, 1.0),
            callback=no_nan,
            metavar="0..1",
            help="Lowest reliability score that the market states. Default: no limit.",
        ),
        click.option(
            "--max-price",
            "max_usd_per_hour",
            type=float,
            callback=above_zero,
            metavar="USD",
            help="Highest price in $/h, including the disk that the job needs.",
        ),
        click.option(
            "--region",
            "regions",
            multiple=True,
            metavar="NAME",
            help="Region (europe, asia ...), country (DE, Germany), state of the US or "
            "province of Canada (Texas); separate several by commas, or repeat the "
            "option.",
        ),
        one_of(
            "verified",
            None,
            ("--verified", True, "Only verified machines."),
            ("--any", None, "All machines (the default)."),
        ),
        click.option(
            "--min-duration",
            "min_duration_s",
            callback=duration_s,
            metavar="TIME",
            help="Time that the offer must stay available, such as 12h or 3d.",
        ),
        click.option(
            "--min-ram",
            "min_ram_gb",
            type=float,
            callback=above_zero,
            metavar="GB",
            help="Lowest host memory of the offer.",
        ),
        click.option(
            "--min-vram",
            "min_vram_gb",
            type=float,
            callback=above_zero,
            metavar="GB",
            help="Lowest memory of each GPU, as it is sold: a 24 GB card has 24.",
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
