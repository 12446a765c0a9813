"""Places in people's words: codes, names, states, and what markets write."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.base.errors import UsageError
from advisor.market.filters import Filters, apply_filters
from advisor.market.offers import parse_offers
from advisor.market.places import REGIONS, State, places_of

TEXAS, OHIO = State("US", "texas"), State("US", "ohio")


@pytest.mark.parametrize(
    ("word", "countries", "states"),
    [
        ("DE", {"DE"}, set()),
        ("germany", {"DE"}, set()),
        ("The Netherlands", {"NL"}, set()),
        ("Türkiye", {"TR"}, set()),
        ("turkey", {"TR"}, set()),
        ("South Korea", {"KR"}, set()),
        ("usa", {"US"}, set()),
        ("United Kingdom", {"GB", "UK"}, set()),
        ("UK", {"GB", "UK"}, set()),
        ("North America", {"CA", "MX", "US"}, set()),
        ("CA", {"CA"}, set()),
        ("Texas", set(), {TEXAS}),
        ("us-tx", set(), {TEXAS}),
        ("Texas, US", set(), {TEXAS}),
        ("Ohio, US, NA", set(), {OHIO}),
        ("Quebec, CA", set(), {State("CA", "quebec")}),
        ("Sweden, Texas, Ohio", {"SE"}, {TEXAS, OHIO}),
        ("NA", {"NA"}, set()),
    ],
)
def test_a_place_as_people_write_it(
    word: str, countries: set[str], states: set[State]
) -> None:
    """Names in any case, accents or none, lists, and the market's own spelling."""
    assert places_of([word]) == (countries, states)


def test_the_european_union_is_part_of_europe() -> None:
    """27 countries, all of them in Europe."""
    union, _ = places_of(["EU"])
    assert len(union) == 27
    assert union < REGIONS["europe"]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("Georgia", "GE or US-GA"),
        ("Germny", "Germany"),
        ("atlantis", "europe"),
        ("XX", "europe"),
    ],
)
def test_what_is_no_place_is_refused(word: str, hint: str) -> None:
    """The error says what a slip may mean; of two meanings none is chosen."""
    with pytest.raises(UsageError, match=hint):
        places_of([word])


@pytest.mark.parametrize(
    ("geolocation", "stays"),
    [
        ("Texas, US", True),
        ("Dallas, Texas, US, NA", True),
        ("Sweden, SE", True),
        ("Ohio, US", False),
        (", US", False),
        ("Texas", False),
        ("Texas, DE", False),
    ],
)
def test_offers_in_a_state_or_a_country(
    record: dict[str, Any], geolocation: str, stays: bool
) -> None:
    """Either will do; what only says that it is in the country is not in the state."""
    countries, states = places_of(["Texas", "SE"])
    filters = Filters(countries=countries, states=states)
    offers, _ = parse_offers([record | {"geolocation": geolocation}])
    keep, _ = apply_filters(offers, filters, 1.0)
    assert keep.tolist() == [stays]
