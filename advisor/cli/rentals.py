"""`advisor rentals`: what is rented, by the ledger and by the market."""

from __future__ import annotations

from collections.abc import Sequence

import click

from advisor.app.context import Context
from advisor.app.plan import rental_context_of
from advisor.base.errors import MarketError, StoreError
from advisor.cli.options import format_options
from advisor.cli.output import (
    CSV_HAS_ALL,
    line_width,
    remark_within,
    result,
    result_within,
)
from advisor.cli.renting import market_option
from advisor.rental.seen import Seen, look_at
from advisor.report.formats import Format
from advisor.report.listing import listing
from advisor.report.rental import (
    entry_row,
    rentals_document,
    row_for_people,
    with_history,
    with_seen,
    words_of_others,
    words_of_renamed,
)
from advisor.report.tables import Column
from advisor.store.ledger import Entry, Ledger

_COLUMNS = (
    Column("label", dispensable=5),
    Column("job", least=18, breaks=True),
    Column("state"),
    Column("instance_id"),
    Column("gpu", least=19),
    Column("usd_per_hour", dispensable=2),
    Column("ends_at", dispensable=4),
    Column("ends_in"),
    Column("status", least=8, breaks=True),
    Column("bills_usd_per_hour"),
    Column("reason", least=20, breaks=True, dispensable=1),
)


_NONE = "the ledger has no rental"
_NONE_OPEN = "the ledger has no open rental; --all shows those that have ended"


@click.command("rentals")
@click.option(
    "--all", "with_closed", is_flag=True, help="Include rentals that have ended."
)
@market_option
@click.option("--offline", is_flag=True, help="Show the ledger only; ask no market.")
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def command(
    context: Context,
    /,
    with_closed: bool,
    market: str,
    offline: bool,
    output_format: Format,
) -> None:
    """List your rentals, and what the market says of each.

    'bills $/h' is what a machine costs now: a machine that is stopped or outbid
    still bills its disk. 'advisor reconcile' ends what should have ended.

    \b
    Example:
      advisor rentals
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    ledger, width = Ledger(context.data_folder), line_width(context.variables)
    is_read = True
    try:
        entries: Sequence[Entry] = ledger.entries()
    except StoreError as error:
        remark_within(f"{error}; what the market lists is shown below", width)
        is_read, entries = False, ()
    seen = None if offline else _seen(context, market)
    now = context.now().timestamp()
    shown = [
        one
        for one in entries
        if with_closed or one.is_open or (seen is not None and seen.of(one) is not None)
    ]
    rows = [with_seen(entry_row(one), one, seen, now) for one in shown]
    if output_format == "json":
        steps = [ledger.history(one.label) for one in shown]
        rows = [with_history(*one) for one in zip(rows, steps, strict=True)]
        result(rentals_document(rows, seen, entries))
        return
    if output_format == "table":
        rows = [row_for_people(row) for row in rows]
        if not rows and is_read:
            remark_within(_NONE if with_closed else _NONE_OPEN, width)
    table = listing("rentals", rows, _COLUMNS, output_format, width=width)
    result_within(table, width, CSV_HAS_ALL)
    if seen is not None:
        for line in (*words_of_renamed(shown, seen), *words_of_others(seen, entries)):
            remark_within(line, width)


def _seen(context: Context, market: str) -> Seen | None:
    """Return what the market shows; say so where it cannot be asked."""
    try:
        return look_at(rental_context_of(context, market))
    except MarketError as error:
        width = line_width(context.variables)
        remark_within(f"this is the ledger alone: {error}", width)
        return None
