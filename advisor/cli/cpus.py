"""`advisor cpus`: the CPUs that the tables know."""

from __future__ import annotations

from dataclasses import asdict

import click

from advisor.cli.options import format_options
from advisor.cli.output import result
from advisor.hardware.cpus import load_cpus
from advisor.report.formats import Format
from advisor.report.listing import listing

_COLUMNS = (
    "name",
    "cores",
    "threads",
    "base_ghz",
    "boost_ghz",
    "single_thread_score",
    "microarchitecture",
    "segment",
    "year",
)


@click.command("cpus")
@format_options("table", "json", "csv", "tsv")
def command(output_format: Format) -> None:
    """List the known CPUs and their single-thread scores.

    \b
    Example:
      advisor cpus --format csv
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    rows = [asdict(cpu) for cpu in load_cpus().rows]
    result(listing("cpus", rows, _COLUMNS, output_format))
