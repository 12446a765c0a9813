"""What others would rent: the offer that is first by a yardstick without a prediction.

Listings are sorted by price, or by a benchmark per dollar such as Vast.ai's "DLPerf per
dollar". What such a choice costs, beside the one of a ranking, is what that is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.market.offers import Offers
from advisor.ranking.policy import Costs, Policy

Yardstick = Literal["dlperf_per_dollar", "price"]
"""What others sort by: the market's benchmark over the price, and dollars per hour."""

YARDSTICKS: tuple[Yardstick, ...] = get_args(Yardstick)


@dataclass(frozen=True, slots=True)
class Rival:
    """The first offer by a yardstick; positions are those of the ranking's arrays.

    Attributes
    ----------
    first : of all offers that meet the user's conditions
    usable : of those that run the job at all; None: none of them has the figure
    """

    first: int
    usable: int | None

    def moved(self, places: Mapping[int, int]) -> Rival:
        """Return it with the positions at which the arrays have these offers now."""
        usable = None if self.usable is None else places[self.usable]
        return Rival(places[self.first], usable)

    @property
    def positions(self) -> list[int]:
        """The offers that it names."""
        return [self.first] if self.usable is None else [self.first, self.usable]


def rivals(
    offers: Offers, places: IntArray, cost: Costs, policy: Policy
) -> dict[Yardstick, Rival]:
    """Return the first offer by each yardstick; no entry where no offer has its figure.

    Of equal ones the cheaper per epoch counts, and at last the lower offer id. A deadline
    and a budget do not count, which only a prediction keeps.

    Parameters
    ----------
    offers : all offers
    places : positions of those that are in question, shape (N,)
    cost : what decides among these N
    policy : how the user chooses
    """
    dlperf, price = offers.dlperf[places], cost.usd_per_hour
    if policy.max_usd_per_hour is not None:
        price = np.where(price <= policy.max_usd_per_hour, price, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        by: dict[Yardstick, FloatArray] = {
            "dlperf_per_dollar": np.where(dlperf > 0.0, -dlperf / price, np.nan),
            "price": price,
        }
    ids, found = offers.offer_id[places], dict[Yardstick, Rival]()
    for name in YARDSTICKS:
        (known,) = np.nonzero(np.isfinite(by[name]))
        if not len(known):
            continue
        first = _least(by[name], known, cost.epoch_usd, ids)
        able = known[cost.usable[known]]
        usable = _least(by[name], able, cost.epoch_usd, ids) if len(able) else None
        found[name] = Rival(
            int(places[first]), None if usable is None else int(places[usable])
        )
    return found


def _least(
    values: FloatArray, among: IntArray, epoch_usd: FloatArray, ids: IntArray
) -> int:
    """Return the one of `among` with the least value."""
    equal = among[values[among] == values[among].min()]
    return int(equal[np.lexsort((ids[equal], epoch_usd[equal]))[0]])
