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
    format_options,
    in_options,
    market_options,
    max_age_option,
)
from advisor.cli.output import aside, line_width, remark_within, result
from advisor.cli.plotted import check_plot, draw
from advisor.cli.policy_options import policy_options
from advisor.cli.ranked import Screen
from advisor.cli.session import ask, refuse_both
from advisor.cli.specs import rank_spec
from advisor.market.types import Answer
from advisor.ranking.ranking import Ranking
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
@policy_options
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Show the best N. Default: {_TABLE_ROWS} in a table, all otherwise.",
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
@click.option(
    "--plot",
    is_flag=True,
    help="Draw time against cost per epoch, with the Pareto front and what bounds each "
    "offer, instead of the table.",
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
      advisor rank resnet50 --plot
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    plot: bool = options["plot"]
    check_plot(output_format, asked=plot)
    in_table = output_format == "table" and not plot
    _check_columns(columns, "--plot" if plot else output_format)
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
    error = None if shown else _why_none(ranking)
    if output_format == "json":
        result(to_json(with_error(envelope(ranking, shown, now), error, in_options)))
    elif output_format != "table":
        rows = chosen_rows(shown, columns) if columns else shown
        result(to_delimited(rows, "," if output_format == "csv" else "\t"))
    elif shown and plot:
        draw(ranking, context, above)
    elif shown:
        screen = Screen(width, columns, context.variables)
        screen.show(ranking, shown, options["workload"])
    if error is not None:
        raise error


def _why_none(ranking: Ranking) -> AdvisorError:
    """Return the error that says why no offer is left, and what would help."""
    from advisor.ranking.refused import nothing_left  # noqa: PLC0415  (start-up)

    return nothing_left(ranking)


def _check_columns(columns: tuple[str, ...], shown_as: str) -> None:
    """Refuse columns that cannot be shown, before anybody is asked for offers.

    Raises
    ------
    UsageError
        if there is no such column, or what is shown has none
    """
    if columns and shown_as in ("json", "--plot"):
        other = "--format json" if shown_as == "json" else shown_as
        refuse_both("--columns", other)
    chosen_columns(columns, in_full=False)
