"""`advisor gpus`: the GPUs that the tables know."""

from __future__ import annotations

from dataclasses import asdict

import click

from advisor.cli.options import format_options
from advisor.cli.output import result
from advisor.hardware.gpus import load_gpus
from advisor.report.formats import Format
from advisor.report.listing import listing

_COLUMNS = (
    "name",
    "architecture",
    "year",
    "memory_gb",
    "memory_bandwidth_gb_s",
    "fp32_tflops",
    "fp16_tflops",
    "tdp_w",
    "interconnect",
)


@click.command("gpus")
@format_options("table", "json", "csv", "tsv")
def command(output_format: Format) -> None:
    """List the known GPUs and their rates.

    \b
    Example:
      advisor gpus --format csv
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    rows = [asdict(gpu) for gpu in load_gpus().rows]
    result(listing("gpus", rows, _COLUMNS, output_format))
