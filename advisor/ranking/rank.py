"""Offers in the order of what an epoch costs on them, and why others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from advisor.base.arrays import IntArray, ascending
from advisor.cost.job import Job
from advisor.market.filters import Filters, offers_meeting
from advisor.market.offers import Offers
from advisor.ranking.evaluation import Evaluator
from advisor.ranking.policy import Costs, Policy, chosen, nearest_misses
from advisor.ranking.ranking import Ranking
from advisor.ranking.rivals import rivals
from advisor.throughput.tables import Tables


def rank(
    records: Iterable[Any],
    job: Job,
    tables: Tables,
    filters: Filters,
    policy: Policy | None = None,
    *,
    top: int | None = None,
) -> Ranking:
    """Rank a market's records by what an epoch of `job` costs.

    Parameters
    ----------
    records : offers as the market's JSON has them; looked at once, so that a stream of
        them is never in memory as a whole
    job : what is to be done
    tables : hardware tables and throughput model
    filters : the user's constraints
    policy : how the user chooses; None: the least expected cost
    top : see `rank_offers`
    """
    offers, keep, excluded = offers_meeting(records, filters, job.disk_gb)
    read = int(keep.sum()) + excluded.total()
    ranking = _ranked(offers, np.flatnonzero(keep), job, tables, policy, top)
    reasons = excluded + Counter(ranking.excluded)
    return replace(ranking, excluded=dict(sorted(reasons.items())), read=read)


def rank_offers(
    offers: Offers,
    job: Job,
    tables: Tables,
    policy: Policy | None = None,
    *,
    top: int | None = None,
) -> Ranking:
    """Rank offers that are parsed already and that all meet the constraints.

    Parameters
    ----------
    offers : N offers
    job : what is to be done
    tables : hardware tables and throughput model
    policy : how the user chooses; None: the least expected cost
    top : how many of the best are asked for; None: all. The ranking may then hold these
        alone, with those that share their GPUs and the rivals, or the nearest misses
        where there is no choice; order, figures and counts are those of the whole
    """
    return _ranked(offers, np.arange(len(offers)), job, tables, policy, top)


def _ranked(  # noqa: PLR0917  (those of `rank_offers`)
    offers: Offers,
    places: IntArray,
    job: Job,
    tables: Tables,
    policy: Policy | None,
    top: int | None,
) -> Ranking:
    """Rank the offers at `places`; a copy of all of them is not made for a few."""
    policy = policy or Policy()
    evaluator = Evaluator.of(job, tables)
    read = len(places)
    if top is None or read <= evaluator.chunk:
        offers, places = offers.take(places), np.arange(read)
        here, unusable = evaluator.all(offers)
        cost = Costs.of(here.bill, here.unusable == "", policy)
        order, alternatives, excluded = chosen(offers, places, cost, policy)
        others = rivals(offers, places, cost, policy)
    else:
        cost, unusable = evaluator.costs(offers, places, policy)
        order, alternatives, excluded = chosen(offers, places, cost, policy)
        others = rivals(offers, places, cost, policy)
        order = order[:top]
        beside = [other for at in order.tolist() for other in alternatives.get(at, ())]
        beside += [at for one in others.values() for at in one.positions]
        if not len(order):
            beside += places[nearest_misses(cost, policy)].tolist()
        needed = ascending(np.append(order, np.array(beside, dtype=np.int64)))
        place = {at: new for new, at in enumerate(needed.tolist())}
        alternatives = {
            place[at]: tuple(place[other] for other in alternatives[at])
            for at in order.tolist()
            if at in alternatives
        }
        others = {name: one.moved(place) for name, one in others.items()}
        offers, order = offers.take(needed), np.searchsorted(needed, order)
        here, _ = evaluator.all(offers)
    measured = evaluator.measured
    return Ranking(
        offers=offers,
        machines=here.machines,
        adjustment=here.adjustment,
        measured=measured,
        throughput=here.throughput,
        software=here.software,
        host_need_gb=here.host_need_gb,
        start_risk=here.start_risk,
        bill=here.bill,
        order=order,
        alternatives=alternatives,
        rivals=others,
        unusable=here.unusable,
        flags=here.flags,
        excluded=dict(sorted((unusable + excluded).items())),
        read=read,
        tables=evaluator.tables,
        job=job,
        policy=policy,
        assumptions={**job.assumptions.listed(), **tables.assumptions()},
        model_identity=evaluator.tables.identity(job.workload, measured),
    )
