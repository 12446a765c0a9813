"""`advisor records`: the runs that the user measured."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from advisor.cli.environment import Environment
from advisor.cli.options import format_options, help_if_alone
from advisor.cli.output import remark, result
from advisor.report.formats import Format, to_delimited
from advisor.report.listing import listing
from advisor.store.database import open_store
from advisor.store.runs import delete_run, kept_runs

_COLUMNS = (
    *("number", "workload", "gpu", "num_gpus", "samples_per_s", "batch_size"),
    *("precision", "cpu", "threads", "source", "at"),
)


@click.group("records", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show, export and delete the runs that 'advisor record' keeps."""
    help_if_alone(ctx)


@command.command("list")
@click.option("--workload", metavar="NAME", help="Of one workload. Default: all.")
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def show(
    environment: Environment, /, workload: str | None, output_format: Format
) -> None:
    """List the runs, the oldest first."""
    rows = _rows(environment, workload)
    result(listing("records", rows, _COLUMNS, output_format))


@command.command("export")
@click.option("--workload", metavar="NAME", help="Of one workload. Default: all.")
@click.pass_obj
def export(environment: Environment, /, workload: str | None) -> None:
    """Print the runs as CSV."""
    result(to_delimited(_rows(environment, workload), ","))


@command.command("delete")
@click.argument("number", type=int)
@click.pass_obj
def delete(environment: Environment, /, number: int) -> None:
    """Delete the run of a number."""
    with open_store(environment.data_folder) as connection:
        delete_run(connection, number)
    remark(f"record {number}: deleted")


def _rows(environment: Environment, workload: str | None) -> list[dict[str, Any]]:
    with open_store(environment.data_folder) as connection:
        kept = kept_runs(connection, workload)
    return [
        {
            "number": one.number,
            **asdict(one.run),
            "source": one.source,
            "at": one.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for one in kept
    ]
