"""The answer to "which offer, and what is it over others" in a sentence."""

from __future__ import annotations

import numpy as np

from advisor.base.figures import figure
from advisor.base.units import SECONDS_PER_HOUR
from advisor.ranking.ranking import Ranking
from advisor.report.speedup import duration


def answer(ranking: Ranking) -> str:
    """Return which offer to rent, its cost and time, and what other rules would pick.

    ``""`` where no offer is left.
    """
    if not len(ranking):
        return ""
    best = ranking[0]
    host = best.cpu_name or "unknown CPU"
    return (
        f"Rent {best.offer_id} ({best.name}, {host}): "
        f"${figure(best.cost_usd_per_epoch, 2)} per epoch, "
        f"{duration(best.epoch_h * SECONDS_PER_HOUR)}{_others(ranking)}."
    )


def _others(ranking: Ranking) -> str:
    order, bill = ranking.order, ranking.bill
    cost, price = bill.epoch_usd[order], bill.usd_per_hour[order]
    score = np.nan_to_num(ranking.offers.dlperf[order]) / price
    picks = {"the cheapest per hour": int(np.argmin(price))}
    if score.any():
        picks = {"the pick by DLPerf per dollar": int(np.argmax(score)), **picks}
    told = [
        f"{name} would cost {_ratio(float(cost[at] / cost[0]))}"
        for name, at in picks.items()
        if at != 0
    ]
    return f"; {', '.join(told)}" if told else ""


def _ratio(ratio: float) -> str:
    return f"{ratio:.2g} times as much" if ratio >= 2.0 else f"{ratio - 1.0:.0%} more"
