"""`advisor explain`: the whole cost estimate of one offer."""

from __future__ import annotations

from typing import Any

import click

from advisor.app.context import Context
from advisor.cli.arguments import workload_argument
from advisor.cli.job_options import constraint_options, how_options
from advisor.cli.options import called, market_options, max_age_option
from advisor.cli.output import look_of_result, result
from advisor.cli.session import rank_all
from advisor.report.explained import explained_document
from advisor.report.explanation import explained_text
from advisor.report.formats import to_json


@click.command("explain")
@click.argument("offer", type=int)
@workload_argument
@how_options
@market_options
@max_age_option
@constraint_options
@click.option(
    "--all-assumptions",
    is_flag=True,
    help="List every assumption with its source, its range and what that changes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the cost estimate as JSON.")
@click.pass_obj
def command(
    context: Context,
    /,
    offer: int,
    all_assumptions: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Show on one screen what a job costs on one offer, and why.

    Below the cost breakdown are the limits of the throughput, what would help, and the
    assumptions that matter for this cost.

    \b
    Example:
      advisor explain 23122054 resnet50
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    found = rank_all(context, options).find(offer)
    if as_json:
        result(to_json(explained_document(found)))
    else:
        look = look_of_result(context.variables)
        result(explained_text(found, called, look, all_assumptions=all_assumptions))
