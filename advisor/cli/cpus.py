"""`advisor cpus`: the CPUs that the tables know."""

from __future__ import annotations

from dataclasses import asdict

import click

from advisor.app.context import Context
from advisor.cli.options import format_options
from advisor.cli.output import CSV_HAS_ALL, line_width, result_within
from advisor.hardware.cpus import load_cpus
from advisor.report.formats import Format
from advisor.report.listing import listing
from advisor.report.tables import Column

_COLUMNS = (
    Column("name"),
    Column("cores"),
    Column("threads"),
    Column("base_ghz", dispensable=1),
    Column("boost_ghz"),
    Column("single_thread_score"),
    Column("microarchitecture", dispensable=2),
    Column("segment", dispensable=4),
    Column("year", dispensable=3),
)


@click.command("cpus")
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def command(context: Context, /, output_format: Format) -> None:
    """List the known CPUs and their single-thread scores.

    \b
    Example:
      advisor cpus --format csv
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    rows = [asdict(cpu) for cpu in load_cpus().rows]
    width = line_width(context.variables)
    table = listing("cpus", rows, _COLUMNS, output_format, width=width)
    result_within(table, width, CSV_HAS_ALL)
