"""`advisor rank`: the offers in order of what an epoch costs on them."""

from __future__ import annotations

import click

from advisor.cli.environment import Environment
from advisor.cli.options import (
    above_zero,
    constraint_options,
    format_options,
    market_options,
    no_nan,
    set_option,
)
from advisor.cli.output import remark, result
from advisor.cli.session import Constraints, ask, plan_job
from advisor.errors import NothingFitsError
from advisor.ranking import SORT_KEYS, SortKey, load_tables, rank
from advisor.report.entries import entries
from advisor.report.formats import to_delimited, to_json
from advisor.report.ranked import envelope, headline, table

_TABLE_ROWS = 20


@click.command("rank")
@click.option(
    "--workload",
    required=True,
    metavar="NAME|FILE",
    help="Built-in workload (see 'advisor workloads list') or a profile file.",
)
@set_option
@market_options
@click.option(
    "--max-age",
    type=click.FloatRange(min=0),
    callback=no_nan,
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="Take an answer of the market that is at most this old.",
)
@constraint_options
@click.option(
    "--disk",
    type=float,
    callback=above_zero,
    metavar="GB",
    help="Disk to rent. Default: what the workload needs.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1, max=10**9),
    help="Epochs of the job. Default: the workload's.",
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
    help="What the order goes by.",
)
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def command(  # noqa: PLR0917  (one argument an option)
    environment: Environment,
    /,
    workload: str,
    settings: tuple[str, ...],
    market: str | None,
    stale_ok: bool,
    max_age: float,
    disk: float | None,
    epochs: int | None,
    top: int | None,
    sort: SortKey,
    output_format: str,
    **constraints: object,
) -> None:
    """Rank offers by cost per completed epoch of a workload."""
    job = plan_job(workload, epochs, disk, settings)
    tables = load_tables()
    asked = Constraints.from_options(constraints)
    answer = ask(
        environment,
        market,
        asked.query(tables.gpus, job.disk_gb),
        max_age_s=max_age,
        stale_ok=stale_ok,
    )
    filters = asked.filters(tables.gpus, answer.records)
    ranking = rank(answer.records, job, tables, filters, sort)
    now = environment.now()
    remark(headline(ranking, answer, now))
    if top is None and output_format == "table":
        top = _TABLE_ROWS
    shown = entries(ranking, top, simulated=answer.simulated)
    if output_format == "json":
        result(to_json(envelope(ranking, answer, shown, now)))
    elif output_format != "table":
        result(to_delimited(shown, "," if output_format == "csv" else "\t"))
    elif shown:
        result(table(shown))
    if not shown:
        message = "no offer fits: loosen the constraints or take a smaller workload"
        raise NothingFitsError(message)
