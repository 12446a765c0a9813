"""`advisor history`: what the user's record of a market shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import click

from advisor.app.context import Context
from advisor.base.errors import NothingFitsError
from advisor.base.files import write_output
from advisor.base.progress import doing
from advisor.base.units import SECONDS_PER_DAY
from advisor.cli.groups import refuse_before_command
from advisor.cli.options import duration_s, format_options, plot_option
from advisor.cli.output import line_width, remark, result, result_within
from advisor.hardware.gpus import load_gpus
from advisor.report.formats import to_delimited, to_json
from advisor.report.history import history_document, history_text, price_rows
from advisor.store.database import open_store
from advisor.store.market_statistics import (
    BUCKETS,
    Bucket,
    PriceBucket,
    bid_survival,
    lifetimes,
    load_intervals,
    price_buckets,
    stored_gpu_names,
)

_SINCE_OF_ALL_S = 7 * SECONDS_PER_DAY  # of all GPUs: a month would take seconds


@click.group("history", invoke_without_command=True)
@click.option(
    "--gpu",
    "gpus",
    multiple=True,
    metavar="NAME",
    help="GPU or family, such as 'RTX 4090' or A100; may be repeated. Default: all.",
)
@click.option("--market", metavar="NAME", help="Market. Default: all stored ones.")
@click.option(
    "--by",
    type=click.Choice(BUCKETS),
    default="day",
    show_default=True,
    help="Period that a row covers.",
)
@click.option(
    "--since",
    callback=duration_s,
    metavar="TIME",
    help="How far back: 12h, 30d. Default: all of a GPU, 7d of all GPUs.",
)
@plot_option("the prices over time")
@format_options("table", "json", "csv", "tsv")
@click.pass_context
def command(  # noqa: PLR0917  (one argument an option)
    ctx: click.Context,
    /,
    gpus: tuple[str, ...],
    market: str | None,
    by: Bucket,
    since: float | None,
    plot: Path | None,
    output_format: str,
) -> None:
    """Show past prices, how long offers last, and which bids lose.

    The figures come from the snapshots that 'advisor fetch --keep' stores. Prices are $/h
    per GPU, without storage.

    \b
    Example:
      advisor history --gpu 'RTX 4090' --by week --plot prices.svg
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    refuse_before_command(ctx)
    if ctx.invoked_subcommand is not None:
        return
    context: Context = ctx.obj
    if since is None and not gpus:
        since = _SINCE_OF_ALL_S
    start = None if since is None else context.now() - timedelta(seconds=since)
    told = doing(context.progress, "reading your record of the market")
    with told, open_store(context.data_folder) as connection:
        stored = stored_gpu_names(connection)
        names = load_gpus().select(gpus, stored) & stored if gpus else None
        intervals = load_intervals(connection, names, market, start)
    if not len(intervals):
        message = "nothing of this is stored yet: 'advisor fetch --keep' records a market"
        raise NothingFitsError(message)
    with doing(context.progress, "summing up what is stored"):
        buckets = price_buckets(intervals, by)
        lifetime, bids = lifetimes(intervals), bid_survival(intervals)
    if plot is not None:
        _draw(plot, buckets, gpus, market)
    rows = price_rows(buckets)
    if output_format == "json":
        result(to_json(history_document(rows, lifetime, bids)))
    elif output_format == "table":
        width = line_width(context.variables)
        result_within(history_text(rows, lifetime, bids, width), width)
    else:
        result(to_delimited(rows, "," if output_format == "csv" else "\t"))


def _draw(
    path: Path, buckets: Sequence[PriceBucket], gpus: Sequence[str], market: str | None
) -> None:
    """Draw the prices into a file."""
    from advisor.report.plots import price_plot  # noqa: PLC0415  (rarely)

    title = f"{', '.join(gpus) or 'all GPUs'}, {market or 'all stored markets'}"
    write_output(path, price_plot(buckets, title, path))
    remark(f"plot written to {path}")
