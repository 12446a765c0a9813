"""Rentals are ended at the user's word, and seen to be gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from advisor.app.context import Context
from advisor.app.plan import rental_context_of
from advisor.base.errors import (
    AdvisorError,
    Given,
    MarketError,
    RentalStateUnknownError,
    UsageError,
)
from advisor.base.interrupts import check, deferred
from advisor.rental.context import RentalContext
from advisor.rental.reconcile import reconcile
from advisor.rental.release import Releasable, end, releasable

_REASON = "you released it"


@dataclass(frozen=True, slots=True)
class Released:
    """Which rentals are to be ended: exactly one of the three is said.

    Attributes
    ----------
    instance_id : one of the market's
    job : all of a job
    everything : all that advisor has rented for the account, from other computers, too

    Raises
    ------
    UsageError
        if none is said, or several
    """

    instance_id: int | None = None
    job: str | None = None
    everything: bool = False

    def __post_init__(self) -> None:
        """Check it."""
        named = (self.instance_id is not None, self.job is not None, self.everything)
        if sum(named) != 1:
            job, everything = Given("job"), Given("everything")
            raise UsageError(
                *("say what to release: ", Given("instance_id"), ", "),
                *(job, " NAME or ", everything),
            )

    def has(self, one: Releasable) -> bool:
        """Return whether a rental is one of them."""
        if self.instance_id is not None:
            return one.instance_id == self.instance_id
        return self.everything or one.job == self.job


def release(
    context: Context,
    market: str,
    which: Released,
    confirm: Callable[[Sequence[Releasable]], None] = lambda _: None,
) -> None:
    """End rentals, their disks included, and see that they are gone.

    Parameters
    ----------
    confirm : hears what would be ended; where it raises, nothing is

    Raises
    ------
    UsageError
        if nothing of that is rented
    RentalStateUnknownError
        if one of them could not be ended
    """
    with deferred():
        rental_context = rental_context_of(context, market)
        try:
            # It finds the instance of one that nobody knew the id of.
            reconcile(rental_context)
        except MarketError as error:
            context.notify(str(error))
        chosen = [one for one in releasable(rental_context) if which.has(one)]
        if not chosen:
            message = (
                "nothing of that is rented: 'advisor rentals --all' shows the ledger"
            )
            raise UsageError(message)
        confirm(chosen)
        _release_all(rental_context, chosen)


def _release_all(rental_context: RentalContext, chosen: Sequence[Releasable]) -> None:
    """End rentals; one that cannot be ended does not keep the others."""
    failed: list[str] = []
    for one in chosen:
        check()
        if one.instance_id is None:
            failed.append(f"{one.label}: nobody knows yet whether it exists")
            continue
        try:
            end(rental_context, one, _REASON)
        except AdvisorError as error:
            failed.append(str(error))
    if failed:
        raise RentalStateUnknownError("; ".join(failed))
