"""`advisor renew`: let a rented machine know that it is still needed."""

from __future__ import annotations

import click

from advisor.app.context import Context
from advisor.app.plan import open_rental_desk, ssh_to
from advisor.base.errors import UsageError
from advisor.base.interrupts import deferred
from advisor.cli.output import remark
from advisor.cli.renting import market_option
from advisor.market.lifecycle import Instance
from advisor.rental.preflight import check_programs
from advisor.rental.processes import process_of
from advisor.rental.remote.ssh import Ssh, ensure_key
from advisor.rental.renewing import chosen, needs_none, renew, renew_while
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
    if instance_id is not None and job is not None:
        message = "say INSTANCE_ID or --job, not both"
        raise UsageError(message)
    process = None if number is None else process_of(number)
    check_programs("ssh", "ssh-keygen")
    desk = open_rental_desk(context, market)
    entry = chosen(desk, instance_id, job)
    key_file, _ = ensure_key(context.data_folder / "ssh")

    def connect(instance: Instance) -> Ssh:
        return ssh_to(context, key_file, instance)

    with deferred():
        if process is not None:
            renew_while(desk, entry, connect, process)
            return
        lease = renew(desk, entry, connect)
    if lease.is_needed:
        remark(f"instance {entry.instance_id} is renewed: {lease_words(lease.seconds)}")
    else:
        remark(needs_none(entry))
