"""`advisor profile`: run a training, watch it, and make its workload profile."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from advisor.app.context import Context
from advisor.app.profiled import (
    USUAL_SECONDS,
    Profiled,
    ProfileSpec,
    check,
    profiled,
)
from advisor.cli.options import duration_s, json_option
from advisor.cli.output import (
    look_of_result,
    need_stdout,
    remark,
    result,
    result_within,
)
from advisor.cli.profile_tools import force_option
from advisor.report.formats import to_json

_STDERR = 2
"""Descriptor of the training's output where stdout is a program's."""


@click.command("profile", context_settings={"allow_interspersed_args": False})
@click.option(
    "--steps",
    type=click.IntRange(min=1, max=10**9),
    help="Stop the training after this many optimizer steps.",
)
@click.option(
    "--seconds",
    callback=duration_s,
    metavar="TIME",
    help="Stop the training this long after its first batch, such as 90s or 5m. "
    f"Default: {USUAL_SECONDS:g}s, without --steps.",
)
@click.option(
    "--epoch-samples",
    type=click.IntRange(min=1, max=10**15),
    metavar="N",
    help="Samples of an epoch, where the data set does not say.",
)
@click.option(
    "--extends",
    "base",
    metavar="NAME",
    help="Profile to take from what cannot be seen. Default: the nearest built-in one.",
)
@click.option(
    "--redirect-cuda",
    is_flag=True,
    help="Let calls that ask for CUDA run on the CPU where there is no GPU.",
)
@click.option("--name", metavar="NAME", help="Save it as your profile of this name.")
@force_option
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the profile to.",
)
@click.option(
    "--dry-run", is_flag=True, help="Show what would run and what is hooked; run nothing."
)
@json_option
@click.argument("argv", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.pass_obj
def command(context: Context, /, *, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Profile your own training by running it for a minute.

    COMMAND runs unchanged. Hooks watch its optimizer steps, its DataLoader and its
    operators, stop it as Ctrl-C would, and write its workload profile: batch, samples,
    operations, bytes, CPU time per sample, and what holds the loop up. On a GPU the
    throughput is recorded, too.

    \b
    Example:
      advisor profile --name mine -- python train.py --batch-size 64
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    if as_json:
        need_stdout()
    spec = ProfileSpec(**options)
    if dry_run:
        _show_dry_run(context, spec, as_json=as_json)
        return
    made = profiled(context, spec, stdout=_STDERR if as_json else None)
    if as_json:
        from advisor.report.profiled import profiled_document  # noqa: PLC0415 (start-up)

        result(to_json(profiled_document(made)), owed=True)
    else:
        _show(context, made)
    _say_where(made)
    if made.interrupted:
        raise KeyboardInterrupt
    if made.failed is not None:
        raise made.failed


def _show(context: Context, made: Profiled) -> None:
    from advisor.report.profiled import (  # noqa: PLC0415  (start-up)
        profiled_lines,
        profiled_table,
    )

    look = look_of_result(context.variables)
    result_within(profiled_table(made, look), look.width, "--json has all")
    result(f"\n{profiled_lines(made, look)}")


def _say_where(made: Profiled) -> None:
    """Say where the profile is, and what takes it."""
    device = made.observation.device
    if device.cuda_asked and not device.redirected and made.failed is None:
        remark("it asked for CUDA: --redirect-cuda leads such calls to the CPU")
    if made.seen.figures["samples_per_epoch"].how == "unseen":
        remark(
            f"the samples of an epoch are those of {made.seen.base}: --epoch-samples N "
            "says yours"
        )
    path = shlex.quote(str(made.path))
    if made.is_saved:
        remark(f"saved: {made.path}; next: advisor rank {made.seen.workload.name}")
        return
    remark(f"written: {made.path}")
    remark(f"next: advisor rank {path}")
    remark(f"save: advisor workloads import {path} --name NAME")


def _show_dry_run(context: Context, spec: ProfileSpec, *, as_json: bool) -> None:
    """Show the command, the variables that it would get, and what is hooked."""
    from advisor.measure.profiling import HOOKED, chained  # noqa: PLC0415  (start-up)
    from advisor.report.profiled import dry_run_lines  # noqa: PLC0415

    check(context, spec)
    variables = spec.watch.variables(context.variables, "FOLDER")
    also = [str(path) for path in chained(context.variables)]
    remark("dry run: nothing was run")
    if as_json:
        result(
            to_json(
                {
                    "schema_version": 1,
                    "argv": list(spec.argv),
                    "variables": variables,
                    "hooked": list(HOOKED),
                    "chained": also,
                }
            )
        )
        return
    words = [f"{key}={value}" for key, value in variables.items()]
    width = look_of_result(context.variables).width
    result(dry_run_lines([shlex.join(spec.argv), *words], HOOKED, also, width))
