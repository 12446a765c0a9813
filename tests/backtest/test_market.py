"""A market over time: what is for rent, when a bid loses, and when it is back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.backtest.market import PlayedMarket
from advisor.ranking.ranking import Ranking

HOUR_S = 3600
Ranked = Callable[..., Ranking]
Priced = Callable[..., PlayedMarket]
RISES = [(0, 10, 0.5, 0.1), (10, 20, 0.4, 0.3), (20, 30, 0.4, 0.1), (40, 50, 0.4, 0.1)]


@pytest.fixture
def market(ranked: Ranked, priced: Priced, sure: dict[str, Any]) -> PlayedMarket:
    """Return one listing whose least bid rises for ten hours, and that goes for ten."""
    return priced(ranked(sure), RISES)


@pytest.mark.parametrize(
    ("hour", "usd", "bid"), [(0, 0.5, 0.1), (9.9, 0.5, 0.1), (10, 0.4, 0.3)]
)
def test_a_listing_has_the_prices_of_the_moment(
    market: PlayedMarket, hour: float, usd: float, bid: float
) -> None:
    """A new price holds from the moment at which it is seen."""
    positions, found = market.there(int(hour * HOUR_S))
    assert positions.tolist() == [0]
    assert found.terms.gpu_usd_per_h.tolist() == found.offers.dph_base.tolist() == [usd]
    assert found.offers.min_bid.tolist() == [bid]


@pytest.mark.parametrize("hour", [-1, 30, 35, 50, 99])
def test_what_is_not_seen_is_not_for_rent(market: PlayedMarket, hour: float) -> None:
    """Before it came, while it is away, and after it has gone."""
    positions, found = market.there(int(hour * HOUR_S))
    assert len(positions) == len(found) == 0


@pytest.mark.parametrize(
    ("bid", "since", "lost", "back"),
    [
        (0.1, 0, 10, 20),
        (0.29, 5, 10, 20),
        (0.3, 0, 30, 40),
        (0.3, 40, 50, np.inf),
        (0.1, 12, 12, 20),
        (0.05, 0, 0, np.inf),
        (9.9, 35, 35, 40),
    ],
)
def test_a_bid_loses_when_it_is_outbid_or_the_listing_goes(
    market: PlayedMarket, bid: float, since: float, lost: float, back: float
) -> None:
    """It runs again as soon as the least bid is not above it, and the listing there."""
    assert market.lost_at(0, bid, since * HOUR_S) == lost * HOUR_S
    assert market.back_at(0, bid, lost * HOUR_S) == back * HOUR_S


HEIGHTS = st.lists(st.floats(0.01, 2.0), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def of_heights(
    ranked: Ranked, priced: Priced, sure: dict[str, Any]
) -> Callable[[list[float]], PlayedMarket]:
    """Return the function that makes a market of one listing, its bid new each hour."""
    ranking = ranked(sure)

    def market_of(heights: list[float]) -> PlayedMarket:
        series = [(at, at + 1, 0.5, bid) for at, bid in enumerate(heights)]
        return priced(ranking, series)

    return market_of


@given(heights=HEIGHTS, since=st.floats(0.0, 0.99))
def test_a_bid_above_every_price_is_never_interrupted(
    of_heights: Callable[[list[float]], PlayedMarket], heights: list[float], since: float
) -> None:
    """As long as the listing is there."""
    lost = of_heights(heights).lost_at(
        0, max(heights), int(since * len(heights) * HOUR_S)
    )
    assert lost == len(heights) * HOUR_S


@given(heights=HEIGHTS, bids=st.tuples(st.floats(0.01, 2.0), st.floats(0.01, 2.0)))
def test_a_higher_bid_is_lost_no_sooner_and_back_no_later(
    of_heights: Callable[[list[float]], PlayedMarket],
    heights: list[float],
    bids: tuple[float, float],
) -> None:
    """Whatever others bid."""
    market, (low, high) = of_heights(heights), sorted(bids)
    assert market.lost_at(0, low, 0) <= market.lost_at(0, high, 0)
    assert market.back_at(0, high, 0) <= market.back_at(0, low, 0)
