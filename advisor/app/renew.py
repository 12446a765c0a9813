"""A rented machine hears that it is still needed."""

from __future__ import annotations

from advisor.app.context import Context
from advisor.app.plan import rental_context_of, ssh_to
from advisor.base.errors import Given, UsageError
from advisor.base.interrupts import deferred
from advisor.market.lifecycle import Instance
from advisor.rental import renewing
from advisor.rental.preflight import check_programs
from advisor.rental.processes import process_of
from advisor.rental.remote.beats import Lease
from advisor.rental.remote.ssh import Ssh, ensure_key
from advisor.store.ledger import Entry


def renew(
    context: Context,
    market: str,
    instance_id: int | None = None,
    job: str | None = None,
    process_id: int | None = None,
) -> tuple[Entry, Lease | None]:
    """Renew the lease of a machine; return it and its lease.

    Parameters
    ----------
    instance_id, job : whose lease; None, both: that of the only machine that is rented
    process_id : go on while this process of this computer lives; the lease is None then

    Raises
    ------
    UsageError
        if that is no one machine, or there is no such process
    AdvisorError
        if it cannot be reached
    """
    if instance_id is not None and job is not None:
        raise UsageError(
            *("give ", Given("instance_id"), " or ", Given("job"), ", not both")
        )
    process = None if process_id is None else process_of(process_id)
    check_programs("ssh", "ssh-keygen")
    rental_context = rental_context_of(context, market)
    entry = renewing.chosen(rental_context, instance_id, job)
    key_file, _ = ensure_key(context.ssh_folder)

    def connect(instance: Instance) -> Ssh:
        return ssh_to(context, key_file, instance)

    with deferred():
        if process is None:
            return entry, renewing.renew(rental_context, entry, connect)
        renewing.renew_while(rental_context, entry, connect, process)
        return entry, None
