"""`advisor gpus`: the GPUs that the tables know."""

from __future__ import annotations

from dataclasses import asdict

import click

from advisor.app.context import Context
from advisor.cli.options import format_options
from advisor.cli.output import CSV_HAS_ALL, line_width, result_within
from advisor.hardware.gpus import load_gpus
from advisor.report.formats import Format
from advisor.report.listing import listing
from advisor.report.tables import Column

_COLUMNS = (
    Column("name"),
    Column("architecture", dispensable=4),
    Column("year", dispensable=3),
    Column("memory_gb"),
    Column("memory_bandwidth_gb_s"),
    Column("fp32_tflops"),
    Column("fp16_tflops"),
    Column("tdp_w", dispensable=2),
    Column("interconnect", dispensable=1),
)


@click.command("gpus")
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def command(context: Context, /, output_format: Format) -> None:
    """List the known GPUs and their rates.

    \b
    Example:
      advisor gpus --format csv
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    rows = [asdict(gpu) for gpu in load_gpus().rows]
    width = line_width(context.variables)
    table = listing("gpus", rows, _COLUMNS, output_format, width=width)
    result_within(table, width, CSV_HAS_ALL)
