"""`advisor rank`: the offers in order of what an epoch costs on them."""

from __future__ import annotations

from typing import Any

import click

from advisor.app.context import Context
from advisor.app.own_data import with_kept_data
from advisor.base.errors import AdvisorError, UsageError
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
from advisor.cli.output import aside, line_width, remark, remark_within, result
from advisor.cli.session import ask, tell_slips
from advisor.cli.specs import constraints, job_spec
from advisor.cost.terms import SECONDS_PER_HOUR
from advisor.market.types import Answer
from advisor.ranking.policy import COST_KEYS, SORT_KEYS, Choice, SortKey
from advisor.ranking.rank import Ranking, load_tables, nothing_left, rank
from advisor.ranking.ties import tied_with
from advisor.report.entries import Entry, entries
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
    callback=duration_s,
    metavar="TIME",
    help="Longest time for the whole job, from rent to the last checkpoint at home, such "
    "as 24h or 3d.",
)
@click.option(
    "--budget",
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
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def command(  # noqa: PLR0917  (one argument an option)
    context: Context,
    /,
    market: str | None,
    stale_ok: bool,
    max_age: float,
    deadline: float | None,
    budget: float | None,
    pareto: bool,
    risk_averse: float | None,
    top: int | None,
    sort: SortKey,
    output_format: str,
    **options: Any,
) -> None:
    """Rank offers by what an epoch of your training costs.

    The order also counts a few cents for each hour until the job is done; they are in no
    cost that is shown. Offers on which the job may well fail to run come last.

    \b
    Examples:
      advisor rank resnet50
      advisor rank bert-base --gpu 'RTX 4090,A100' --deadline 12h --budget 10
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    _check(sort, risk_averse)
    job = job_spec(options).job(context)
    asked = constraints(options)
    tables = load_tables(context.models)
    choice = Choice(
        sort=sort,
        risk_averse=risk_averse,
        deadline_h=None if deadline is None else deadline / SECONDS_PER_HOUR,
        budget_usd=budget,
        max_usd_per_hour=asked.unlisted_max_price(job.rental),
        pareto=pareto,
    )
    if top is None and output_format == "table":
        top = _TABLE_ROWS
    width = line_width(context.variables)

    def ranked(answer: Answer) -> tuple[Ranking, list[Entry]]:
        filters = asked.filters(tables.gpus, answer.records, job.rental)
        known_job, known = with_kept_data(context, answer, job, filters)
        ranking = rank(answer.records, known_job, tables, known, choice, top=top)
        ties = tied_with(ranking, top)
        return ranking, entries(ranking, top, ties, simulated=answer.simulated)

    def show_first(answer: Answer) -> None:
        try:
            ranking, shown = ranked(answer)
        except AdvisorError:  # what is asked for may still come
            return
        if shown:
            first = f"{headline(ranking, answer, context.now())}; reading on"
            remark_within(first, width)
            aside(table(shown, width)[0])

    answer = ask(
        context,
        market,
        asked.query(tables.gpus, job.disk_gb, job.rental),
        max_age_s=max_age,
        stale_ok=stale_ok,
        show_first=show_first if output_format == "table" else None,
    )
    tell_slips(context, asked, tables.gpus, answer)
    ranking, shown = ranked(answer)
    now = context.now()
    remark_within(headline(ranking, answer, now), width)
    if output_format == "json":
        result(to_json(envelope(ranking, answer, shown, now)))
    elif output_format != "table":
        result(to_delimited(shown, "," if output_format == "csv" else "\t"))
    elif shown:
        _show(shown, width)
    if not shown:
        raise nothing_left(ranking)


def _show(shown: list[Entry], width: int | None) -> None:
    """Print the table, and say which columns have no room."""
    text, missing = table(shown, width)
    result(text)
    if missing:
        remark(f"too wide for this terminal: {', '.join(missing)}; --format csv has all")


def _check(sort: SortKey, risk_averse: float | None) -> None:
    """Refuse options that contradict each other."""
    if risk_averse is not None and sort not in COST_KEYS:
        message = (
            f"--risk-averse orders by a quantile of the cost, --sort {sort} does not"
        )
        raise UsageError(message)
