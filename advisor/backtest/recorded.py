"""The recorded market, with the machines that the market shows now."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from advisor.backtest.market import Listings, PlayedMarket
from advisor.base.arrays import FloatArray, IntArray
from advisor.ranking.ranking import Ranking
from advisor.store.listing_intervals import ListingIntervals
from advisor.store.recorded import RecordedListings

_NONE = -1


class Matched(NamedTuple):
    """A recorded market for a job.

    Attributes
    ----------
    market : what is known of it
    same : listings whose machine the market still shows
    alike : listings that count as the median machine with the same GPUs
    unknown : listings of GPUs that no offer has on which the job runs
    """

    market: PlayedMarket
    same: int
    alike: int
    unknown: int


def recorded_market(
    ranking: Ranking,
    recorded: RecordedListings,
    intervals: ListingIntervals,
    stretches: tuple[tuple[int, int], ...],
) -> Matched:
    """Return a recorded market as a job meets it.

    A record has prices and no machines. So a listing is the machine of that id where the
    market still shows it with as many of the same GPUs; else the offer of the median
    training time among those with the same GPUs (assumption: machines come and go, and
    those of a kind stay alike); else it is left out.
    """
    exact, alike = _matches(ranking, recorded)
    found = np.where(exact == _NONE, alike, exact)
    (kept,) = np.nonzero(found != _NONE)
    listings = Listings.of(ranking).take(found[kept])
    return Matched(
        PlayedMarket.of(
            listings, _of(intervals, recorded.listing[kept]), tuple(stretches)
        ),
        same=int(np.sum(exact != _NONE)),
        alike=int(np.sum((exact == _NONE) & (alike != _NONE))),
        unknown=len(found) - len(kept),
    )


def _matches(ranking: Ranking, recorded: RecordedListings) -> tuple[IntArray, IntArray]:
    """Return the offer of each listing's machine, and the median one of its kind."""
    offers = ranking.offers
    hours, cost = ranking.bill.epoch_hours, ranking.bill.epoch_usd
    same = dict[tuple[int, str, int], int]()
    kinds = dict[tuple[str, int], list[int]]()
    (usable,) = np.nonzero(ranking.usable)
    for at in usable[np.argsort(-cost[usable], kind="stable")].tolist():
        kind = str(offers.gpu_name[at]), int(offers.num_gpus[at])
        same[int(offers.machine_id[at]), *kind] = at  # the cheapest one comes last
        kinds.setdefault(kind, []).append(at)
    middle = {kind: _median(hours, places) for kind, places in kinds.items()}
    names = list(zip(recorded.gpu_name.tolist(), recorded.num_gpus.tolist(), strict=True))
    exact = [
        same.get((machine, *kind), _NONE)
        for machine, kind in zip(recorded.machine_id.tolist(), names, strict=True)
    ]
    alike = [middle.get(kind, _NONE) for kind in names]
    return np.array(exact, dtype=np.int64), np.array(alike, dtype=np.int64)


def _median(hours: FloatArray, places: list[int]) -> int:
    """Return which of some offers trains for the median time, the faster of two."""
    ordered = sorted(places, key=lambda at: (hours[at], at))
    return ordered[(len(ordered) - 1) // 2]


def _of(intervals: ListingIntervals, kept: IntArray) -> ListingIntervals:
    """Return the intervals of some listings, each named by its place among these."""
    places = np.searchsorted(kept, intervals.listing)
    mine = np.append(kept, _NONE)[places] == intervals.listing
    chosen = intervals.take(mine)
    return replace(chosen, listing=places[mine])
