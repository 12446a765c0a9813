"""Which of the costed offers are in question, and in what order.

A deadline and a budget leave offers out; offers that share GPUs are one choice; an offer
that another beats on both cost and time is no choice where the Pareto front is asked for.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from advisor.arrays import BoolArray, FloatArray, IntArray
from advisor.cost.bill import Bill
from advisor.cost.job import Job
from advisor.errors import AdvisorError, NothingFitsError, OverBudgetError
from advisor.market.offers import Offers
from advisor.market.values import UNKNOWN_ID

SortKey = Literal["epoch-cost", "epoch-time", "price"]
SORT_KEYS: tuple[SortKey, ...] = get_args(SortKey)


@dataclass(frozen=True, slots=True)
class Choice:
    """How the user chooses among offers.

    Attributes
    ----------
    sort : what the order goes by
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

    @property
    def limits_the_job(self) -> bool:
        """Whether the job's cost or time has a limit."""
        limits = (self.deadline_h, self.budget_usd, self.max_epoch_usd)
        return limits != (None, None, None)


def judged_cost(cost: Bill, choice: Choice) -> FloatArray:
    """Return the cost per epoch that offers are judged by, shape (N,)."""
    if choice.risk_averse is None:
        return cost.epoch_usd
    return cost.quantile(choice.risk_averse)


def within_limits(
    cost: Bill, choice: Choice, usable: BoolArray
) -> tuple[BoolArray, Counter[str]]:
    """Return which usable offers meet the limits, and how many do not meet which."""
    within, counts = usable.copy(), Counter[str]()
    for reason, values, most in (
        ("price", cost.usd_per_hour, choice.max_usd_per_hour),
        ("misses_deadline", cost.job_hours, choice.deadline_h),
        ("over_budget", cost.job_usd, choice.budget_usd),
        ("epoch_too_dear", cost.epoch_usd, choice.max_epoch_usd),
    ):
        if most is not None:
            out = within & ~(values <= most)
            counts[reason] = int(out.sum())
            within &= ~out
    return within, +counts


def sorted_offers(
    offers: Offers, cost: Bill, choice: Choice, usable: BoolArray
) -> IntArray:
    """Return the positions of the usable offers, the best first.

    Ties go to the cheaper epoch, the shorter one, the lower price and at last the lower
    offer id.
    """
    judged = judged_cost(cost, choice)
    by = {
        "epoch-cost": judged,
        "epoch-time": cost.epoch_hours,
        "price": cost.usd_per_hour,
    }
    keys = (
        offers.offer_id,
        cost.usd_per_hour,
        cost.epoch_hours,
        judged,
        by[choice.sort],
    )
    order = np.lexsort(keys)
    return order[usable[order]]


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
    kept: list[int] = []
    alternatives: dict[int, tuple[int, ...]] = {}
    holder: dict[tuple[int, int], int] = {}
    for at in order.tolist():
        machine = int(offers.machine_id[at])
        gpus = [(machine, gpu) for gpu in offers.gpu_ids[at]]
        better = next((holder[gpu] for gpu in gpus if gpu in holder), None)
        if better is not None and machine != UNKNOWN_ID:
            alternatives[better] = (*alternatives.get(better, ()), at)
            continue
        kept.append(at)
        holder.update(dict.fromkeys(gpus, at))
    return np.array(kept, dtype=np.int64), alternatives


def pareto_front(order: IntArray, usd: FloatArray, hours: FloatArray) -> IntArray:
    """Return the positions of `order` that no other beats on both cost and time.

    Of offers that are equal in both the first stays.
    """
    best_first = order[np.lexsort((hours[order], usd[order]))]
    front: list[int] = []
    fastest = math.inf
    for at in best_first.tolist():
        if hours[at] < fastest:
            front.append(at)
            fastest = hours[at]
    chosen = set(front)
    return np.array([at for at in order.tolist() if at in chosen], dtype=np.int64)


def refusal(
    offers: Offers, cost: Bill, job: Job, choice: Choice, usable: BoolArray
) -> AdvisorError:
    """Return the error of limits that leave nothing: the nearest miss, and a way out.

    Parameters
    ----------
    usable : offers that run the job at all, one at least
    """
    able: Sequence[int] = np.flatnonzero(usable).tolist()
    fastest = min(able, key=lambda at: float(cost.job_hours[at]))
    deadline = choice.deadline_h
    if deadline is not None and not cost.job_hours[fastest] <= deadline:
        share = deadline / float(cost.job_hours[fastest])
        return NothingFitsError(
            f"no offer meets the deadline of {deadline:.3g} h; the nearest is "
            f"{_named(offers, cost, fastest)}: allow {cost.job_hours[fastest]:.3g} h"
            f"{_fewer(job, share)}"
        )
    in_time = [
        at for at in able if deadline is None or float(cost.job_hours[at]) <= deadline
    ]
    cheapest_epoch = min(in_time, key=lambda at: float(cost.epoch_usd[at]))
    most, least = choice.max_epoch_usd, float(cost.epoch_usd[cheapest_epoch])
    if most is not None and not least <= most:
        return OverBudgetError(
            f"no offer does an epoch for ${most:.4g}; the cheapest is "
            f"{_named(offers, cost, cheapest_epoch)}: allow ${least:.4g} an epoch"
        )
    if choice.budget_usd is None:
        message = "no offer meets all limits at once: loosen one of them"
        return NothingFitsError(message)
    budget = choice.budget_usd
    nearest = min(in_time, key=lambda at: float(cost.job_usd[at]))
    cheapest = min(able, key=lambda at: float(cost.job_usd[at]))
    in_words = "" if deadline is None else " that meets the deadline"
    slower = ""
    if cheapest != nearest:
        slower = f"; without the deadline {_named(offers, cost, cheapest)}"
    return OverBudgetError(
        f"no offer meets the budget of ${budget:,.2f}; the cheapest{in_words} is "
        f"{_named(offers, cost, nearest)}: allow ${cost.job_usd[nearest]:,.2f}"
        f"{_fewer(job, budget / float(cost.job_usd[nearest]))}{slower}"
    )


def _named(offers: Offers, cost: Bill, at: int) -> str:
    gpus = f"{offers.num_gpus[at]:.0f} x {offers.gpu_name[at] or 'unknown'}"
    figures = f"${cost.job_usd[at]:,.2f} and {cost.job_hours[at]:.3g} h"
    return f"offer {offers.offer_id[at]} ({gpus}) with {figures}"


def _fewer(job: Job, share: float) -> str:
    """Return how many epochs about fit, if any do."""
    epochs = math.floor(job.epochs * share)
    return f" or train {epochs} of {job.epochs} epochs" if epochs >= 1 else ""
