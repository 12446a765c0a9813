"""`advisor rank`: the offers in order of what an epoch costs on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from advisor.app.context import Context
from advisor.app.rank import Ranker
from advisor.base.errors import AdvisorError
from advisor.cli.arguments import Listed, flat, workload_argument
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
from advisor.cli.output import aside, line_width, remark_within, result
from advisor.cli.ranked import Screen
from advisor.cli.session import ask, refuse_both
from advisor.cli.specs import rank_spec
from advisor.market.types import Answer
from advisor.ranking.policy import SORT_KEYS
from advisor.report.entries import entries
from advisor.report.failure import with_error
from advisor.report.formats import to_delimited, to_json
from advisor.report.rank_table import chosen_columns, chosen_rows, table
from advisor.report.ranked import envelope, headline

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
@click.option(
    "--columns",
    multiple=True,
    type=Listed(),
    callback=flat,
    metavar="NAME,...",
    help="Columns of the table or CSV, by their heads or by keys of the JSON, such as "
    "'offer,GPU,$/epoch,reliability'. Default in a terminal: as many as fit.",
)
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def command(  # noqa: PLR0917  (one argument an option)
    context: Context,
    /,
    market: str | None,
    stale_ok: bool,
    max_age: float,
    columns: tuple[str, ...],
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
    _check_columns(columns, output_format)
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
            aside(table(entries(ranking), width, columns).text)

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
    above = headline(ranking, now, with_left_out=not (in_table and shown))
    remark_within(above, width)
    error = None
    if not shown:
        from advisor.ranking.refused import nothing_left  # noqa: PLC0415  (start-up)

        error = nothing_left(ranking)
    if output_format == "json":
        result(to_json(with_error(envelope(ranking, shown, now), error, in_options)))
    elif not in_table:
        rows = chosen_rows(shown, columns) if columns else shown
        result(to_delimited(rows, "," if output_format == "csv" else "\t"))
    elif shown:
        screen = Screen(width, columns, context.variables)
        screen.show(ranking, shown, options["workload"])
    if error is not None:
        raise error


def _check_columns(columns: tuple[str, ...], output_format: str) -> None:
    """Refuse columns that cannot be shown, before anybody is asked for offers.

    Raises
    ------
    UsageError
        if there is no such column, or the format has none
    """
    if columns and output_format == "json":
        refuse_both("--columns", "--format json")
    chosen_columns(columns, in_full=False)
