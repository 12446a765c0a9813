"""The simulated market loses bids as often as the cost model assumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from advisor.backtest.market import Listings
from advisor.backtest.simulated import CHANGES_PER_DAY, simulated_market
from advisor.cost.assumptions import Assumptions
from advisor.cost.hazard import BidHazard
from advisor.ranking.ranking import Ranking
from advisor.store.market_statistics import bid_survival, lifetimes

Ranked = Callable[..., Ranking]


@pytest.fixture(scope="module")
def listings(ranked: Ranked, sure: dict[str, Any]) -> Listings:
    """Return forty listings that differ in nothing but their machine."""
    return Listings.of(
        ranked(*({**sure, "id": at, "machine_id": at} for at in range(40)))
    )


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [1.0, 1.25, 2.0])
def test_its_bids_lose_at_the_assumed_rate(listings: Listings, ratio: float) -> None:
    """A bid that stands runs for 1 / rate hours on average, within 5 %."""
    assumed = Assumptions().replaced({"preemption_band": 1.0})
    market = simulated_market(listings, assumed, 24.0 * 60, seed=3)
    lost, seconds = 0, 0.0
    end = market.stretches[-1][1]
    for listing in range(len(listings)):
        at = market.back_at(listing, 0.15 * ratio, 0)
        while at < end:
            ends = market.lost_at(listing, 0.15 * ratio, at)
            lost, seconds = lost + (ends < end), seconds + ends - at
            at = market.back_at(listing, 0.15 * ratio, ends)
    rate = BidHazard.assumed(assumed).per_hour(np.array([ratio]), np.ones(1))[0]
    assert lost / (seconds / 3600) == pytest.approx(rate, rel=0.05)


def test_a_record_of_it_shows_the_assumed_rate(listings: Listings) -> None:
    """What `advisor bid` takes from a record is what a bid meets, within 10 %.

    Others bid so seldom here that a bid hardly ever begins while one of theirs stands.
    """
    assumed = Assumptions().replaced({"preemption_band": 1.0, "pause_h": 0.25})
    seen = bid_survival(simulated_market(listings, assumed, 24.0 * 60, 3).intervals)
    rate = BidHazard.assumed(assumed).per_hour(seen.ratios, np.ones(len(seen.ratios)))
    losses = seen.outbid + seen.gone
    assert losses / seen.exposure_hours == pytest.approx(rate, rel=0.1)


def test_its_prices_change_and_its_listings_come_and_go(listings: Listings) -> None:
    """As often as it says; nothing is born with the record or ends with it."""
    calm = Assumptions().replaced({"preemptions_per_h": 0.0, "preemption_band": 1.0})
    market = simulated_market(listings, calm, 24.0 * 60, seed=3)
    known = market.intervals
    hours = (known.last_at - known.first_at).sum() / 3600
    goes_on = known.first_at[1:] == known.last_at[:-1]
    changes = np.sum(goes_on & (known.dph_base[1:] != known.dph_base[:-1]))
    assert changes / hours * 24 == pytest.approx(CHANGES_PER_DAY, rel=0.1)
    seen = lifetimes(known)
    assert seen.ends / hours == pytest.approx(calm.preemption_floor_per_h, rel=0.1)
    assert seen.number == known.born.sum()
    assert np.all(known.min_bid == 0.15)


def test_its_intervals_are_a_record(listings: Listings) -> None:
    """By listing and time, none of them empty or over another, up to the end."""
    market = simulated_market(listings, Assumptions(), 24.0 * 7, seed=1)
    known = market.intervals
    assert np.all(np.diff(market.keys) > 0)
    assert np.all(known.last_at > known.first_at)
    same = known.listing[1:] == known.listing[:-1]
    assert np.all(known.first_at[1:][same] >= known.last_at[:-1][same])
    assert market.stretches == ((0, 7 * 86_400),)
    assert known.last_at.max() == 7 * 86_400


def test_the_same_seed_makes_the_same_market(listings: Listings) -> None:
    """And another one another."""
    one, same, other = (
        simulated_market(listings, Assumptions(), 24.0, seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(one.intervals.min_bid, same.intervals.min_bid)
    assert not np.array_equal(one.keys, other.keys)


def test_an_unknown_least_bid_stays_unknown(ranked: Ranked, sure: dict[str, Any]) -> None:
    """Nobody can bid for it, whatever others do."""
    only = Listings.of(ranked({**sure, "min_bid": None}))
    market = simulated_market(only, Assumptions(), 24.0, seed=1)
    assert np.isnan(market.intervals.min_bid).all()
    assert np.isfinite(market.intervals.dph_base).all()
