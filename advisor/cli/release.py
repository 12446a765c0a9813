"""`advisor release`: end rentals, and see that they are gone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import click

from advisor.app.context import Context
from advisor.app.release import Released, release
from advisor.base.interrupts import window
from advisor.cli.renting import market_option, need_terminal
from advisor.rental.release import Releasable
from advisor.report.rental import ending


@click.command("release")
@click.argument("instance_id", type=click.IntRange(min=0), required=False)
@click.option("--job", metavar="NAME", help="All rentals of a job.")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Everything that advisor rented for the account, from any computer.",
)
@market_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def command(  # noqa: PLR0917  (one argument an option)
    context: Context,
    /,
    instance_id: int | None,
    job: str | None,
    everything: bool,
    market: str,
    yes: bool,
) -> None:
    """End a rental with its disk, and check that it is gone.

    Machines are recognized by their label on the market, so that a rental ends even if
    your ledger lacks it or cannot be read.

    \b
    Example:
      advisor release --job mine
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    which = Released(instance_id, job, everything)
    release(context, market, which, partial(_confirm, yes=yes))


def _confirm(chosen: Sequence[Releasable], *, yes: bool) -> None:
    if yes:
        return
    need_terminal("release")
    with window():
        click.confirm(ending(chosen), abort=True, err=True)
