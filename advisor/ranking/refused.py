"""Why a ranking is empty, in one line, and what would help."""

from __future__ import annotations

import math

import numpy as np

from advisor.base.errors import AdvisorError, Given, NothingFitsError, OverBudgetError
from advisor.base.units import GB_PER_GIB
from advisor.cost.job import Job
from advisor.market.offers import Offers
from advisor.ranking.policy import Costs, Policy, allowed_h, least_of
from advisor.ranking.ranking import Ranking
from advisor.workloads.fitting import what_would_fit
from advisor.workloads.memory import memory_gb

_SETTINGS = Given("settings")
_USUAL_GIB = 24
"""Memory of a usual GPU for rent, for which the way out is computed."""


def nothing_left(ranking: Ranking) -> AdvisorError:
    """Return the error of a ranking without a choice: why, and what would help."""
    if ranking.read == 0:
        message = (
            "the market is empty: it lists no offer, or none of what was asked for; "
            "loosen the constraints, or try again later"
        )
        return NothingFitsError(message)
    if ranking.policy.limits_the_job and ranking.usable.any():
        cost = Costs.of(ranking.bill, ranking.usable, ranking.policy)
        return refusal(ranking.offers, cost, ranking.job, ranking.policy)
    counts = ", ".join(f"{name} {count:,}" for name, count in ranking.excluded.items())
    out = f" (left out: {counts})" if counts else ""
    return NothingFitsError(f"no offer fits{out}: ", *_what_helps(ranking))


def _what_helps(ranking: Ranking) -> tuple[str | Given, ...]:
    """Return what to do where nothing fits."""
    if "gpu_memory_too_small" not in ranking.excluded:
        return ("loosen the constraints or take a smaller workload",)
    workload = ranking.job.workload
    hints = what_would_fit(workload, _USUAL_GIB * GB_PER_GIB, 1)
    needs = float(memory_gb(workload, 1))
    return (
        *(f"a sample needs {needs:.1f} GB of GPU memory; what would fit (", _SETTINGS),
        f" NAME=VALUE), from one GPU of {_USUAL_GIB} GB: ",
        ", or ".join(hints) or "nothing that this project knows",
    )


def refusal(offers: Offers, cost: Costs, job: Job, policy: Policy) -> AdvisorError:
    """Return the error of limits that leave nothing: the nearest miss, and a way out.

    One offer at least must be usable.
    """
    (able,) = np.nonzero(cost.usable)
    fastest = least_of(cost.job_hours, able)
    deadline = policy.deadline_h
    if deadline is not None and not cost.job_hours[fastest] <= deadline:
        share = deadline / float(cost.job_hours[fastest])
        return NothingFitsError(
            f"no offer meets the deadline of {deadline:.3g} h; the nearest is "
            f"{_named(offers, cost, fastest)}: allow {cost.job_hours[fastest]:.3g} h"
            f"{_fewer(job, share)}"
        )
    in_time = able[cost.job_hours[able] <= allowed_h(policy)]
    cheapest_epoch = least_of(cost.epoch_usd, in_time)
    most, least = policy.max_epoch_usd, float(cost.epoch_usd[cheapest_epoch])
    if most is not None and not least <= most:
        return OverBudgetError(
            f"no offer costs at most ${most:.4g} per epoch; the cheapest is "
            f"{_named(offers, cost, cheapest_epoch)}: allow ${least:.4g} per epoch"
        )
    if policy.budget_usd is None:
        message = "no offer meets all limits at once: loosen one of them"
        return NothingFitsError(message)
    budget = policy.budget_usd
    nearest = least_of(cost.job_usd, in_time)
    cheapest = least_of(cost.job_usd, able)
    in_words = "" if deadline is None else " that meets the deadline"
    slower = ""
    if cheapest != nearest:
        slower = f"; without the deadline {_named(offers, cost, cheapest)}"
    return OverBudgetError(
        f"no offer meets the budget of ${budget:,.2f}; the cheapest{in_words} is "
        f"{_named(offers, cost, nearest)}: allow ${cost.job_usd[nearest]:,.2f}"
        f"{_fewer(job, budget / float(cost.job_usd[nearest]))}{slower}"
    )


def _named(offers: Offers, cost: Costs, at: int) -> str:
    gpus = f"{offers.num_gpus[at]:.0f} x {offers.gpu_name[at] or 'unknown'}"
    figures = f"${cost.job_usd[at]:,.2f} and {cost.job_hours[at]:.3g} h"
    return f"offer {offers.offer_id[at]} ({gpus}) with {figures}"


def _fewer(job: Job, share: float) -> str:
    """Return how many epochs about fit, if any do."""
    epochs = math.floor(job.epochs * share)
    return f" or train {epochs} of {job.epochs} epochs" if epochs >= 1 else ""
