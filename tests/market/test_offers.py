"""Offers: what a market's JSON becomes, and what is unknown stays unknown."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.market.columns import CHUNK
from advisor.market.offers import Offers, parse_machine, parse_offers
from advisor.market.values import UNKNOWN_ID

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
SEARCHED_DISK_GB = 5.0
"""What the searches behind the real files asked for."""
FIELDS = [
    "id",
    "machine_id",
    "gpu_ids",
    "gpu_name",
    "num_gpus",
    "gpu_frac",
    "gpu_ram",
    "cpu_name",
    "cpu_cores",
    "cpu_cores_effective",
    "cpu_ghz",
    "dph_base",
    "dph_total",
    "storage_cost",
    "reliability",
    "score",
    "geolocation",
    "verification",
    "verified",
    "rentable",
]


def parse_one(record: dict[str, Any]) -> Offers:
    offers, excluded = parse_offers([record])
    assert not excluded
    return offers


def test_fields_keep_the_markets_units(record: dict[str, Any]) -> None:
    """Each figure lands in the column that names its unit."""
    offers = parse_one(record)
    assert offers.offer_id[0] == 101
    assert offers.machine_id[0] == 7
    assert offers.gpu_ids == ((11,),)
    assert offers.gpu_ram_mb[0] == 24564
    assert offers.cpu_threads[0] == 16
    assert offers.inet_down_mbit_s[0] == 800
    assert offers.storage_usd_per_gb_month[0] == 0.2
    assert offers.country[0] == "SE"


@pytest.mark.parametrize("value", [None, "", "many", [], {}, True, math.nan, math.inf])
@pytest.mark.parametrize("field", ["cpu_ghz", "pcie_bw", "reliability", "duration"])
def test_what_is_no_number_is_unknown(
    record: dict[str, Any], field: str, value: object
) -> None:
    """A null, a word, NaN, Infinity or a wrong type is unknown, not zero."""
    offers = parse_one(record | {field: value})
    column = {"pcie_bw": "pcie_gb_s", "duration": "duration_s"}.get(field, field)
    assert math.isnan(getattr(offers, column)[0])


def test_a_null_cpu_is_unknown_everywhere(record: dict[str, Any]) -> None:
    """A host with a null CPU reports 0.0 threads: that is unknown, not none."""
    nothing = {"cpu_name": None, "cpu_cores": None, "cpu_ghz": None}
    offers = parse_one(record | nothing | {"cpu_cores_effective": 0.0})
    assert offers.cpu_name[0] == ""
    assert math.isnan(offers.cpu_threads[0])


def test_threads_follow_from_the_machine_and_the_share(record: dict[str, Any]) -> None:
    """Without `cpu_cores_effective` the slice of the machine's threads counts."""
    del record["cpu_cores_effective"]
    assert parse_one(record).cpu_threads[0] == 32 * 0.5


def test_numbers_sent_as_texts_count(record: dict[str, Any]) -> None:
    """Some clients send numbers as strings."""
    offers = parse_one(record | {"id": "101", "dph_base": "0.30", "num_gpus": "2"})
    assert (offers.offer_id[0], offers.dph_base[0], offers.num_gpus[0]) == (101, 0.3, 2)


def test_clocks_in_mhz_become_ghz(record: dict[str, Any]) -> None:
    """A clock of 2,300 is in MHz."""
    assert parse_one(record | {"cpu_ghz": 2300.0}).cpu_ghz[0] == pytest.approx(2.3)


def test_memory_in_gb_becomes_mb(record: dict[str, Any]) -> None:
    """A GPU memory of 24 is in GB."""
    assert parse_one(record | {"gpu_ram": 24}).gpu_ram_mb[0] == 24 * 1024


def test_memory_of_all_gpus_is_shared_out(record: dict[str, Any]) -> None:
    """Where only the total is known, each GPU has its part."""
    del record["gpu_ram"]
    offers = parse_one(record | {"gpu_total_ram": 49128, "num_gpus": 2})
    assert offers.gpu_ram_mb[0] == 24564


def test_reliability_in_per_cent_becomes_a_share(record: dict[str, Any]) -> None:
    """98.5 is 98.5 per cent; 985 is nonsense."""
    assert parse_one(record | {"reliability": 98.5}).reliability[0] == 0.985
    assert math.isnan(parse_one(record | {"reliability": 985}).reliability[0])


def test_names_in_capitals_are_read(record: dict[str, Any]) -> None:
    """A tool that capitalizes the market's names loses nothing."""
    shouted = {key.upper(): value for key, value in record.items()}
    assert parse_one(shouted).dph_base[0] == 0.30


def test_the_older_verified_field_counts(record: dict[str, Any]) -> None:
    """`verified: true` says what `verification: "verified"` says."""
    del record["verification"]
    assert parse_one(record | {"verified": True}).verification[0] == "verified"
    assert parse_one(record).verification[0] == ""


def test_control_characters_do_not_reach_a_terminal(record: dict[str, Any]) -> None:
    """A host that names its CPU with an escape sequence cannot move our cursor."""
    offers = parse_one(record | {"cpu_name": "EPYC\x1b[2J\n 7702 "})
    assert offers.cpu_name[0] == "EPYC[2J 7702"


@pytest.mark.parametrize(
    ("geolocation", "country"),
    [
        ("Türkiye, TR", "TR"),
        ("Quebec, Canada, ca", "CA"),
        ("US", "US"),
        ("", ""),
        (None, ""),
        ("Somewhere", ""),
        (", ", ""),
        ("Ohio, US, NA", "US"),
        ("ohio,us,na", "US"),
        ("Windhoek, NA", "NA"),
        ("Windhoek, NA, AF", "NA"),
        ("Frankfurt, Germany, DE, EU", "DE"),
        ("Sydney, AU, OC,", "AU"),
        ("Somewhere, EU", ""),
        ("Straße, ßß", ""),
    ],
)
def test_geolocation_ends_in_a_country(
    record: dict[str, Any], geolocation: str | None, country: str
) -> None:
    """The country is the two letters at the end; a continent may stand behind it."""
    assert parse_one(record | {"geolocation": geolocation}).country[0] == country


def test_the_better_scored_duplicate_stays(record: dict[str, Any]) -> None:
    """Of records with one id the one with the higher score stays, and it counts."""
    twice = [record | {"score": 1.0}, record | {"score": 2.0, "dph_base": 9.0}]
    for records in (twice, twice[::-1]):
        offers, excluded = parse_offers(records)
        assert offers.dph_base.tolist() == [9.0]
        assert excluded == {"duplicate": 1}


def test_a_duplicate_far_away_is_one(record: dict[str, Any]) -> None:
    """Of records read apart the better scored stays, in the first one's place."""
    others = [record | {"id": at} for at in range(1000, 3 * CHUNK + 1000)]
    first, better = record | {"score": 1.0}, record | {"score": 3.0, "dph_base": 9.0}
    worse = record | {"score": 2.0, "dph_base": 8.0}
    offers, excluded = parse_offers([first, *others, better, worse])
    assert excluded == {"duplicate": 2}
    assert len(offers) == len(others) + 1
    assert (offers.offer_id[0], offers.dph_base[0]) == (101, 9.0)


def test_a_stream_of_records_is_read_once(record: dict[str, Any]) -> None:
    """Records may come from anywhere, one by one; they are not asked for twice."""
    many = 2 * CHUNK + 3
    offers, excluded = parse_offers(record | {"id": at} for at in range(many))
    assert offers.offer_id.tolist() == list(range(many))
    assert not excluded


@settings(max_examples=30)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES, max_size=4), max_size=6
    ),
    st.sampled_from([0, 5, CHUNK - 3, CHUNK]),
)
def test_an_odd_value_changes_no_other_record(
    plain_record: Mapping[str, Any], odd: list[dict[str, Any]], at: int
) -> None:
    """A column with one odd value says of all other records what it says without it."""
    plain = [dict(plain_record) | {"id": 10**6 + i} for i in range(at + 1)]
    alone, _ = parse_offers(plain)
    mixed, _ = parse_offers([*plain, *odd])
    chosen = mixed.take(np.isin(mixed.offer_id, alone.offer_id))
    for one in fields(Offers):
        here, there = getattr(chosen, one.name), getattr(alone, one.name)
        assert repr(list(here)) == repr(list(there))


@pytest.mark.parametrize(
    ("change", "per_gb"),
    [
        ({"inet_down_cost": None}, 0.04),
        ({"inet_down_cost": 0.0}, 0.0),
        ({"inet_down_cost": 0.001}, 0.001),
        ({"inet_down_cost": None, "internet_down_cost_per_tb": 0.0}, 0.0),
    ],
)
def test_traffic_by_the_tb_counts_where_no_other_price_is(
    record: dict[str, Any], change: dict[str, Any], per_gb: float
) -> None:
    """$40 a TB is 0.04 $/GB; free traffic is free; a price per GB goes first."""
    by_the_tb = {"internet_down_cost_per_tb": 40.0, "internet_up_cost_per_tb": 40.0}
    offers = parse_one(record | by_the_tb | change)
    assert offers.inet_down_usd_per_gb[0] == pytest.approx(per_gb)
    assert offers.inet_up_usd_per_gb[0] == record["inet_up_cost"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dph_total": None, "dph_base": None}, "no_price"),
        ({"dph_total": 0.0, "dph_base": -1.0}, "no_price"),
        ({"dph_total": None, "storage_cost": None}, "no_price"),
        ({"dph_total": -1}, "no_price"),
        ({"dph_total": 0}, "no_price"),
        ({"dph_total": math.inf}, "no_price"),
        ({"dph_total": True}, "no_price"),
        ({"dph_total": "dear"}, "no_price"),
        ({"dph_total": "Infinity"}, "no_price"),
        ({"dph_total": "1_0"}, "no_price"),
        ({"dph_total": [0.67]}, "no_price"),
        ({"dph_total": 1e6}, "no_price"),
        ({"num_gpus": 0}, "unknown_num_gpus"),
        ({"id": None}, "malformed"),
        ({"id": -4}, "malformed"),
        ({"id": 10**30}, "malformed"),
        ({"id": 1.5}, "malformed"),
    ],
)
def test_what_cannot_be_an_offer_is_counted(
    record: dict[str, Any], change: dict[str, Any], reason: str
) -> None:
    """No price, no GPU or no id: left out, with the reason."""
    offers, excluded = parse_offers([record | change])
    assert len(offers) == 0
    assert excluded == {reason: 1}


@pytest.mark.parametrize("silent", [None, math.nan, ""])
def test_a_price_that_is_not_listed_follows_from_its_parts(
    record: dict[str, Any], silent: Any
) -> None:
    """What says nothing contradicts nothing."""
    price = parse_one(record | {"dph_total": silent}).usd_per_hour(100.0)
    assert price[0] == pytest.approx(0.30 + 20 / 720)


@pytest.mark.parametrize("odd", [-1, math.inf, True, "dear", 1e300])
@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("dph_base", "dph_base"),
        ("storage_cost", "storage_usd_per_gb_month"),
        ("inet_down_cost", "inet_down_usd_per_gb"),
        ("inet_up_cost", "inet_up_usd_per_gb"),
        ("min_bid", "min_bid"),
    ],
)
def test_what_is_no_price_multiplies_nothing(
    record: dict[str, Any], field: str, column: str, odd: Any
) -> None:
    """It is unknown: nothing is taken for it but what is stated as an assumption."""
    assert math.isnan(getattr(parse_one(record | {field: odd}), column)[0])


def test_what_is_no_object_is_counted() -> None:
    """A market that mixes nulls and texts into its list loses only those."""
    offers, excluded = parse_offers([None, "offer", 3, [1]])
    assert len(offers) == 0
    assert excluded == {"malformed": 4}


def test_the_price_is_for_the_disk_asked_for(record: dict[str, Any]) -> None:
    """$/h = dph_base + storage_cost x GB / 720, worked by hand for 100 GB."""
    price = parse_one(record).usd_per_hour(100.0)
    assert price[0] == pytest.approx(0.30 + 20 / 720)


@pytest.mark.parametrize(
    ("duration", "left"), [(-3600, 0.0), (-0.5, 0.0), (0, 0.0), (60, 60.0)]
)
def test_an_offer_that_has_ended_has_no_time_left(
    record: dict[str, Any], duration: float, left: float
) -> None:
    """It does not stand for ever, as one does of which nobody says when it ends."""
    assert parse_one(record | {"duration": duration}).duration_s[0] == left
    assert math.isnan(parse_one(record | {"duration": None}).duration_s[0])


@pytest.mark.parametrize("field", ["dph_base", "storage_cost"])
def test_a_price_that_cannot_be_taken_apart_stands(
    record: dict[str, Any], field: str
) -> None:
    """Without `dph_base` or the disk's price, `dph_total` stands."""
    price = parse_one(record | {field: None}).usd_per_hour(100.0)
    assert price[0] == record["dph_total"]


def test_take_keeps_every_column_in_step(record: dict[str, Any]) -> None:
    """Selecting offers selects the same ones in all columns."""
    records = [record | {"id": i, "gpu_ids": [i], "cpu_ghz": i + 1} for i in range(4)]
    offers, _ = parse_offers(records)
    some = offers.take(np.array([3, 1]))
    assert some.offer_id.tolist() == [3, 1]
    assert some.gpu_ids == ((3,), (1,))
    assert some.cpu_ghz.tolist() == [4.0, 2.0]


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES) | JSON_VALUES))
def test_no_json_is_lost_or_fatal(records: list[Any]) -> None:
    """Whatever JSON comes, each record is an offer or counted, and none twice."""
    offers, excluded = parse_offers(records)
    assert len(offers) + sum(excluded.values()) == len(records)
    assert len(set(offers.offer_id.tolist())) == len(offers)
    assert np.all(offers.num_gpus >= 1)
    assert UNKNOWN_ID not in offers.offer_id


def test_every_real_file_loads(real_data: Path) -> None:
    """All offers of the real files are read, the 18-field ones too."""
    for path in sorted((real_data / "offers").glob("*.json")):
        records = json.loads(path.read_text())["offers"]
        offers, excluded = parse_offers(records)
        assert len(offers) == len(records), path.name
        assert not excluded, path.name


def test_real_prices_hold_the_markets_identity(real_data: Path) -> None:
    """`dph_total` of each real offer follows from its parts for the usual disk."""
    checked = 0
    for path in sorted((real_data / "offers").glob("*.json")):
        offers, _ = parse_offers(json.loads(path.read_text())["offers"])
        price = offers.usd_per_hour(SEARCHED_DISK_GB)
        parts = offers.dph_base + offers.storage_usd_per_gb_month
        known = np.isfinite(parts) & ~np.isnan(offers.dph_total)
        assert price[known] == pytest.approx(offers.dph_total[known], abs=1e-12)
        checked += int(np.sum(known))
    assert checked == 49


def test_a_machine_needs_neither_id_nor_price(record: dict[str, Any]) -> None:
    """What nobody offers is read as an offer is, without an id and without a price."""
    asked = {"id", "dph_base", "dph_total", "storage_cost", "min_bid"}
    machine = parse_machine({k: v for k, v in record.items() if k not in asked})
    assert machine.gpu_name.tolist() == [record["gpu_name"]]
    assert machine.cpu_threads.tolist() == [record["cpu_cores_effective"]]
    assert machine.offer_id.tolist() == [UNKNOWN_ID]
    assert np.isnan(machine.usd_per_hour(10.0)).all()


@pytest.mark.parametrize(
    ("change", "price", "contradictory"),
    [
        ({"dph_base": 0.30, "dph_total": 0.03}, 0.30, True),
        ({"dph_base": 0.03, "dph_total": 3.0}, 3.0, True),  # of a disk of 10 TB
        ({"dph_base": 0.30, "dph_total": 0.50}, 0.30, False),  # of a disk of 720 GB
        ({"dph_base": 0.30, "dph_total": 0.30}, 0.30, False),
        ({"dph_base": 1e-6, "dph_total": 0.30}, math.nan, False),
        ({"dph_base": 5e4, "dph_total": 0.30}, math.nan, False),
        ({"dph_base": 0.3, "dph_total": 9.0, "storage_cost": 0.0}, 0.3, False),
    ],
)
def test_prices_that_contradict(
    record: dict[str, Any], change: dict[str, Any], price: float, contradictory: bool
) -> None:
    """The higher of two counts, and what no machine costs is no price."""
    offers, excluded = parse_offers([record | change])
    assert not excluded
    assert offers.dph_base[0] == pytest.approx(price, nan_ok=True)
    assert bool(offers.price_contradictory[0]) is contradictory


@pytest.mark.parametrize("number", [10**9, -1, 1.5, math.nan, 0])
def test_a_number_of_gpus_that_cannot_be(record: dict[str, Any], number: float) -> None:
    """Such a record is no offer, and is counted."""
    _, excluded = parse_offers([record | {"num_gpus": number}])
    assert excluded == {"unknown_num_gpus": 1}
