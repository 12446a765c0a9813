"""`advisor history`: what the user's record of a market shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from advisor.app.context import Context
from advisor.app.history import HistorySpec, export_history, history
from advisor.base.files import write_output
from advisor.cli.groups import refuse_before_command
from advisor.cli.history_backtest import backtest_
from advisor.cli.options import duration_s, format_options, plot_option
from advisor.cli.output import JSON_HAS_ALL, line_width, remark, result, result_within
from advisor.report.formats import to_delimited, to_json
from advisor.report.history import (
    exported_document,
    exported_text,
    history_document,
    history_text,
    price_rows,
)
from advisor.store.market_statistics import BUCKETS, Bucket, PriceBucket


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
@click.option(
    "--archive",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Ask an archive that 'advisor history export' wrote, not your own record.",
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
    archive: Path | None,
    plot: Path | None,
    output_format: str,
) -> None:
    """Show past prices, how long offers last, and which bids lose.

    The figures come from the snapshots that 'advisor fetch --keep' stores. Prices are $/h
    per GPU, without storage.

    \b
    Examples:
      advisor history --gpu 'RTX 4090' --by week --plot prices.svg
      advisor history export market-archive
      advisor history --archive market-archive --gpu 'RTX 4090'
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    refuse_before_command(ctx)
    if ctx.invoked_subcommand is not None:
        return
    context: Context = ctx.obj
    found = history(context, HistorySpec(gpus, market, by, since, archive))
    if plot is not None:
        _draw(plot, found.prices, gpus, market)
    rows = price_rows(found.prices)
    if output_format == "json":
        result(to_json(history_document(rows, found.lifetimes, found.bids)))
    elif output_format == "table":
        width = line_width(context.variables)
        shown = history_text(rows, found.lifetimes, found.bids, width)
        result_within(shown, width)
    else:
        result(to_delimited(rows, "," if output_format == "csv" else "\t"))


@command.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--market", metavar="NAME", help="Market. Default: all stored ones.")
@click.option(
    "--since",
    callback=duration_s,
    metavar="TIME",
    help="Only intervals seen in this time: 12h, 30d. Default: all that is stored.",
)
@format_options("table", "json")
@click.pass_obj
def export_(
    context: Context,
    /,
    folder: Path,
    market: str | None,
    since: float | None,
    output_format: str,
) -> None:
    """Write your record of the market into Parquet files.

    The folder gets a file per market and month, of one row per time that a listing kept
    its prices. An export may be repeated: it adds what is new, and what the folder has
    stays. 'advisor history --archive' asks such a folder; so do DuckDB, Dask and Spark.

    \b
    Examples:
      advisor history export market-archive
      advisor history export market-archive --since 2d
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    done = export_history(context, folder, market, since)
    if done.torn_listings:
        remark(f"{done.torn_listings:,} stored listings make no sense and are left out")
    if output_format == "json":
        result(to_json(exported_document(str(folder), done)))
        return
    width = line_width(context.variables)
    result_within(exported_text(done, width), width, JSON_HAS_ALL)


command.add_command(backtest_)


def _draw(
    path: Path, buckets: Sequence[PriceBucket], gpus: Sequence[str], market: str | None
) -> None:
    """Draw the prices into a file."""
    from advisor.report.plots import price_plot  # noqa: PLC0415  (rarely)

    title = f"{', '.join(gpus) or 'all GPUs'}, {market or 'all stored markets'}"
    write_output(path, price_plot(buckets, title, path))
    remark(f"plot written to {path}")
