"""A launcher's hold on a rental: a lease that it renews, and loses where it hangs.

The lock of `RentalContext.work_on` says that a launcher lives, not that it works: one
that was stopped, or hangs, has it for ever. So the ledger has a lease beside it. Who does
not renew it may be succeeded, and whoever wakes up after that acts no more.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import AbstractContextManager
from dataclasses import replace

from advisor.base.background import repeated
from advisor.base.errors import AdvisorError, LeaseLostError, StoreError
from advisor.rental.context import RentalContext
from advisor.store.ledger import Entry

LEASE_S = 600.0
"""Seconds without renewal after which a launcher may be succeeded; an assumption."""

RENEW_S = 60.0


class Hold:
    """The hold of one process on one rental.

    Parameters
    ----------
    context : where it is rented
    label : of the rental
    """

    def __init__(self, context: RentalContext, label: str) -> None:
        self.token = secrets.token_hex(8)
        self._context = context
        self._label = label
        self._renewed_at: float | None = None
        self._is_reported = False
        self._turn = threading.Lock()

    def begun_with(self, entry: Entry) -> Entry:
        """Return an intention as it is written with this hold."""
        self._renewed_at = entry.intended_at
        lease_until = entry.intended_at + LEASE_S
        return replace(entry, holder=self.token, lease_until=lease_until)

    def succeed(self, entry: Entry) -> None:
        """Take a rental over whose launcher is known to be dead.

        Raises
        ------
        LeaseLostError
            if it has ended
        StoreError
            if that cannot be written
        """
        self._context.ledger.let_go(entry.label, entry.holder)
        now = self._context.now()
        self._context.ledger.lease(entry.label, self.token, now, now + LEASE_S)
        self._renewed_at = now

    def renew(self) -> None:
        """Renew the lease if it is time to.

        A ledger that cannot be written is reported once: nobody can have succeeded us in
        it.

        Raises
        ------
        LeaseLostError
            if another process works on the rental by now, or it has ended
        """
        with self._turn:
            now = self._context.now()
            renewed_at = self._renewed_at
            if renewed_at is not None and 0.0 <= now - renewed_at < RENEW_S:
                return
            try:
                self._context.ledger.lease(self._label, self.token, now, now + LEASE_S)
            except LeaseLostError:
                raise
            except StoreError as error:
                if not self._is_reported:
                    self._context.notify(str(error))
                self._is_reported = True
                return
            self._renewed_at, self._is_reported = now, False

    def renewed(self) -> AbstractContextManager[None]:
        """Renew the lease in a thread while a block runs, which may do so itself.

        A lease that is lost is told by the block's own `renew`.
        """
        return repeated("lease", self.keep_up, RENEW_S / 2.0)

    def keep_up(self) -> bool:
        """Renew the lease if it is time to; return whether there is one to go on with."""
        try:
            self.renew()
        except AdvisorError as error:
            self._context.notify(str(error))
            return False
        return True


def hangs(context: RentalContext, label: str) -> bool:
    """Say whether the launcher that has a rental's lock does not renew its lease.

    Its end by the clock is a hint alone: it is looked at twice, and one that was renewed
    meanwhile lives, whatever the clocks say.
    """
    lease_until = context.ledger.entry(label).lease_until
    if lease_until is None or context.now() < lease_until or context.clocks_differ():
        return False
    context.sleep(2.0 * RENEW_S, f"looking whether the launcher of {label} lives")
    return (
        context.ledger.entry(label).lease_until == lease_until
        and not context.clocks_differ()
    )
