"""One machine of a plan as a rental: the offer of the plan, and what comes after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from advisor.app.context import Context
from advisor.app.plan import Plan, plan
from advisor.app.rent import RentSpec
from advisor.app.sweep import SweepJob, SweepSpec, jobs_of
from advisor.app.sweep_plan import PlannedMachine
from advisor.base.errors import NothingFitsError
from advisor.base.units import SECONDS_PER_HOUR
from advisor.fleet.plan.kinds import Kind, kinds_of
from advisor.fleet.plan.listing import Listing
from advisor.fleet.plan.loads import loaded
from advisor.market.types import Answer
from advisor.ranking.ranking import Ranking
from advisor.rental.arguments import SHORTEST_S


def request_for(
    context: Context,
    spec: SweepSpec,
    planned: PlannedMachine,
    *,
    jobs: Sequence[SweepJob] | None = None,
    goes_on: bool = False,
    verified_from_h: float = math.inf,
) -> Plan:
    """Return the rental of one planned machine.

    The offer of the plan comes first, then the others by what the whole load costs on
    them, of those that are done with it within the planned lifetime.

    Parameters
    ----------
    spec : of the sweep, which has a name: all its machines share the budget
    jobs : all of the sweep; None: as the spec says
    goes_on : other machines of the sweep were rented before: what they have met holds
    verified_from_h : see `advisor.app.plan.plan`

    Raises
    ------
    advisor.base.errors.AdvisorError
        if no rental can be made so, or not from this machine
    """
    names = {*planned.jobs}
    load = [one for one in jobs or jobs_of(spec) if one.name in names]
    kinds = kinds_of(load)
    main = max(kinds, key=lambda kind: len(kind.names))
    # Each job leaves its checkpoint on the disk that all of them share.
    profiles = [kind.job.job(context).workload for kind in kinds]
    left_gb = sum(
        profile.checkpoint_gb * len(kind.names)
        for profile, kind in zip(profiles, kinds, strict=True)
    )
    listing = Listing.of(context, spec, kinds, left_gb)
    epochs = [job.epochs for job in listing.jobs]
    trained = sum(
        each * len(kind.names) for each, kind in zip(epochs, kinds, strict=True)
    )
    rental = RentSpec(
        job=replace(main.job, epochs=trained, disk_gb=listing.jobs[0].disk_gb),
        offers=spec.offers,
        market=spec.market,
        name=spec.name,
        budget_usd=spec.budget_usd,
        day_budget_usd=spec.day_budget_usd,
        max_lifetime_s=max(planned.lifetime_h * SECONDS_PER_HOUR, SHORTEST_S),
        lease_s=spec.lease_s,
        verify=spec.verify,
    )
    thought_through = plan(
        context,
        rental,
        wait_for_ssh=True,
        goes_on=goes_on,
        verified_from_h=verified_from_h,
    )
    rank = thought_through.request.rank

    def by_load(answer: Answer) -> Ranking:
        return _ordered(rank(answer), answer, listing, kinds, planned)

    request = replace(thought_through.request, rank=by_load)
    return replace(thought_through, request=request)


def _ordered(
    ranking: Ranking,
    answer: Answer,
    listing: Listing,
    kinds: Sequence[Kind],
    planned: PlannedMachine,
) -> Ranking:
    """Return a ranking in the order of what the load of a planned machine costs."""
    try:
        choices = listing.choices(answer)
    except NothingFitsError:
        return replace(ranking, order=ranking.order[:0])
    load = np.array([len(kind.names) for kind in kinds], dtype=np.int64)
    usd: dict[int, float] = {}
    for at in np.flatnonzero(choices.runs.all(axis=0)).tolist():
        one = loaded(choices, at, load, 0.0)
        if one.in_time and one.hours <= planned.lifetime_h:
            usd[int(choices.offer_id[at])] = one.usd
    if planned.offer_id in usd:
        usd[planned.offer_id] = -math.inf
    ids = ranking.offers.offer_id[ranking.order].tolist()
    able = [place for place, offer_id in enumerate(ids) if offer_id in usd]
    order = sorted(able, key=lambda place: usd[ids[place]])
    return replace(ranking, order=ranking.order[np.array(order, dtype=np.int64)])
