"""`advisor workloads`: the profiles that are known."""

from __future__ import annotations

from dataclasses import asdict

import click

from advisor.cli.options import format_options, help_if_alone
from advisor.cli.output import result
from advisor.report.formats import to_delimited, to_json, to_table
from advisor.workloads.load import list_workloads, load_workload
from advisor.workloads.parse import dump_workload

_SCHEMA_VERSION = 1


@click.group("workloads", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show the workload profiles."""
    help_if_alone(ctx)


@command.command("list")
@format_options("table", "json", "csv", "tsv")
def list_(output_format: str) -> None:
    """List the workloads, a line each."""
    workloads = list_workloads()
    if output_format == "table":
        rows = [
            (w.name, w.task, w.precision, w.batch_size, f"{w.epochs:,}", w.description)
            for w in workloads
        ]
        headers = ("name", "task", "precision", "batch", "epochs", "description")
        align = ("left", "left", "left", "right", "right", "left")
        result(to_table(rows, headers, align))
        return
    documents = [asdict(workload) for workload in workloads]
    if output_format == "json":
        document = {"schema_version": _SCHEMA_VERSION, "workloads": documents}
        result(to_json(document))
    else:
        result(to_delimited(documents, "," if output_format == "csv" else "\t"))


@command.command("show")
@click.argument("name_or_file")
@format_options("toml", "json")
def show(name_or_file: str, output_format: str) -> None:
    """Print one workload whole, each figure with its source."""
    workload = load_workload(name_or_file)
    if output_format == "toml":
        result(dump_workload(workload).rstrip("\n"))
    else:
        document = {"schema_version": _SCHEMA_VERSION, "workload": asdict(workload)}
        result(to_json(document))
