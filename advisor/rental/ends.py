"""When a rental must be gone: by its lifetime, and by what may be spent."""

from __future__ import annotations

from advisor.base.errors import CreditError, OverBudgetError
from advisor.base.units import SECONDS_PER_HOUR
from advisor.ranking.offer import RankedOffer
from advisor.rental.caps import Caps, Commitment, commitments, latest_end
from advisor.rental.context import RentalContext
from advisor.rental.request import RentRequest
from advisor.store.ledger import Entry

_SPARE_H = 1.0
_SPARE_SHARE = 1.25  # lifetime over the upper end of the predicted time


def end_time(
    context: RentalContext, request: RentRequest, candidate: RankedOffer, now: float
) -> float:
    """Return when a rental of an offer must be gone, seconds since 1970.

    Parameters
    ----------
    now : seconds since 1970

    Raises
    ------
    OverBudgetError
        if the caps do not allow the predicted time
    CreditError
        if the account cannot pay its first hour
    """
    _check_credit(context, candidate)
    longest_s = _lifetime_s(request, candidate)
    wanted = Commitment(
        request.job,
        now,
        now + longest_s,
        candidate.price_usd_per_h,
        traffic_usd(candidate),
    )
    others: list[Commitment] = []
    if request.caps != Caps():
        entries = context.ledger.entries(context.account)
        others = commitments(entries, context.market.instances(), now)
    job_s = candidate.job_h * SECONDS_PER_HOUR
    if request.lifetime_s is None and job_s > longest_s:
        context.notify(
            f"the machine is gone after {longest_s / SECONDS_PER_HOUR:.3g} h, the "
            "longest lifetime that advisor.toml allows; the job is predicted to take "
            f"{candidate.job_h:.3g} h"
        )
    return latest_end(wanted, others, request.caps, min(job_s, longest_s))


def beyond_caps(
    context: RentalContext, request: RentRequest, claimed: Entry
) -> OverBudgetError | None:
    """Return the error if launchers elsewhere rented at the same time, and first.

    Each of them looks again after it has rented, and of those that do not fit together
    the later contracts give way.
    """
    if request.caps == Caps() or claimed.instance_id is None:
        return None
    earlier = [
        one for one in context.market.instances() if one.instance_id < claimed.instance_id
    ]
    entries = context.ledger.entries(context.account)
    before = [one for one in entries if one.label != claimed.label]
    others = commitments(before, earlier, claimed.intended_at)
    needed_s = claimed.ends_at - claimed.intended_at - 1.0
    try:
        latest_end(Commitment.of(claimed), others, request.caps, needed_s)
    except OverBudgetError as error:
        return error
    return None


def _check_credit(context: RentalContext, candidate: RankedOffer) -> None:
    """Refuse a rental that the account cannot begin to pay; tell if it cannot end it."""
    credit, hourly = context.credit_usd, candidate.price_usd_per_h
    if credit is None:
        return
    if credit < hourly:
        message = (
            f"the account has ${credit:,.2f} left, and the first hour of offer "
            f"{candidate.offer_id} costs ${hourly:,.2f}: add credit, or allow "
            "only cheaper offers"
        )
        raise CreditError(message)
    job_usd = candidate.job_usd
    if credit < job_usd:
        context.notify(
            f"the account has ${credit:,.2f} left, and the job is predicted to cost "
            f"${job_usd:,.2f}: the market ends what nobody pays"
        )


def _lifetime_s(request: RentRequest, candidate: RankedOffer) -> float:
    if request.lifetime_s is not None:
        return request.lifetime_s
    slow = candidate.epoch_h_high / candidate.epoch_h
    hours = candidate.job_h * slow * _SPARE_SHARE + _SPARE_H
    return min(hours * SECONDS_PER_HOUR, request.longest_s)


def traffic_usd(candidate: RankedOffer) -> float:
    """Return what the traffic of the whole job is predicted to cost, $."""
    return candidate.traffic_usd_per_epoch * candidate.ranking.job.epochs
