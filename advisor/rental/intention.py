"""A rental is written down before it is requested, as far as that may be."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.market.values import held_id
from advisor.ranking.offer import RankedOffer
from advisor.rental.caps import Caps, Commitment, commitments, latest_end
from advisor.rental.context import RentalContext
from advisor.rental.ends import traffic_usd
from advisor.rental.labels import new_label
from advisor.rental.refused import NotRented
from advisor.rental.request import RentRequest
from advisor.store.ledger import Entry


def intention(
    context: RentalContext,
    request: RentRequest,
    candidate: RankedOffer,
    at: float,
    end: float,
) -> Entry:
    """Return the entry of a rental that is to be requested.

    Parameters
    ----------
    at, end : now, and when it must be gone, seconds since 1970
    """
    return Entry(
        label=new_label(request.job, end),
        market=context.account,
        job=request.job,
        state="intended",
        offer_id=candidate.offer_id,
        machine_id=held_id(candidate.machine_id),
        gpu_ids=candidate.gpu_ids,
        gpu_name=candidate.gpu_name or "",
        num_gpus=candidate.num_gpus,
        usd_per_hour=candidate.price_usd_per_h,
        traffic_usd=traffic_usd(candidate),
        intended_at=at,
        ends_at=float(int(end)),
        place=context.place,
    )


def write_down(
    context: RentalContext, request: RentRequest, entry: Entry
) -> NotRented | None:
    """Write an intention down; return why that may not be, None if it is done."""
    listed = context.market.instances() if request.caps != Caps() else ()

    def allow(entries: Sequence[Entry]) -> None:
        if any(_same(entry, other) for other in entries if other.is_open):
            raise _TakenError
        others = commitments(entries, listed, entry.intended_at)
        needed_s = entry.ends_at - entry.intended_at
        latest_end(Commitment.of(entry), others, request.caps, needed_s)

    try:
        context.ledger.intend(entry, allow)
    except _TakenError:
        return NotRented("taken", "another launcher here is renting it")
    return None


class _TakenError(Exception):
    """Another launcher has the offer."""


def _same(one: Entry, other: Entry) -> bool:
    """Say whether two rentals would be of the same GPUs."""
    if one.offer_id == other.offer_id:
        return True
    if one.machine_id != other.machine_id or one.machine_id < 0:
        return False
    return bool(set(one.gpu_ids) & set(other.gpu_ids))
