"""`advisor history backtest`: what rent policies would have cost, and which were late."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from advisor.base.errors import UsageError
from advisor.cli.arguments import Listed, flat, workload_argument
from advisor.cli.job_options import constraint_options, how_options
from advisor.cli.options import (
    duration_s,
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
from advisor.cli.parallel import in_parallel, parallel_options
from advisor.cli.session import ask
from advisor.cli.specs import constraints, fields_of, job_spec
from advisor.report.formats import to_delimited, to_json


@click.command("backtest")
@workload_argument
@click.option(
    "--policy",
    multiple=True,
    type=Listed(),
    callback=flat,
    metavar="NAME",
    help="Policy to play: on-demand, bid=TIMES (the least bid), advised-bid or "
    "uniform-progress; separate several by commas, or repeat the option. Default: all, "
    "with several bids.",
)
@click.option(
    "--deadline",
    "deadline_s",
    callback=duration_s,
    metavar="TIME",
    help="Longest time for the whole job, until the last checkpoint is copied back, such "
    "as 24h or 3d.",
)
@click.option(
    "--plays",
    type=click.IntRange(min=1, max=100_000),
    default=200,
    show_default=True,
    help="Starts from which each policy is played.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="The same seed plays the same.",
)
@parallel_options
@how_options
@market_options
@max_age_option
@constraint_options
@format_options("table", "json", "csv", "tsv")
@click.pass_context
def backtest_(
    ctx: click.Context,
    /,
    jobs: int | None,
    dask: str | None,
    output_format: str,
    **options: Any,
) -> None:
    """Play rent policies over the recorded market.

    Each policy rents machines for the workload from many starts in your record, bids that
    lose and machines that fail included. Advised is the cheapest policy that keeps the
    deadline in 95 % of the plays. Where the record is too short, a market is simulated.

    \b
    Examples:
      advisor history backtest resnet50 --epochs 90 --deadline 24h
      advisor history backtest resnet50 --policy on-demand,bid=1.5 --dask tcp://host:8786
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    from advisor.app.backtest import BacktestSpec, backtest  # noqa: PLC0415  (start-up)
    from advisor.report.backtest import (  # noqa: PLC0415
        backtest_document,
        backtest_headline,
        backtest_rows,
        backtest_table,
    )

    if flag := given_flags(ctx.command, ctx.params).get("rental"):
        message = f"{flag}: a policy says how a machine is rented: leave it out"
        raise UsageError(message)
    context = ctx.obj
    job, offers = job_spec(options), constraints(options)
    spec = BacktestSpec(
        **{"job": job, "offers": offers, **fields_of(BacktestSpec, options)}
    )
    asks = partial(
        ask,
        context,
        options["market"],
        max_age_s=options["max_age"],
        stale_ok=options["stale_ok"],
    )
    with in_parallel(jobs, dask):
        found = backtest(context, spec, asks)
    rows = backtest_rows(found)
    width = line_width(context.variables)
    remark_within(backtest_headline(found), width)
    if output_format == "json":
        result(to_json(backtest_document(found, rows)))
    elif output_format == "table":
        result_within(backtest_table(rows, width), width, CSV_HAS_ALL)
    else:
        result(to_delimited(rows, "," if output_format == "csv" else "\t"))
