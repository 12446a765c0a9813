"""A machine is rented and left to the user: the use case of `advisor rent`."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.app.context import Context
from advisor.app.listener import Listener
from advisor.app.plan import Plan, plan
from advisor.app.rent import RentSpec
from advisor.base.errors import AdvisorError, NothingFitsError
from advisor.base.interrupts import check, deferred, shielded, window
from advisor.ranking.offer import RankedOffer
from advisor.rental.ends import end_time
from advisor.rental.rent import ranked, renting, seen_again
from advisor.rental.request import Attempt, Rental


@dataclass(frozen=True, slots=True)
class WouldRent:
    """What would be rented now.

    Attributes
    ----------
    spec : what is asked for
    job : name of the job
    candidate : the offer
    ends_at : when it would end at the latest, seconds since 1970
    measured_s : seconds for which it would be measured before it is used; None: it would
        not be
    """

    spec: RentSpec
    job: str
    candidate: RankedOffer
    ends_at: float
    measured_s: float | None = None


def would_rent(context: Context, planned: Plan) -> WouldRent:
    """Return what would be rented now.

    Raises
    ------
    AdvisorError
        if it is nothing
    """
    rental_context, request = planned.rental_context, planned.request
    for candidate in ranked(rental_context, request)[: request.attempts]:
        now = seen_again(rental_context, request, candidate, ())
        if isinstance(now, RankedOffer):
            ends_at = end_time(rental_context, request, now, rental_context.now())
            measured_s = planned.measured_s(now)
            return WouldRent(planned.spec, request.job, now, ends_at, measured_s)
        context.notify(f"offer {candidate.offer_id}: {now.reason}")
    raise NothingFitsError("none of the best offers is there any more: try again")


def rent(
    context: Context,
    spec: RentSpec,
    listener: Listener | None = None,
    *,
    wait_for_ssh: bool = False,
) -> Rental:
    """Rent, notify the user of what was rented, and leave it to them.

    In this order: who was not notified has no machine, and it is released.

    Parameters
    ----------
    listener : asked before each payment, and notified; None: nobody
    wait_for_ssh : the machine is ready when ssh answers, not when it runs

    Raises
    ------
    AdvisorError
        if nothing was rented, or nobody knows, or nobody could be notified
    """
    listener = listener or Listener()
    planned = plan(context, spec, wait_for_ssh=wait_for_ssh)
    rental_context = planned.rental_context
    attempts: list[Attempt] = []
    is_notified = False
    with deferred():
        try:
            with renting(
                rental_context, planned.request, listener.confirms, attempts
            ) as rental:
                check()
                with window():  # whoever reads may let us wait
                    is_notified = True
                    listener.rented(rental, planned.key_file)
                with shielded(f"handing over instance {rental.entry.instance_id}"):
                    rental_context.ledger.advance(
                        rental.entry.label, "handed", rental_context.now()
                    )
        except AdvisorError as error:
            if not is_notified:
                listener.not_rented(error, attempts)
            raise
    return rental
