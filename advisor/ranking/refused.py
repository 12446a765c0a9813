"""Why a ranking is empty, in one line, and what would help."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Context

import numpy as np

from advisor.base.errors import AdvisorError, Given, NothingFitsError, OverBudgetError
from advisor.base.units import GB_PER_GIB
from advisor.market.offers import Offers
from advisor.ranking.evaluation import Evaluator, why_unusable
from advisor.ranking.policy import Costs, Limit, Miss, nearest_miss, within_limits
from advisor.ranking.ranking import Ranking
from advisor.workloads.fitting import what_would_fit
from advisor.workloads.memory import memory_gb

_SETTINGS = Given("settings")
_USUAL_GIB = 24
"""Memory of a usual GPU for rent, for which the way out is computed."""

_NAMES: Mapping[str, str | Given] = {
    "price": Given("max_usd_per_hour"),
    "misses_deadline": "the deadline",
    "over_budget": "the budget",
    "epoch_too_dear": Given("max_epoch_usd"),
}
"""Reason to leave an offer out -> how the limit is called that does."""

_UNITS = {
    "price": "${}/h",
    "misses_deadline": "{} h",
    "over_budget": "${}",
    "epoch_too_dear": "${} per epoch",
}
"""Reason to leave an offer out -> a figure of that limit with its unit."""

_OF_COST = frozenset({"over_budget", "epoch_too_dear"})
"""Limits of what is paid in the end: an offer fits, and is too dear."""

_OF_JOB = frozenset({"misses_deadline", "over_budget"})
"""Limits of the whole job, which fewer epochs may meet."""

_LEAST_DIGITS = 3
_SURELY = 1.0 + 1e-9
"""Factor that is far above how a figure is rounded from one computation to the next."""


def nothing_left(ranking: Ranking) -> AdvisorError:
    """Return the error of a ranking without a choice: why, and what would help."""
    if ranking.read == 0:
        message = (
            "the market is empty: it lists no offer, or none of what was asked for; "
            "loosen the constraints, or try again later"
        )
        return NothingFitsError(message)
    cost = Costs.of(ranking.bill, ranking.usable, ranking.policy)
    miss = nearest_miss(cost, ranking.policy)
    if miss is not None:
        return refusal(ranking, cost, miss)
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


def refusal(ranking: Ranking, cost: Costs, miss: Miss) -> AdvisorError:
    """Return the error of limits that leave nothing: which refuses, and a way out."""
    limit, nearest, least = miss.limit, miss.nearest, miss.least
    meets: tuple[str | Given, ...] = ()
    without: tuple[str | Given, ...] = ()
    if nearest != least:
        meets = (" that meets ", *_names(miss.kept))
        dropped = [other for other in miss.kept if not other.met[least]]
        named = f" {_named(ranking.offers, cost, least)}"
        without = ("; without ", *_names(dropped), named)
    amounts = [_amount(one, _enough(one, nearest)) for one in (limit, *miss.missed)]
    dear = limit.reason in _OF_COST
    error = OverBudgetError if dear else NothingFitsError
    return error(
        *("no offer meets ", _NAMES[limit.reason]),
        f" of {_amount(limit, _as_set(limit))}; the {'cheapest' if dear else 'nearest'}",
        *meets,
        f" is {_named(ranking.offers, cost, nearest)}: allow ",
        *_in_words(amounts),
        _fewer(ranking, miss),
        *without,
    )


def _named(offers: Offers, cost: Costs, at: int) -> str:
    gpus = f"{offers.num_gpus[at]:.0f} x {offers.gpu_name[at] or 'unknown'}"
    figures = f"${cost.job_usd[at]:,.2f} and {cost.job_hours[at]:.3g} h"
    return f"offer {offers.offer_id[at]} ({gpus}) with {figures}"


def _names(several: Sequence[Limit]) -> Iterator[str | Given]:
    """Yield the names of limits, as a list in words."""
    return _in_words([_NAMES[limit.reason] for limit in several])


def _in_words(several: Sequence[str | Given]) -> Iterator[str | Given]:
    """Yield what stands between the items of a list, too."""
    for at, one in enumerate(several):
        if at:
            yield " and " if at == len(several) - 1 else ", "
        yield one


def _amount(limit: Limit, figure: str) -> str:
    """Return a figure with the limit's unit."""
    return _UNITS[limit.reason].format(figure)


def _as_set(limit: Limit) -> str:
    """Return what a limit allows: cents of a budget, of others what tells them apart."""
    most = limit.most
    return f"{most:,.2f}" if limit.reason == "over_budget" else f"{most:,.4g}"


def _enough(limit: Limit, at: int) -> str:
    """Return what a limit must allow for an offer: hundredths, three digits at least.

    Rounded up, from a little more than the value: whoever allows what is shown would be
    refused again for a digit that is not, or by how a duration is read as seconds.
    """
    value = float(limit.values[at])
    digits = max(_LEAST_DIGITS, len(f"{value:.2f}") - 1)
    up = Context(prec=digits, rounding=ROUND_CEILING)
    return f"{up.create_decimal_from_float(value * _SURELY):,f}"


def _fewer(ranking: Ranking, miss: Miss) -> str:
    """Return how many epochs the nearest offer trains within all limits, if any."""
    if miss.limit.reason not in _OF_JOB:
        return ""
    epochs, most = _epochs_within(ranking, miss.nearest), ranking.job.epochs
    return f" or train {epochs:,} of {most:,} epochs" if epochs else ""


def _epochs_within(ranking: Ranking, at: int) -> int:
    """Return how many epochs an offer trains within all limits, 0: none.

    By the bill of each number that is tried: setting up takes its time and its money
    however few epochs follow, and the best bid and the moves depend on them, too.
    """
    offers, policy = ranking.offers.take(np.array([at])), ranking.policy
    evaluator = Evaluator.of(ranking.job, ranking.tables)
    here = evaluator.performance(offers)

    def too_many(epochs: int) -> bool:
        job = replace(ranking.job, epochs=epochs)
        bill = replace(evaluator, job=job).bill(offers, here)
        usable = why_unusable(here, bill, job) == ""
        within, _ = within_limits(Costs.of(bill, usable, policy), policy)
        return not within.any()

    # What is found was tried: the search goes above a number only where that fits.
    return bisect_left(range(1, ranking.job.epochs), True, key=too_many)
