"""`advisor renew`: let a rented machine know that it is still needed."""

from __future__ import annotations

import click

from advisor.app.context import Context
from advisor.app.renew import renew
from advisor.cli.output import remark
from advisor.cli.renting import market_option
from advisor.rental.renewing import needs_none
from advisor.report.rental import lease_words


@click.command("renew")
@click.argument("instance_id", type=click.IntRange(min=0), required=False)
@click.option("--job", metavar="NAME", help="The machine of a job.")
@click.option(
    "--while",
    "number",
    type=click.IntRange(min=1),
    metavar="PID",
    help="Keep renewing, in the foreground, while this local process lives.",
)
@market_option
@click.pass_obj
def command(
    context: Context,
    /,
    instance_id: int | None,
    job: str | None,
    number: int | None,
    market: str,
) -> None:
    """Renew the lease of a machine.

    A machine that was rented with 'advisor rent --lease' ends itself when its lease is
    over. This command reaches it by ssh. Without INSTANCE_ID and --job it takes the only
    machine that you rent.

    \b
    Example:
      advisor renew --job mine --while $$ &
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    entry, lease = renew(context, market, instance_id, job, number)
    if lease is None:
        return
    if lease.is_needed:
        remark(f"instance {entry.instance_id} is renewed: {lease_words(lease.seconds)}")
    else:
        remark(needs_none(entry))
