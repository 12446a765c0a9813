"""`advisor reconcile`: put in order what a crash left; for cron."""

from __future__ import annotations

import click

from advisor.app.context import Context
from advisor.app.plan import rental_context_of
from advisor.base.interrupts import deferred
from advisor.cli.options import format_options
from advisor.cli.output import line_width, result_within
from advisor.cli.renting import market_option
from advisor.rental.reconcile import reconcile, unsettled
from advisor.report.formats import Format
from advisor.report.listing import listing
from advisor.report.rental import finding_row
from advisor.report.tables import Column

_COLUMNS = (
    Column("label", least=12, breaks=True),
    Column("action", least=10, breaks=True),
    Column("instance_id"),
    Column("reason", least=20, breaks=True),
)


@click.command("reconcile")
@market_option
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def command(context: Context, /, market: str, output_format: Format) -> None:
    """Compare your ledger with the market, and end what nobody uses.

    These are rentals whose launcher died before you got them, and rentals past their
    lifetime. When the ledger cannot be read, the market's labels decide. Exit code 7
    means that the outcome of a rental is still open: run the command again in a minute.

    \b
    Example:
      advisor reconcile
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    with deferred():
        found = reconcile(rental_context_of(context, market))
    rows = [finding_row(one) for one in found.findings]
    error = unsettled(found.findings) or found.ledger_error
    width = line_width(context.variables)
    table = listing("rentals", rows, _COLUMNS, output_format, error=error, width=width)
    result_within(table, width)
    if error is not None:
        raise error
