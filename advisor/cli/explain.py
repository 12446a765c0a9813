"""`advisor explain`: the whole bill of one offer."""

from __future__ import annotations

from typing import Any

import click

from advisor.app.context import Context
from advisor.cli.arguments import workload_argument
from advisor.cli.job_options import constraint_options, job_options
from advisor.cli.options import market_options, max_age_option
from advisor.cli.output import result
from advisor.cli.session import rank_all
from advisor.report.explained import explained_document, explained_text
from advisor.report.formats import to_json


@click.command("explain")
@click.argument("offer", type=int)
@workload_argument
@job_options
@market_options
@max_age_option
@constraint_options
@click.option("--json", "as_json", is_flag=True, help="Print the bill as JSON.")
@click.pass_obj
def command(context: Context, /, offer: int, as_json: bool, **options: Any) -> None:
    """Print the whole bill of one offer, line by line, and what it assumes."""
    found = rank_all(context, options).find(offer)
    result(to_json(explained_document(found)) if as_json else explained_text(found))
