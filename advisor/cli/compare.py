"""`advisor compare`: two offers or more side by side."""

from __future__ import annotations

from typing import Any

import click

from advisor.app.context import Context
from advisor.base.errors import UsageError
from advisor.cli.job_options import constraint_options, job_options
from advisor.cli.options import market_options, max_age_option
from advisor.cli.output import line_width, result
from advisor.cli.session import rank_all
from advisor.report.compared import compared_text
from advisor.report.explained import compared_document
from advisor.report.formats import to_json


@click.command("compare")
@click.argument("offers", type=int, nargs=-1, required=True)
@job_options
@market_options
@max_age_option
@constraint_options
@click.option("--json", "as_json", is_flag=True, help="Print the cost estimates as JSON.")
@click.pass_obj
def command(
    context: Context, /, offers: tuple[int, ...], as_json: bool, **options: Any
) -> None:
    """Show the costs of several offers side by side.

    \b
    Example:
      advisor compare 23122054 20010335 --workload resnet50
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    if len(offers) < 2:
        message = "two offers or more are needed; 'advisor explain' is for one"
        raise UsageError(message)
    listing = rank_all(context, options)
    found = [listing.find(offer) for offer in offers]
    width = line_width(context.variables)
    result(to_json(compared_document(found)) if as_json else compared_text(found, width))
