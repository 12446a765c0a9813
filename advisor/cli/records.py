"""`advisor records`: the runs that the user measured."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from advisor.app.context import Context
from advisor.cli.options import format_options, help_if_alone
from advisor.cli.output import (
    CSV_HAS_ALL,
    line_width,
    remark,
    result,
    result_within,
)
from advisor.report.formats import Format, lines_of, to_delimited, to_json
from advisor.report.listing import listing
from advisor.report.tables import Column
from advisor.store.database import open_store
from advisor.store.runs import StoredRun, delete_run, stored_run, stored_runs

_COLUMNS = (
    Column("number"),
    Column("workload", least=12),
    Column("gpu", least=8),
    Column("num_gpus"),
    Column("samples_per_s"),
    Column("batch_size"),
    Column("precision", dispensable=1),
    Column("cpu", least=12, dispensable=2),
    Column("threads", dispensable=3),
    Column("source", least=12, breaks=True, dispensable=4),
    Column("at", dispensable=5),
)


_SCHEMA_VERSION = 1
"""Of the document that `show` prints."""


@click.group("records", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, show, export and delete your recorded runs.

    \b
    Examples:
      advisor records list
      advisor records show 1
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    help_if_alone(ctx)


@command.command("list")
@click.option(
    "--workload", metavar="NAME", help="Runs of this workload only. Default: all."
)
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def show(context: Context, /, workload: str | None, output_format: Format) -> None:
    """List your recorded runs, the oldest first.

    \b
    Example:
      advisor records list
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    rows = _rows(context, workload)
    width = line_width(context.variables)
    table = listing("records", rows, _COLUMNS, output_format, width=width)
    result_within(table, width, CSV_HAS_ALL)


@command.command("show")
@click.argument("number", type=int)
@format_options("table", "json")
@click.pass_obj
def evidence(context: Context, /, number: int, output_format: Format) -> None:
    """Show one run and the evidence for it.

    \b
    Example:
      advisor records show 1
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    with open_store(context.data_folder) as connection:
        stored = stored_run(connection, number)
    if output_format == "json":
        record = {**_row(stored), "evidence": stored.evidence}
        result(to_json({"schema_version": _SCHEMA_VERSION, "record": record}))
        return
    pairs = [
        (name.replace("_", " "), _text(value)) for name, value in _row(stored).items()
    ]
    width = line_width(context.variables)
    result(lines_of([*pairs, *_evidence(stored)], width))


@command.command("export")
@click.option(
    "--workload", metavar="NAME", help="Runs of this workload only. Default: all."
)
@click.pass_obj
def export(context: Context, /, workload: str | None) -> None:
    """Print your runs as CSV.

    \b
    Example:
      advisor records export > runs.csv
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    result(to_delimited(_rows(context, workload), ","))


@command.command("delete")
@click.argument("number", type=int)
@click.pass_obj
def delete(context: Context, /, number: int) -> None:
    """Delete one run.

    \b
    Example:
      advisor records delete 1
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    with open_store(context.data_folder) as connection:
        delete_run(connection, number)
    remark(f"record {number}: deleted")


def _rows(context: Context, workload: str | None) -> list[dict[str, Any]]:
    with open_store(context.data_folder) as connection:
        stored = stored_runs(connection, workload)
    return [_row(one) for one in stored]


def _row(stored: StoredRun) -> dict[str, Any]:
    return {
        "number": stored.number,
        **asdict(stored.run),
        "source": stored.source,
        "at": stored.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _evidence(stored: StoredRun) -> list[tuple[str, str]]:
    """Return each part of the evidence: what is known, and below it where from."""
    if stored.evidence is None:
        return [("evidence", "none: an older advisor stored it")]
    pairs = [("evidence", "")]
    for part in stored.evidence["parts"]:
        pairs += [(f"  {part['part']}", part["says"]), ("", f"  {part['from']}")]
    return [*pairs, *(("  mark", mark) for mark in stored.evidence["marks"])]


def _text(value: object) -> str:
    if value is None:
        return "?"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
