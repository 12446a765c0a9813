"""`advisor release`: end rentals, and see that they are gone."""

from __future__ import annotations

from collections.abc import Sequence

import click

from advisor.app.context import Context
from advisor.app.plan import open_rental_desk
from advisor.base.errors import (
    AdvisorError,
    MarketError,
    RentalStateUnknownError,
    UsageError,
)
from advisor.base.interrupts import check, deferred, window
from advisor.cli.output import remark
from advisor.cli.renting import market_option, need_terminal
from advisor.rental.desk import Desk
from advisor.rental.reconcile import reconcile
from advisor.rental.release import Releasable, end, releasable

_REASON = "you released it"


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

    The market's label says whose a machine is. So a rental ends even when your ledger
    lacks it or cannot be read.

    \b
    Example:
      advisor release --job mine
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    if (instance_id is not None) + (job is not None) + everything != 1:
        message = "say what to release: an INSTANCE_ID, --job NAME or --all"
        raise UsageError(message)
    with deferred():
        desk = open_rental_desk(context, market)
        try:
            reconcile(desk)  # finds the instance of one that nobody knew the id of
        except MarketError as error:
            remark(str(error))
        chosen = [
            one
            for one in releasable(desk)
            if everything
            or one.job == job
            or (instance_id is not None and one.instance_id == instance_id)
        ]
        if not chosen:
            message = (
                "nothing of that is rented: 'advisor rentals --all' shows the ledger"
            )
            raise UsageError(message)
        _confirm(chosen, yes=yes)
        _release_all(desk, chosen)


def _release_all(desk: Desk, chosen: Sequence[Releasable]) -> None:
    """End rentals; one that cannot be ended does not keep the others."""
    failed: list[str] = []
    for one in chosen:
        check()
        if one.instance_id is None:
            failed.append(f"{one.label}: nobody knows yet whether it exists")
            continue
        try:
            end(desk, one, _REASON)
        except AdvisorError as error:
            failed.append(str(error))
    if failed:
        raise RentalStateUnknownError("; ".join(failed))


def _confirm(chosen: Sequence[Releasable], *, yes: bool) -> None:
    if yes:
        return
    need_terminal("release")
    told = ", ".join(
        f"{one.instance_id} (job {one.job}{'' if one.entry else ', not in this ledger'})"
        for one in chosen
    )
    with window():
        click.confirm(f"end instance {told} and lose its disk?", abort=True, err=True)
