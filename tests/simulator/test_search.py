"""The query language against a plain evaluation, and the ways to ask."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.simulator.clock import SimClock
from advisor.simulator.offer_cache import priced_offer, with_bills
from advisor.simulator.query import InvalidQueryError, parse_search
from advisor.simulator.world import World

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "simulator_load.py"
# Its dataclass looks its module up by name.
sys.modules.setdefault("simulator_load", ModuleType("simulator_load"))
PLAIN = runpy.run_path(str(SCRIPT), run_name="simulator_load")
WORLD = World(400, 3, SimClock.manual(1_795_262_400.0), calm=True)
OFFERS = [record for _, record in WORLD.fleet.offers(WORLD.now)]

NUMBERS = ["num_gpus", "dph_total", "cpu_ghz", "duration", "cpu_cores", "gpu_ram"]
TEXTS = ["gpu_name", "cpu_name"]


def values(name: str) -> list[Any]:
    """Return some values that a field has, the rare ones included."""
    shown = (priced_offer(offer, "on-demand", 5, WORLD.now)[name] for offer in OFFERS)
    found = sorted({value for value in shown if value is not None})
    return found[:: max(len(found) // 25, 1)]


def a_number(name: str) -> st.SearchStrategy[Any]:
    number = st.sampled_from(values(name))
    return st.one_of(number, number.map(str))


def conditions(name: str) -> st.SearchStrategy[dict[str, Any]]:
    known = st.sampled_from(values(name))
    lists = st.lists(known, max_size=4)
    single = a_number(name) if name in NUMBERS else known
    words = {
        **dict.fromkeys(("eq", "neq"), st.one_of(single, st.none())),
        **dict.fromkeys(("in", "notin"), lists),
    }
    if name in NUMBERS:
        words |= dict.fromkeys(("gt", "gte", "lt", "lte"), a_number(name))
    return st.fixed_dictionaries({}, optional=words)


QUERIES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["on-demand", "bid"]),
        "order": st.lists(
            st.tuples(
                st.sampled_from([*NUMBERS, "score", "dlperf_per_dphtotal"]),
                st.sampled_from(["asc", "desc"]),
            ).map(list),
            max_size=2,
        ).map(lambda pairs: [*pairs, ["id", "asc"]]),
        "limit": st.integers(1, 500),
        "allocated_storage": st.sampled_from([5, 10, 333.3]),
    },
    optional={
        **{name: conditions(name) for name in NUMBERS + TEXTS},
        "verified": st.booleans().map(lambda flag: {"eq": flag}),
        "geolocation": st.sampled_from(["US", "DE"]).map(lambda word: {"in": [word]}),
    },
)


@settings(deadline=None, max_examples=150)
@given(QUERIES)
def test_any_query_finds_what_a_plain_evaluation_finds(query: dict[str, Any]) -> None:
    """Operators, order, limit and the price of the disk, in any combination."""
    found = WORLD.fleet.search(parse_search(query), sys.maxsize, WORLD.now)
    plain = PLAIN["naive_search"](OFFERS, query, WORLD.now)
    brief = PLAIN["brief"]
    assert [brief(offer) for offer in found] == [brief(offer) for offer in plain]


MINUTES = st.integers(0, 600)
ASKED = st.tuples(st.sampled_from(["on-demand", "bid"]), st.sampled_from([5, 10.5]))


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(MINUTES, ASKED), min_size=2, max_size=6))
def test_what_is_kept_between_searches_is_what_would_be_made_anew(
    searches: list[tuple[int, tuple[str, float]]],
) -> None:
    """Prices move, machines come and go, seconds pass: each search shows it, as JSON."""
    world = World(60, 3, SimClock.manual(1_795_262_400.0))
    for minutes, (kind, disk_gb) in searches:
        world.advance(minutes * 60.0)
        query = {"type": kind, "allocated_storage": disk_gb, "limit": 9999}
        found = world.fleet.search(parse_search(query), sys.maxsize, world.now)
        anew = [
            with_bills(priced_offer(record, kind, disk_gb, world.now))
            for _, record in world.fleet.offers(world.now)
        ]
        by_id = {offer["id"]: offer for offer in anew}
        assert {offer["id"]: json.loads(offer.json()) for offer in found} == by_id


@pytest.mark.parametrize(
    "query",
    [
        {"num_gpus": 1},
        {"num_gpus": {"above": 1}},
        {"num_gpus": {"in": 1}},
        {"type": "stolen"},
        {"order": [["num_gpus", "sideways"]]},
        {"limit": -1},
        {"allocated_storage": "much"},
        [],
    ],
)
def test_what_is_no_query_is_refused(query: Any) -> None:
    """A condition that nobody understands is an error, not no condition."""
    with pytest.raises(InvalidQueryError):
        parse_search(query)


def test_all_three_ways_to_ask_find_the_same(opened: Callable[..., Any]) -> None:
    """By body, in the address, and in the form that has columns."""
    buyer = opened()
    query = {"num_gpus": {"eq": "1"}, "order": [["dph_total", "asc"]], "limit": 7}
    body = buyer.ask("POST", "/api/v0/bundles/", query).json()["offers"]
    address = buyer.ask("GET", "/api/v0/bundles", params={"q": json.dumps(query)})
    form = {"select_cols": ["id", "dph_total"], "q": query}
    columns = buyer.ask("PUT", "/api/v0/search/asks/", form).json()["offers"]
    assert len(body) == 7
    assert address.json()["offers"] == body
    assert columns == [{"id": one["id"], "dph_total": one["dph_total"]} for one in body]


def test_a_refused_query_says_so_in_the_markets_shape(
    opened: Callable[..., Any],
) -> None:
    """HTTP 400 with invalid_args."""
    answer = opened().ask("POST", "/api/v0/bundles/", {"num_gpus": {"above": 1}})
    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert answer.json()["error"] == "invalid_args"


def test_without_a_key_64_rows_come_that_are_not_the_cheapest(
    opened: Callable[..., Any], with_key: Callable[..., Any]
) -> None:
    """As the real market's capped answer of August 2026 was."""
    buyer = opened(offers=301)
    query = {"order": [["dph_total", "asc"]], "limit": 3000}
    with_one = buyer.ask("POST", "/api/v0/bundles/", query).json()["offers"]
    stranger = with_key(buyer, None)
    without = stranger.ask("POST", "/api/v0/bundles/", query).json()["offers"]
    assert len(with_one) >= 301
    assert len(without) == 64
    assert [one["id"] for one in without] != [one["id"] for one in with_one[:64]]
    prices = [one["dph_total"] for one in without]
    assert prices == sorted(prices)


def test_a_key_may_be_capped_too(opened: Callable[..., Any]) -> None:
    """Later reports of the real market: fewer rows than asked for, with a key."""
    buyer = opened(search_cap=50)
    query = {"limit": 3000, "order": [["dph_total", "asc"]]}
    assert len(buyer.ask("POST", "/api/v0/bundles/", query).json()["offers"]) == 50


def test_one_offer_is_found_by_its_contract_id_and_not_by_its_id(
    opened: Callable[..., Any],
) -> None:
    """`ask_contract_id` finds the one, `id` reportedly nothing."""
    buyer = opened()
    number = buyer.offer()["id"]
    by_ask = {"ask_contract_id": {"eq": number}}
    found = buyer.ask("POST", "/api/v0/bundles/", by_ask).json()["offers"]
    assert [one["id"] for one in found] == [number]
    by_id = buyer.ask("POST", "/api/v0/bundles/", {"id": {"eq": number}})
    assert by_id.json()["offers"] == []


def test_a_version_is_found_as_the_number_that_clients_send(
    opened: Callable[..., Any],
) -> None:
    """Alone, in a list, or as the text that it is."""
    buyer = opened()
    offer = buyer.offer()
    number, text = offer["driver_vers"], offer["driver_version"]
    for asked in ({"eq": number}, {"in": [number, 1]}, {"eq": text}, {"in": [text]}):
        found = buyer.offer(driver_version=asked)
        assert found["driver_vers"] == number


def test_the_price_has_the_disk_that_was_searched_for(
    opened: Callable[..., Any],
) -> None:
    """dph_total = dph_base + storage_cost x allocated_storage / 720; no traffic."""
    buyer = opened()
    for disk_gb in (5, 120):
        offer = buyer.offer(allocated_storage=disk_gb)
        disk = offer["storage_cost"] * disk_gb / 720
        assert offer["dph_total"] == pytest.approx(offer["dph_base"] + disk, rel=1e-12)
        assert offer["search"]["totalHour"] == offer["dph_total"]
        assert offer["instance"]["totalHour"] == pytest.approx(disk)


def test_a_search_for_bids_is_priced_at_the_least_bid(
    opened: Callable[..., Any],
) -> None:
    """The GPU part of the price is min_bid."""
    offer = opened().offer(type="bid")
    assert offer["is_bid"] is True
    assert offer["dph_base"] == offer["min_bid"]
