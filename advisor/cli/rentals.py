"""`advisor rentals`: what is rented, as the ledger has it."""

from __future__ import annotations

import click

from advisor.app.context import Environment
from advisor.cli.options import format_options
from advisor.cli.output import result
from advisor.report.formats import Format
from advisor.report.listing import listing
from advisor.report.rental import entry_row, with_history
from advisor.store.ledger import Ledger

_COLUMNS = (
    "label",
    "state",
    "instance_id",
    "gpu",
    "usd_per_hour",
    "rented_at",
    "ends_at",
    "reason",
)


@click.command("rentals")
@click.option("--all", "with_closed", is_flag=True, help="Also those that have ended.")
@format_options("table", "json", "csv", "tsv")
@click.pass_obj
def command(
    environment: Environment, /, with_closed: bool, output_format: Format
) -> None:
    """List your rentals; 'advisor reconcile' compares them with the market."""
    ledger = Ledger(environment.data_folder)
    shown = [one for one in ledger.entries() if with_closed or one.is_open]
    rows = [entry_row(one) for one in shown]
    if output_format == "json":
        steps = [ledger.history(one.label) for one in shown]
        rows = [with_history(*one) for one in zip(rows, steps, strict=True)]
    result(listing("rentals", rows, _COLUMNS, output_format))
