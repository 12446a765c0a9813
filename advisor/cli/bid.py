"""`advisor bid`: what to bid for an interruptible machine, and what each bid costs."""

from __future__ import annotations

from typing import Any

import click

from advisor.base.errors import UsageError
from advisor.cli.arguments import workload_argument
from advisor.cli.job_options import constraint_options, how_options
from advisor.cli.options import (
    format_options,
    given_flags,
    market_options,
    max_age_option,
)
from advisor.cli.output import (
    CSV_HAS_ALL,
    line_width,
    remark_within,
    result,
    result_within,
)
from advisor.cli.session import rank_all
from advisor.report.bids import bid_headline, bid_rows, bids_document, bids_table
from advisor.report.formats import to_delimited, to_json


@click.command("bid")
@click.argument("offer", type=int, required=False)
@workload_argument
@how_options
@market_options
@max_age_option
@constraint_options
@format_options("table", "json", "csv", "tsv")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    offer: int | None,
    output_format: str,
    **options: Any,
) -> None:
    """Show what each bid for an offer costs, and the best bid.

    The cost includes pauses and lost work. Without OFFER the command takes the offer that
    is cheapest at its best bid.

    \b
    Examples:
      advisor bid --workload resnet50
      advisor bid 23122054 resnet50
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    if options["rental"] != "interruptible" and (
        flag := given_flags(ctx.command, ctx.params).get("rental")
    ):
        message = f"{flag}: a bid is for an interruptible machine alone"
        raise UsageError(message)
    options["rental"] = "interruptible"
    listing = rank_all(ctx.obj, options)
    found = listing.ranking.best if offer is None else listing.find(offer)
    rows = bid_rows(found.bids())
    width = line_width(ctx.obj.variables)
    remark_within(bid_headline(found), width)
    if output_format == "json":
        result(to_json(bids_document(found, rows)))
    elif output_format == "table":
        result_within(bids_table(rows, width), width, CSV_HAS_ALL)
    else:
        result(to_delimited(rows, "," if output_format == "csv" else "\t"))
