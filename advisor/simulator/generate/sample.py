"""A whole simulated market at one moment."""

from __future__ import annotations

import math
from typing import Any

from advisor.base.progress import Progress, quiet
from advisor.simulator.generate.calibration import Calibration, load_calibration
from advisor.simulator.generate.draws import Draws
from advisor.simulator.generate.listing import list_offers
from advisor.simulator.generate.machines import build_machines

_FIRST_OFFER_ID = 9_000_000


def generate_offers(
    count: int, seed: int, now_unix_s: float, progress: Progress = quiet
) -> list[dict[str, Any]]:
    """Return the offers of a simulated market, cheapest first.

    The same arguments give the same offers. They have the market's oddities in
    the proportion they were seen in, or assumed: see `load_calibration`.

    Parameters
    ----------
    count : offers to return
    seed : non-negative
    now_unix_s : time of the search, seconds since 1970
    progress : is told how many there are
    """
    draws, data = Draws(seed), load_calibration()
    offers: list[dict[str, Any]] = []
    machines = build_machines(draws, data)
    offer_id = _FIRST_OFFER_ID
    while len(offers) < count:
        machine, free = next(machines)
        offer_id += draws.integer(1, 40_000)
        listed = list_offers(machine, free, now_unix_s, offer_id)
        offer_id += len(listed)
        offers += listed
        progress("making offers", len(offers), count, "offers")
    offers = _with_oddities(offers[:count], draws, data)
    return sorted(offers, key=lambda offer: (offer["dph_total"], offer["id"]))


def _with_oddities(
    offers: list[dict[str, Any]], draws: Draws, data: Calibration
) -> list[dict[str, Any]]:
    """Return as many offers, some with an id or a figure gone wrong.

    A duplicate repeats the offer before it with a lower score: the market lists
    it twice, and the better scored record is the one that holds.
    """
    odd: list[dict[str, Any]] = []
    for offer in offers:
        if odd and draws.chance(data.share("odd", "all", "duplicate_id")):
            odd.append({**odd[-1], "score": round(odd[-1]["score"] * 0.9, 3)})
        elif draws.chance(data.share("odd", "all", "not_finite")):
            odd.append({**offer, "dlperf_per_dphtotal": math.inf})
        else:
            odd.append(offer)
    return odd
