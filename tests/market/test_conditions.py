"""Conditions on records: the market's meaning, what is unknown, and prices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.market.conditions import predicate_of, sifted, unmet
from advisor.market.offers import parse_offers
from advisor.market.types import Condition
from advisor.market.where import parse_where

DISK_GB = 10.0


def sift(
    records: list[Any], conditions: Sequence[Condition], disk_gb: float
) -> tuple[list[Any], Counter[str]]:
    left_out: Counter[str] = Counter()
    return list(sifted(records, conditions, disk_gb, left_out)), left_out


def outcome(record: Any, text: str, disk_gb: float = DISK_GB) -> dict[str, int]:
    matched, left_out = sift([record], parse_where(text), disk_gb)
    assert matched == ([] if left_out else [record])
    return dict(left_out)


@pytest.mark.parametrize(
    ("text", "change", "reason"),
    [
        ("cpu_ram>=64", {"cpu_ram": 63999}, "cpu_ram"),
        ("gpu_ram>=24", {"gpu_ram": 23034}, "gpu_ram"),
        ("duration>=10", {"duration": 863_999.0}, "duration"),
        ("gpu_name!=RTX_3060", {"gpu_name": "RTX 3060"}, "gpu_name"),
        ("gpu_name in [RTX_4090,A40]", {"gpu_name": "L4"}, "gpu_name"),
        ("geolocation notin [CN,VN]", {"geolocation": "Hanoi, VN"}, "geolocation"),
        ("verified=true", {"verification": "unverified"}, "verified"),
        ("verification!=deverified", {"verification": "deverified"}, "verification"),
        ("datacenter=false", {"hosting_type": 1}, "datacenter"),
        ("rentable=true rented=false", {"rented": True}, "rented"),
        ("num_gpus<=1", {"num_gpus": 2}, "num_gpus"),
        ("dph<0.31", {"dph_base": 0.32}, "dph_total"),
        ("disk_bw>=2000 disk_space>100", {"disk_bw": 1999.0}, "disk_bw"),
        ("gpu_lanes>=8", {"gpu_lanes": 4}, "gpu_lanes"),
        ("cpu_name!=Intel_Pentium_G4400", {"cpu_name": "Intel Pentium  G4400 "}, None),
    ],
)
def test_what_meets_a_condition_stays_and_what_breaks_it_is_counted(
    record: dict[str, Any], text: str, change: dict[str, Any], reason: str | None
) -> None:
    """Under the field that breaks it."""
    assert outcome(record, text) == {}
    expected = {f"where_{reason or next(iter(change))}": 1}
    assert outcome(record | change, text) == expected


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "", "much", [1], {}])
@pytest.mark.parametrize(
    "text", ["cpu_ghz>=1", "cpu_ghz<1", "cpu_ghz!=1", "cpu_ghz=None"]
)
def test_what_is_not_known_meets_no_comparison(
    record: dict[str, Any], value: Any, text: str
) -> None:
    """It leaves under a reason of its own, unless it is what is asked for."""
    expected = {} if text.endswith("None") else {"unknown_cpu_ghz": 1}
    assert outcome(record | {"cpu_ghz": value}, text) == expected
    without = {name: value for name, value in record.items() if name != "cpu_ghz"}
    assert outcome(without, text) == expected


def test_what_is_known_can_be_asked_for(record: dict[str, Any]) -> None:
    """Not null; null among others."""
    assert outcome(record, "cpu_ghz!=None") == {}
    assert outcome(record | {"cpu_ghz": None}, "cpu_ghz!=None") == {"unknown_cpu_ghz": 1}
    assert outcome(record | {"cpu_ghz": None}, "cpu_ghz in [3,None]") == {}
    assert outcome(record, "cpu_ghz in [3,None]") == {}
    assert outcome(record, "cpu_ghz=None") == {"where_cpu_ghz": 1}


def test_a_flag_that_the_market_leaves_null_is_not_set(record: dict[str, Any]) -> None:
    """One that is not there at all is not known."""
    assert outcome(record | {"external": None}, "external=false") == {}
    assert outcome(record | {"external": None}, "external=true") == {"where_external": 1}
    assert outcome(record, "external=false") == {"unknown_external": 1}
    assert outcome(record | {"has_avx": 1}, "has_avx=true") == {}


def test_old_and_other_names_of_one_field_are_read(record: dict[str, Any]) -> None:
    """As the offers are, so that a constraint and a condition agree."""
    bare = {"id": 1, "num_gpus": 1}
    assert outcome(bare | {"reliability2": 0.99}, "reliability>0.98") == {}
    assert outcome(bare | {"dph": 0.4}, "dph<0.5") == {}
    assert outcome(bare | {"verified": True}, "verification=verified verified=true") == {}
    assert outcome(bare | {"os_version": "22.04"}, "ubuntu_version>=20.04") == {}
    assert outcome(bare | {"driver_vers": 535086005}, "driver_version>=535") == {}
    assert outcome({"ask_contract_id": 7}, "id=7") == {}
    capitals = {name.upper(): value for name, value in record.items()}
    assert outcome(capitals, "cpu_ram>=48 geolocation=SE") == {}


def test_units_that_others_use_are_brought_to_the_markets(record: dict[str, Any]) -> None:
    """As the offers' are: memory in GB, reliability in per cent, a clock in MHz."""
    others = {"gpu_ram": "24", "reliability": 99.0, "cpu_ghz": 3000.0}
    assert outcome(record | others, "gpu_ram=24.576 reliability=0.99 cpu_ghz=3") == {}
    (offer,) = (parse_offers([record | others])[0],)
    assert offer.gpu_ram_mb[0] == 24576
    assert outcome(record | {"reliability": 101}, "reliability>0") == {
        "unknown_reliability": 1
    }


def test_versions_are_compared_part_by_part(record: dict[str, Any]) -> None:
    """535.129 is newer than 535.54.03, whatever the text says."""
    new = record | {"driver_version": "535.129.03"}
    assert outcome(new, "driver_version>535.54.03 driver_version<=535.129.3") == {}
    odd = record | {"driver_version": "unknown", "driver_vers": None}
    assert outcome(odd, "driver_version>1.0") == {"unknown_driver_version": 1}


def test_a_price_has_the_disk_that_is_asked_for(record: dict[str, Any]) -> None:
    """$0.30 + 0.2 x 360 / 720 = $0.40, whatever disk the record was searched with."""
    assert outcome(record, "dph<0.31", disk_gb=10.0) == {}
    assert outcome(record, "dph<0.39", disk_gb=360.0) == {"where_dph_total": 1}
    scored = record | {"dlperf_per_dphtotal": 97.0 / record["dph_total"]}
    assert outcome(scored, "dlperf_usd>300", disk_gb=10.0) == {}
    assert outcome(scored, "dlperf_usd>=242.6", disk_gb=360.0) == {
        "where_dlperf_per_dphtotal": 1
    }
    bare = {"id": 1, "dph_total": 0.3}
    assert outcome(bare, "dph<0.31", disk_gb=360.0) == {}


def test_the_bound_of_a_price_is_the_markets_own_to_the_last_digit(
    record: dict[str, Any],
) -> None:
    """What is added up anew may differ in its last digit: the price stands as it came."""
    listed = record["dph_total"] * (1 + 1e-15)
    text = f"dph<={listed!r}"
    assert outcome(record | {"dph_total": listed}, text) == {}


def test_what_is_no_record_is_for_others_to_say() -> None:
    """It stays, and is counted as malformed."""
    matched, left_out = sift([None, 3, "offer"], parse_where("num_gpus=1"), DISK_GB)
    assert (matched, left_out) == ([None, 3, "offer"], {})


def test_every_condition_that_fails_is_named(record: dict[str, Any]) -> None:
    """With what the offer has."""
    found = unmet(record, parse_where("cpu_ram>=96 num_gpus=1 external=true"), DISK_GB)
    assert [(one.field, value) for one, value in found] == [
        ("cpu_ram", 64000),
        ("external", None),
    ]


OPERATORS = ("eq", "neq", "gt", "gte", "lt", "lte")
KNOWN = st.integers(-5, 5) | st.floats(-5, 5)


@given(KNOWN | st.none(), KNOWN, KNOWN)
def test_operators_agree_with_one_another(found: Any, one: float, other: float) -> None:
    """Each is the other's opposite on what is known, and none holds of the unknown."""
    meets = {word: predicate_of(word, one)(found) for word in OPERATORS}
    among = predicate_of("in", (one, other))(found)
    none_of = predicate_of("notin", (one, other))(found)
    if found is None:
        assert not any((*meets.values(), among, none_of))
        return
    assert meets["eq"] is not meets["neq"]
    assert meets["gt"] is not meets["lte"]
    assert meets["lt"] is not meets["gte"]
    assert meets["gte"] is (meets["gt"] or meets["eq"])
    assert among is not none_of
    assert among is (meets["eq"] or predicate_of("eq", other)(found))


@given(st.lists(st.none() | st.floats(0, 100), max_size=6), st.floats(0, 100))
def test_every_record_is_kept_or_counted_once(
    clocks: list[float | None], least: float
) -> None:
    """And nothing passes a stricter condition that fails a looser one."""
    records = [{"id": at, "cpu_ghz": clock} for at, clock in enumerate(clocks)]
    loose = (Condition("cpu_ghz", "gte", least),)
    matched, left_out = sift(records, loose, DISK_GB)
    strict, _ = sift(records, (*loose, Condition("cpu_ghz", "gt", least)), DISK_GB)
    assert len(matched) + left_out.total() == len(records)
    assert all(record in matched for record in strict)
