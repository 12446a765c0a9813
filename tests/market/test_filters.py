"""Filters: a constraint that was not given drops nothing, one that was says why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.errors import UsageError
from advisor.market.filters import REGIONS, Filters, apply_filters, countries_of
from advisor.market.offers import parse_offers

CONSTRAINTS: list[tuple[Filters, dict[str, Any], str, str]] = [
    # the constraint, what breaks it, the reason, the reason where it is unknown
    (Filters(gpu_names=frozenset(["RTX 4090"])), {"gpu_name": "A100"}, "gpu", "gpu_name"),
    (Filters(min_reliability=0.98), {"reliability": 0.9}, "reliability", "reliability"),
    (Filters(verified=True), {"verification": "no"}, "not_verified", "verification"),
    (
        Filters(countries=frozenset(["SE"])),
        {"geolocation": "US"},
        "region",
        "geolocation",
    ),
    (Filters(min_duration_s=3600), {"duration": 60.0}, "duration", "duration"),
]


def outcome(record: dict[str, Any], filters: Filters, disk_gb: float = 10.0) -> dict:
    offers, _ = parse_offers([record])
    keep, excluded = apply_filters(offers, filters, disk_gb)
    assert keep.tolist() == [not excluded]
    return dict(excluded)


@pytest.mark.parametrize(("filters", "broken", "reason", "field"), CONSTRAINTS)
def test_a_constraint_keeps_drops_and_names_the_unknown(
    record: dict[str, Any],
    filters: Filters,
    broken: dict[str, Any],
    reason: str,
    field: str,
) -> None:
    """What meets the constraint stays, what breaks it or is unknown says which."""
    assert outcome(record, filters) == {}
    assert outcome(record | broken, filters) == {reason: 1}
    unknown = dict.fromkeys(broken)
    assert outcome(record | unknown, filters) == {f"unknown_{field}": 1}


def test_nothing_given_drops_nothing_that_is_unknown(record: dict[str, Any]) -> None:
    """An offer of which little is known stays when no constraint was given."""
    bare = {key: record[key] for key in ("id", "num_gpus", "dph_total")}
    assert outcome(bare, Filters()) == {}


def test_there_is_no_reliability_floor(record: dict[str, Any]) -> None:
    """A machine with a reliability of zero stays unless a floor was given."""
    assert outcome(record | {"reliability": 0.0}, Filters()) == {}


def test_the_number_of_gpus(record: dict[str, Any]) -> None:
    """Any of the numbers given will do."""
    assert outcome(record, Filters(num_gpus=frozenset([1, 2]))) == {}
    assert outcome(record, Filters(num_gpus=frozenset([2]))) == {"num_gpus": 1}


def test_the_price_limit_is_for_the_jobs_disk(record: dict[str, Any]) -> None:
    """$0.30 + 0.2 x 360 / 720 = $0.40 an hour: over a limit of 0.39 only then."""
    limit = Filters(max_usd_per_hour=0.39)
    assert outcome(record, limit, disk_gb=10.0) == {}
    assert outcome(record, limit, disk_gb=360.0) == {"price": 1}


@pytest.mark.parametrize("change", [{"rentable": False}, {"rented": True}])
def test_what_cannot_be_rented_leaves(
    record: dict[str, Any], change: dict[str, Any]
) -> None:
    """An offer that the market calls not rentable, or rented, leaves."""
    assert outcome(record | change, Filters()) == {"not_rentable": 1}


def test_a_disk_known_to_be_too_small_leaves(record: dict[str, Any]) -> None:
    """A disk that cannot hold the job leaves; an unknown one stays."""
    assert outcome(record, Filters(), disk_gb=901.0) == {"disk_too_small": 1}
    assert outcome(record | {"disk_space": None}, Filters(), disk_gb=901.0) == {}


def test_an_offer_counts_under_its_first_reason_only(record: dict[str, Any]) -> None:
    """The reasons add up to the offers left out."""
    filters = Filters(num_gpus=frozenset([8]), min_reliability=1.0)
    assert outcome(record, filters) == {"num_gpus": 1}


def test_regions_and_countries_mix() -> None:
    """Region names in any case and countries in any case may be mixed."""
    assert countries_of(("Oceania", "de")) == REGIONS["oceania"] | {"DE"}


def test_an_unknown_region_says_what_is_known() -> None:
    """A region that is none names those that are."""
    with pytest.raises(UsageError, match="europe"):
        countries_of(("atlantis",))


def test_no_country_is_in_two_regions() -> None:
    """Each country belongs to one region, so that regions partition the offers."""
    countries = [country for region in REGIONS.values() for country in region]
    assert len(countries) == len(set(countries))


@given(
    st.floats(0, 1),
    st.floats(0, 1),
    st.lists(st.floats(0, 1) | st.none(), min_size=1, max_size=8),
)
def test_a_stricter_floor_never_lets_more_through(
    one: float, other: float, reliabilities: list[float | None]
) -> None:
    """What passes the higher of two floors passes the lower one too."""
    records = [
        {"id": i, "num_gpus": 1, "dph_total": 1.0, "reliability": r}
        for i, r in enumerate(reliabilities)
    ]
    offers, _ = parse_offers(records)
    loose, _ = apply_filters(offers, Filters(min_reliability=min(one, other)), 1.0)
    strict, _ = apply_filters(offers, Filters(min_reliability=max(one, other)), 1.0)
    assert not (strict & ~loose).any()
