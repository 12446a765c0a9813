"""`advisor sweep`: many jobs on many rented machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from advisor.app.context import Context
from advisor.cli.options import format_options, help_if_alone
from advisor.cli.output import line_width, remark_within, result, result_within
from advisor.cli.sweep_options import sweep_options
from advisor.cli.sweep_run import resume, run, status, stop
from advisor.report.formats import to_json


@click.group("sweep", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Run many jobs on many rented machines, within one budget.

    The jobs stand in a file, as a grid of variables or as a list.

    \b
    Examples:
      advisor sweep plan sweep.toml --deadline 24h --budget 60
      advisor sweep run sweep.toml --budget 60 --yes
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    help_if_alone(ctx)


@command.command("plan")
@sweep_options
@click.option(
    "--market",
    metavar="sample|vast|FILE",
    help="Where the offers come from. Default: the file's.",
)
@format_options("table", "json")
@click.pass_obj
def plan_(context: Context, /, file: Path, output_format: str, **given: Any) -> None:
    """Show which machines run the jobs for the least money.

    Nothing is rented. Jobs that run one after another on a machine share its image, data
    and start. The curve below the plan shows what other deadlines cost.

    \b
    Examples:
      advisor sweep plan sweep.toml --deadline 24h --budget 60
      advisor sweep plan sweep.toml --market sample --json
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    from advisor.app.sweep import jobs_of  # noqa: PLC0415  (start-up)
    from advisor.app.sweep_file import read_sweep  # noqa: PLC0415
    from advisor.fleet.plan import plan_sweep  # noqa: PLC0415
    from advisor.report.sweep import (  # noqa: PLC0415
        plan_document,
        plan_headline,
        plan_text,
    )

    replaced = {name: value for name, value in given.items() if value is not None}
    spec = read_sweep(file, **replaced).spec
    plan = plan_sweep(context, spec, jobs_of(spec))
    width = line_width(context.variables)
    remark_within(plan_headline(plan), width)
    if output_format == "json":
        result(to_json(plan_document(spec, plan)))
    else:
        result_within(plan_text(plan, width), width)


for _one in (run, resume, status, stop):
    command.add_command(_one)
