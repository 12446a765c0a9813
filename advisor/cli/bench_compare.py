"""`advisor bench compare`: two results side by side."""

from __future__ import annotations

from pathlib import Path

import click

from advisor.app.context import Context
from advisor.cli.options import json_option
from advisor.cli.output import (
    JSON_HAS_ALL,
    line_width,
    remark_within,
    result,
    result_within,
)
from advisor.measure.bench import read_bench
from advisor.measure.compared import compared
from advisor.report.formats import to_json
from advisor.report.verdicts import (
    comparison_document,
    comparison_head,
    comparison_summary,
    comparison_table,
)

_FILE = click.Path(path_type=Path)


@click.command("compare")
@click.argument("first", type=_FILE, metavar="A.json")
@click.argument("second", type=_FILE, metavar="B.json")
@json_option
@click.pass_obj
def compare(context: Context, /, first: Path, second: Path, as_json: bool) -> None:
    """Show two results of the bench side by side.

    A line differs where the two are further apart than two benches of one machine are.

    \b
    Example:
      advisor bench compare before.json after.json
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    found = compared(read_bench(first), read_bench(second))
    if as_json:
        result(to_json(comparison_document(found)))
        return
    width = line_width(context.variables)
    if head := comparison_head(found, width):
        result(f"{head}\n")
    result_within(comparison_table(found, width), width, JSON_HAS_ALL)
    remark_within(comparison_summary(found), width)
