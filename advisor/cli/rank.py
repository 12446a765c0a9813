"""`advisor rank`: the offers in order of what an epoch costs on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from advisor.app.context import Context
from advisor.app.rank import Ranker
from advisor.base.errors import AdvisorError
from advisor.cli.arguments import workload_argument
from advisor.cli.job_options import constraint_options, how_options
from advisor.cli.options import (
    format_options,
    in_options,
    market_options,
    max_age_option,
)
from advisor.cli.output import aside, line_width, remark, remark_within, result
from advisor.cli.policy_options import policy_options
from advisor.cli.session import ask
from advisor.cli.specs import rank_spec
from advisor.market.types import Answer
from advisor.report.entries import Entry, entries
from advisor.report.failure import with_error
from advisor.report.formats import to_delimited, to_json
from advisor.report.ranked import envelope, headline, table

_TABLE_ROWS = 20


@click.command("rank")
@workload_argument
@how_options
@market_options
@max_age_option
@constraint_options
@policy_options
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Show the best N. Default: {_TABLE_ROWS} in a table, all otherwise.",
)
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def command(
    context: Context,
    /,
    market: str | None,
    stale_ok: bool,
    max_age: float,
    output_format: str,
    **options: Any,
) -> None:
    """Rank offers by what an epoch of your training costs.

    The order adds a few cents for each hour of waiting; no cost that is shown includes
    them. Offers on which the job is likely to fail come last.

    \b
    Examples:
      advisor rank resnet50
      advisor rank bert-base --gpu 'RTX 4090,A100' --deadline 12h --budget 10
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    in_table = output_format == "table"
    spec = rank_spec(options)
    if spec.top is None and in_table:
        spec = replace(spec, top=_TABLE_ROWS)
    ranker = Ranker.of(context, spec)
    width = line_width(context.variables)

    def show_first(answer: Answer) -> None:
        try:
            ranking = ranker.rank(answer)
        except AdvisorError:  # what is asked for may still come
            return
        if ranking:
            remark_within(f"{headline(ranking, context.now())}; reading on", width)
            aside(table(entries(ranking), width)[0])

    answer = ask(
        context,
        market,
        ranker.query,
        max_age_s=max_age,
        stale_ok=stale_ok,
        show_first=show_first if in_table else None,
    )
    ranker.notify_slips(answer)
    ranking = ranker.rank(answer)
    shown, now = entries(ranking), context.now()
    remark_within(headline(ranking, now), width)
    error = None
    if not shown:
        from advisor.ranking.refused import nothing_left  # noqa: PLC0415  (start-up)

        error = nothing_left(ranking)
    if output_format == "json":
        result(to_json(with_error(envelope(ranking, shown, now), error, in_options)))
    elif not in_table:
        result(to_delimited(shown, "," if output_format == "csv" else "\t"))
    elif shown:
        _show(shown, width)
    if error is not None:
        raise error


def _show(shown: list[Entry], width: int | None) -> None:
    """Print the table, and say which columns have no room."""
    text, missing = table(shown, width)
    result(text)
    if missing:
        remark(f"too wide for this terminal: {', '.join(missing)}; --format csv has all")
