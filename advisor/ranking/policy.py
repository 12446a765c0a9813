"""Which of the costed offers are in question, and in what order.

A deadline and a budget leave offers out; offers that share GPUs are one choice; an offer
that another beats on both cost and time is no choice where the Pareto front is asked for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from advisor.base.arrays import BoolArray, FloatArray, IntArray, ascending
from advisor.cost.bill import Bill
from advisor.market.offers import Offers
from advisor.market.values import UNKNOWN_ID

SortKey = Literal["epoch-cost", "balanced", "epoch-time", "price"]
"""What the order goes by.

``balanced`` cost per epoch, and what waiting for the job is worth
(`Assumptions.waiting_usd_per_h`), ``epoch-cost`` cost alone, ``epoch-time`` hours of
training per epoch, ``price`` dollars per hour.
"""

SORT_KEYS: tuple[SortKey, ...] = get_args(SortKey)

COST_KEYS: frozenset[SortKey] = frozenset({"balanced", "epoch-cost"})
"""Those by which the cost of the job decides."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How the user chooses among offers.

    Attributes
    ----------
    sort : see `SortKey`
    risk_averse : order by this quantile of the cost (0 to 1); None: by its expectation
    deadline_h : hours from rent to the last checkpoint at home that are allowed
    budget_usd : dollars that the whole job may cost
    max_epoch_usd : dollars that an epoch may cost
    max_usd_per_hour : highest price while it runs, $/h; `Filters` has it for rentals on
        demand, whose price the market knows
    pareto : leave out what another offer beats on both cost and time
    """

    sort: SortKey = "epoch-cost"
    risk_averse: float | None = None
    deadline_h: float | None = None
    budget_usd: float | None = None
    max_epoch_usd: float | None = None
    max_usd_per_hour: float | None = None
    pareto: bool = False


OF_CHOICE = frozenset(
    {
        *("price", "misses_deadline", "over_budget", "epoch_too_dear"),
        *("beaten_on_both", "shares_gpus"),
    }
)
"""Reasons to leave out an offer that could be rented, by `within_limits` and `chosen`."""


def judged_cost(cost: Bill, policy: Policy) -> FloatArray:
    """Return the cost per epoch that offers are judged by, shape (N,)."""
    q = policy.risk_averse
    usd = cost.epoch_usd if q is None else cost.quantile(q)
    return usd + cost.epoch_waiting_usd if policy.sort == "balanced" else usd


@dataclass(frozen=True, slots=True)
class Costs:
    """What decides among N offers; all arrays have shape (N,).

    Attributes
    ----------
    usable : which of them run the job at all
    doubtful : whether the job may well fail to run on them
    judged_usd : cost per epoch that they are judged by
    usd_per_hour, epoch_hours, epoch_usd, job_hours, job_usd : see `Bill`
    """

    usable: BoolArray
    doubtful: BoolArray
    judged_usd: FloatArray
    usd_per_hour: FloatArray
    epoch_hours: FloatArray
    epoch_usd: FloatArray
    job_hours: FloatArray
    job_usd: FloatArray

    @classmethod
    def of(cls, bill: Bill, usable: BoolArray, policy: Policy) -> Self:
        """Take of a cost estimate what decides."""
        return cls(
            usable=usable,
            doubtful=bill.flags["start_doubtful"],
            judged_usd=judged_cost(bill, policy),
            usd_per_hour=bill.usd_per_hour,
            epoch_hours=bill.epoch_hours,
            epoch_usd=bill.epoch_usd,
            job_hours=bill.job_hours,
            job_usd=bill.job_usd,
        )


def chosen(
    offers: Offers, places: IntArray, cost: Costs, policy: Policy
) -> tuple[IntArray, dict[int, tuple[int, ...]], Counter[str]]:
    """Return the order, what shares GPUs with whom, and how many are left out for what.

    Parameters
    ----------
    offers : all offers
    places : positions of those that are in question, shape (N,)
    cost : what decides among these N
    policy : how the user chooses

    Returns
    -------
    order : positions in `offers`, the best first
    alternatives : position -> positions of worse offers that share its GPUs
    excluded : reason -> count
    """
    within, excluded = within_limits(cost, policy)
    order = sorted_offers(offers.offer_id[places], cost, policy, within)
    if policy.pareto:  # offers that share GPUs may each be worth their price
        choices = places[pareto_front(order, cost.job_usd, cost.job_hours)]
        excluded["beaten_on_both"] = len(order) - len(choices)
        return choices, {}, +excluded
    choices, alternatives = one_a_machine(places[order], offers)
    excluded["shares_gpus"] = len(order) - len(choices)
    return choices, alternatives, +excluded


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that the user set, and what it limits on N offers.

    Attributes
    ----------
    reason : why an offer is left out that does not meet it
    values : what is limited, in the unit of `most`, shape (N,)
    most : the highest value that is allowed
    """

    reason: str
    values: FloatArray
    most: float

    @property
    def met(self) -> BoolArray:
        """Which offers meet it, shape (N,); one whose value is unknown does not."""
        met: BoolArray = self.values <= self.most
        return met


def limits(cost: Costs, policy: Policy) -> list[Limit]:
    """Return the limits that the user set, in the order in which offers are left out."""
    return [
        Limit(reason, values, most)
        for reason, values, most in (
            ("price", cost.usd_per_hour, policy.max_usd_per_hour),
            ("misses_deadline", cost.job_hours, policy.deadline_h),
            ("over_budget", cost.job_usd, policy.budget_usd),
            ("epoch_too_dear", cost.epoch_usd, policy.max_epoch_usd),
        )
        if most is not None
    ]


def within_limits(cost: Costs, policy: Policy) -> tuple[BoolArray, Counter[str]]:
    """Return which usable offers meet the limits, and how many do not meet which."""
    within, counts = cost.usable.copy(), Counter[str]()
    for limit in limits(cost, policy):
        out = within & ~limit.met
        counts[limit.reason] = int(out.sum())
        within &= ~out
    return within, +counts


def sorted_offers(
    offer_id: IntArray, cost: Costs, policy: Policy, within: BoolArray
) -> IntArray:
    """Return the positions of the offers within the limits, the best first.

    What may well fail to run comes last, unless the order is by price: nobody rents a
    machine first on which one start in five fails, however cheap a try is. Ties go to
    the cheaper epoch, the shorter one, the lower price and at last the lower offer id.
    """
    keys: list[npt.NDArray[Any]]
    keys = [offer_id, cost.usd_per_hour, cost.epoch_hours, cost.judged_usd]
    if policy.sort not in COST_KEYS:
        by = {"epoch-time": cost.epoch_hours, "price": cost.usd_per_hour}
        keys.append(by[policy.sort])
    if policy.sort != "price":
        keys.append(cost.doubtful)
    (places,) = np.nonzero(within)
    order: IntArray = places[np.lexsort([key[places] for key in keys])]
    return order


def one_a_machine(
    order: IntArray, offers: Offers
) -> tuple[IntArray, dict[int, tuple[int, ...]]]:
    """Return the order with the best of the offers that share a GPU, and the others.

    Parameters
    ----------
    order : positions, the best first
    offers : what they point to

    Returns
    -------
    order : without the offers that share a GPU with a better one
    alternatives : position in `offers` -> positions of those, in their order
    """
    machine_id = offers.machine_id[order]
    _, place, count = np.unique(machine_id, return_inverse=True, return_counts=True)
    several = (count[place] > 1) & (machine_id != UNKNOWN_ID)
    undominated = np.ones(len(order), dtype=bool)
    found: dict[int, list[int]] = {}
    holders: dict[int, dict[int, int]] = {}
    (ranks,) = np.nonzero(several)  # who has a machine alone shares with nobody
    these = (ranks.tolist(), order[ranks].tolist(), machine_id[ranks].tolist())
    for rank, at, machine in zip(*these, strict=True):
        gpus, holder = offers.gpu_ids[at], holders.get(machine)
        if holder is None:
            holders[machine] = dict.fromkeys(gpus, at)
            continue
        better = [holder[gpu] for gpu in gpus if gpu in holder]
        if better:
            undominated[rank] = False
            found.setdefault(better[0], []).append(at)
        else:
            holder.update(dict.fromkeys(gpus, at))
    return order[undominated], {at: tuple(others) for at, others in found.items()}


def pareto_front(order: IntArray, usd: FloatArray, hours: FloatArray) -> IntArray:
    """Return the positions of `order` that no other beats on both cost and time.

    Of offers that are equal in both the first stays.
    """
    cheapest_first = order[np.lexsort((hours[order], usd[order]))]
    taken = hours[cheapest_first]
    fastest_before = np.fmin.accumulate(np.append(np.inf, taken[:-1]))
    front = np.zeros(len(usd), dtype=bool)
    front[cheapest_first[taken < fastest_before[: len(taken)]]] = True
    return order[front[order]]


@dataclass(frozen=True, slots=True)
class Miss:
    """Which limit leaves nothing, and what comes nearest to it.

    Attributes
    ----------
    limit : the first that no offer meets of those that meet the limits before it
    nearest : position of the offer with the least value of it among those that meet
        all other limits; where there is none, among those that meet the limits before
    kept : the other limits that `nearest` meets
    missed : the other limits that it does not meet: they have to be loosened, too
    least : position of the offer with the least value of all
    """

    limit: Limit
    nearest: int
    kept: tuple[Limit, ...]
    missed: tuple[Limit, ...]
    least: int


def nearest_miss(cost: Costs, policy: Policy) -> Miss | None:
    """Return which limit leaves nothing; None: there is no usable offer, or a choice."""
    listed, left = limits(cost, policy), cost.usable
    for at, limit in enumerate(listed):
        meeting = left & limit.met
        if left.any() and not meeting.any():
            return _miss(limit, listed[:at] + listed[at + 1 :], left, cost.usable)
        left = meeting
    return None


def _miss(limit: Limit, others: list[Limit], left: BoolArray, usable: BoolArray) -> Miss:
    """Return what comes nearest to a limit that none of those that are left meets."""
    meeting = np.logical_and.reduce([usable, *(other.met for other in others)])
    among = meeting if meeting.any() else left
    nearest = least_of(limit.values, np.flatnonzero(among))
    return Miss(
        limit=limit,
        nearest=nearest,
        kept=tuple(other for other in others if other.met[nearest]),
        missed=tuple(other for other in others if not other.met[nearest]),
        least=least_of(limit.values, np.flatnonzero(usable)),
    )


def nearest_misses(cost: Costs, policy: Policy) -> IntArray:
    """Return the positions of the offers that a refusal names, in their order.

    Among these alone `nearest_miss` finds the same limit and the same offers.
    """
    miss = nearest_miss(cost, policy)
    named = () if miss is None else (miss.nearest, miss.least)
    return ascending(np.array(named, dtype=np.int64))


def least_of(values: FloatArray, places: IntArray) -> int:
    """Return the one of `places` with the least value, the first of equal ones."""
    return int(places[np.argmin(values[places])])
