"""`advisor rank`: the offers in order of what an epoch costs on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from advisor.app.context import Context
from advisor.app.rank import Ranker
from advisor.base.errors import AdvisorError
from advisor.cli.arguments import workload_argument
from advisor.cli.job_options import constraint_options, job_options
from advisor.cli.options import (
    above_zero,
    duration_s,
    format_options,
    market_options,
    max_age_option,
    no_nan,
)
from advisor.cli.output import aside, remark, result
from advisor.cli.session import ask
from advisor.cli.specs import rank_spec
from advisor.market.types import Answer
from advisor.ranking.policy import SORT_KEYS
from advisor.report.entries import entries
from advisor.report.formats import to_delimited, to_json
from advisor.report.ranked import envelope, headline, table

_TABLE_ROWS = 20


@click.command("rank")
@workload_argument
@job_options
@market_options
@max_age_option
@constraint_options
@click.option(
    "--deadline",
    "deadline_s",
    callback=duration_s,
    metavar="TIME",
    help="The whole job, from rent to last checkpoint at home, within 24h, 3d.",
)
@click.option(
    "--budget",
    "budget_usd",
    type=float,
    callback=above_zero,
    metavar="USD",
    help="What the whole job may cost.",
)
@click.option(
    "--pareto",
    is_flag=True,
    help="Only offers that no other beats on both cost and time.",
)
@click.option(
    "--risk-averse",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    callback=no_nan,
    metavar="0..1",
    help="Order by this quantile of the cost, such as 0.9. Default: expected cost.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Show the best N. Default: {_TABLE_ROWS} in a table, all otherwise.",
)
@click.option(
    "--sort",
    type=click.Choice(SORT_KEYS),
    default="epoch-cost",
    show_default=True,
    help="What the order goes by: cost per epoch, the same with what waiting is worth "
    "(--assume waiting_usd_per_h=...), time per epoch, or price per hour.",
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
    """Rank offers by cost per completed epoch of a workload.

    An hour until the job is done counts a few cents in the order, and is on no bill;
    offers on which the job may well fail to run come last.
    """
    in_table = output_format == "table"
    spec = rank_spec(options)
    if spec.top is None and in_table:
        spec = replace(spec, top=_TABLE_ROWS)
    ranker = Ranker.of(context, spec)

    def show_first(answer: Answer) -> None:
        try:
            ranking = ranker.rank(answer)
        except AdvisorError:  # what is asked for may still come
            return
        if ranking:
            remark(f"{headline(ranking, context.now())}; reading on")
            aside(table(entries(ranking)))

    answer = ask(
        context,
        market,
        ranker.query,
        max_age_s=max_age,
        stale_ok=stale_ok,
        show_first=show_first if in_table else None,
    )
    ranker.tell_slips(answer)
    ranking = ranker.rank(answer)
    shown, now = entries(ranking), context.now()
    remark(headline(ranking, now))
    if output_format == "json":
        result(to_json(envelope(ranking, shown, now)))
    elif not in_table:
        result(to_delimited(shown, "," if output_format == "csv" else "\t"))
    elif shown:
        result(table(shown))
    if not shown:
        from advisor.ranking.refused import nothing_left  # noqa: PLC0415  (start-up)

        raise nothing_left(ranking)
