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
    above_zero,
    duration_s,
    format_options,
    in_options,
    market_options,
    max_age_option,
    no_nan,
)
from advisor.cli.output import aside, line_width, remark, remark_within, result
from advisor.cli.plotted import check_plot, draw
from advisor.cli.session import ask
from advisor.cli.specs import rank_spec
from advisor.market.types import Answer
from advisor.ranking.policy import SORT_KEYS
from advisor.ranking.ranking import Ranking
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
@click.option(
    "--deadline",
    "deadline_s",
    callback=duration_s,
    metavar="TIME",
    help="Longest time for the whole job, until the last checkpoint is copied back, such "
    "as 24h or 3d.",
)
@click.option(
    "--budget",
    "budget_usd",
    type=float,
    callback=above_zero,
    metavar="USD",
    help="Highest cost of the whole job.",
)
@click.option(
    "--pareto",
    is_flag=True,
    help="Only offers that no other beats on both cost and time.",
)
@click.option(
    "--plot",
    is_flag=True,
    help="Draw time against cost per epoch, with the Pareto front and what bounds each "
    "offer, instead of the table.",
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
    help="Sort by cost per epoch, by cost per epoch plus the value of waiting (--assume "
    "waiting_usd_per_h=...), by time per epoch, or by price per hour.",
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
      advisor rank resnet50 --plot
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    check_plot(output_format, asked=options["plot"])
    in_table = output_format == "table" and not options["plot"]
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
    error = None if shown else _why_none(ranking)
    if output_format == "json":
        result(to_json(with_error(envelope(ranking, shown, now), error, in_options)))
    elif output_format != "table":
        result(to_delimited(shown, "," if output_format == "csv" else "\t"))
    elif shown and options["plot"]:
        draw(ranking, context, headline(ranking, now))
    elif shown:
        _show(shown, width)
    if error is not None:
        raise error


def _why_none(ranking: Ranking) -> AdvisorError:
    """Return the error that says why no offer is left, and what would help."""
    from advisor.ranking.refused import nothing_left  # noqa: PLC0415  (start-up)

    return nothing_left(ranking)


def _show(shown: list[Entry], width: int | None) -> None:
    """Print the table, and say which columns have no room."""
    text, missing = table(shown, width)
    result(text)
    if missing:
        remark(f"too wide for this terminal: {', '.join(missing)}; --format csv has all")
