"""Filters: a constraint that was not given drops nothing, one that was says why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.market.filters import (
    Filters,
    apply_filters,
    least_gpu_ram_mb,
    matching_records,
    offers_meeting,
    why_left_out,
)
from advisor.market.offers import parse_offers
from advisor.market.places import REGIONS, places_of
from advisor.market.where import parse_where

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
    (
        Filters(excluded_gpus=frozenset(["A40"])),
        {"gpu_name": "A40"},
        "gpu_excluded",
        "gpu_name",
    ),
    (Filters(min_host_ram_mb=48000), {"cpu_ram": 47999}, "host_ram", "host_ram"),
    (Filters(min_gpu_ram_mb=22000), {"gpu_ram": 16376}, "gpu_ram", "gpu_ram"),
    (
        Filters(datacenter=True),
        {"hosting_type": 0},
        "not_datacenter",
        "hosting_type",
    ),
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
    record["hosting_type"] = 1
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


@pytest.mark.parametrize(
    ("nominal_gb", "shown_mb"),
    [(24, 24564), (24, 23028), (48, 46068), (80, 81559), (16, 15356), (192, 183359)],
)
def test_a_gpu_counts_with_the_memory_that_it_is_sold_with(
    nominal_gb: float, shown_mb: float
) -> None:
    """RTX 4090, L4, L40S, H100, A16, B200 as the market shows them."""
    assert least_gpu_ram_mb(nominal_gb) <= shown_mb


@pytest.mark.parametrize(
    ("asked_gb", "shown_mb"), [(24, 22528), (12, 11264), (48, 40960), (16, 12288)]
)
def test_a_smaller_gpu_is_no_larger_one(asked_gb: float, shown_mb: float) -> None:
    """22 GB of a modified RTX 2080 Ti are not 24, nor 11 GB of a 1080 Ti 12."""
    assert least_gpu_ram_mb(asked_gb) > shown_mb


def test_conditions_and_constraints_leave_offers_out_together(
    record: dict[str, Any],
) -> None:
    """Each record matches or is counted once, and what is saved is what matched."""
    records = [
        record,
        record | {"id": 2, "cpu_ram": 8000},
        record | {"id": 3, "reliability": 0.5},
        record | {"id": 4, "cpu_ram": None},
        record | {"id": "none"},
        # Of one id the better scored record is the offer: this one is not it.
        record | {"score": 100.0, "dlperf": 96.0},
    ]
    asked = Filters(min_reliability=0.9, where=parse_where("cpu_ram>=48"))
    counted = {"malformed": 1, "duplicate": 1, "reliability": 1}
    counted |= {"where_cpu_ram": 1, "unknown_cpu_ram": 1}
    offers, keep, excluded = offers_meeting(iter(records), asked, 10.0)
    assert offers.offer_id[keep].tolist() == [101]
    assert excluded == counted
    matched, left_out = matching_records(records, asked, 10.0)
    assert [one["id"] for one in matched] == [101, 101]
    assert left_out == counted


def test_a_record_that_fails_is_not_saved_beside_its_better_half(
    record: dict[str, Any],
) -> None:
    """Of two records of one offer only the one that meets the conditions matches."""
    other = record | {"cpu_ram": 8000, "score": 1e6}
    asked = Filters(where=parse_where("cpu_ram>=48"))
    matched, left_out = matching_records([record, other], asked, 10.0)
    assert (matched, left_out) == ([record], {"where_cpu_ram": 1})


def test_every_reason_of_one_offer_is_named(record: dict[str, Any]) -> None:
    """Conditions with what the offer has, constraints as they are counted."""
    asked = Filters(
        min_reliability=1.0,
        verified=True,
        where=parse_where("cpu_ram>=96 external=false num_gpus=1"),
    )
    assert why_left_out(record, asked, 901.0) == [
        "cpu_ram>=96 (this offer has 64)",
        "external=False (it is not known of this offer)",
        "disk_too_small",
        "reliability",
    ]
    assert why_left_out(record, Filters(), 10.0) == []


def test_regions_and_countries_mix() -> None:
    """Region names in any case and countries in any case may be mixed."""
    found = places_of(("Oceania", "de"))
    assert found == (REGIONS["oceania"] | {"DE"}, frozenset())


def test_an_unknown_region_says_what_is_known() -> None:
    """A region that is none names those that are."""
    with pytest.raises(UsageError, match="europe"):
        places_of(("atlantis",))


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
