"""A search in pages: which answers are believed to be whole, and how the rest is read."""

from __future__ import annotations

import itertools
import json
import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.base.clock import Clock
from advisor.market.remembered import Memory
from advisor.market.types import Answer, Query, Record
from advisor.market.vast.client import SEARCH_S, VastMarket
from advisor.market.vast.cuts import Suspicion, suspicion
from advisor.market.vast.key import Key
from advisor.market.vast.paging import MOST_PAGES, PagedSearch
from advisor.market.vast.queries import ROWS_ASKED, ROWS_SURE, Bounds

Vast = Callable[..., VastMarket]
Handler = Callable[[httpx.Request], httpx.Response]

START = datetime(2026, 11, 21, tzinfo=UTC)


def offer(number: int, price: float | None = None, **more: Any) -> dict[str, Any]:
    """Return an offer; the higher its number, the dearer."""
    return {"id": number, "dph_total": number / 100 if price is None else price, **more}


def market_of(
    handler: Handler, passed: list[float] | None = None, **more: Any
) -> VastMarket:
    """Return a market whose seconds pass in `passed`, and only while somebody waits."""
    passed = [0.0] if passed is None else passed

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    clock = Clock(lambda: START + timedelta(seconds=passed[0]), lambda: passed[0], sleep)
    transport = httpx.MockTransport(handler)
    key = more.pop("key", Key("k-secret-123", "VAST_API_KEY"))
    return VastMarket(key, transport=transport, clock=clock, **more)


class Shop:
    """A market with `offers`, that shows at most `cap` of them at once.

    Which ones is decided by `hides`: the market looks at every `hides`-th offer
    first, so that a cut answer is the cheapest part only for 1.
    """

    def __init__(self, offers: list[dict[str, Any]], cap: int, hides: int = 1) -> None:
        self.offers, self.cap, self.hides = offers, cap, hides
        self.bodies: list[dict[str, Any]] = []

    @property
    def asked(self) -> list[dict[str, Any]]:
        """What each search was a part of: its bounds on prices, GPUs and counts."""
        names = ("dph_total", "gpu_name", "num_gpus")
        return [{name: b[name] for name in names if name in b} for b in self.bodies]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a search as the documentation says, but for the cut."""
        body = json.loads(request.content)
        self.bodies.append(body)
        parts = {
            name: body.get(name, {}) for name in ("dph_total", "gpu_name", "num_gpus")
        }
        found = [o for o in self.offers if _is_in(o, parts)]
        found.sort(key=lambda o: (o["id"] % self.hides, o["dph_total"]))
        shown = found[: min(self.cap, body["limit"])]
        shown.sort(key=lambda o: o["dph_total"])
        return httpx.Response(200, json={"offers": shown})


MEETS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lte": operator.le,
    "in": lambda value, asked: value in asked,
    "notin": lambda value, asked: value not in asked,
}


def _is_in(offer: dict[str, Any], parts: dict[str, dict[str, Any]]) -> bool:
    return all(
        MEETS[word](offer.get(name), asked)
        for name, bounds in parts.items()
        for word, asked in bounds.items()
    )


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 128, 200, 500])
def test_pages_past_the_cap_bring_every_offer_once(vast: Vast, count: int) -> None:
    """A market that shows 64 at once gives all its offers, and it is complete."""
    shop = Shop([offer(i) for i in range(count)], cap=64)
    answer = vast(shop).search(Query())
    assert sorted(o["id"] for o in answer.records) == list(range(count))
    assert answer.complete is True


def test_an_answer_over_every_known_cap_needs_no_second_search(vast: Vast) -> None:
    """1,343 rows of 3,000 asked for were not cut: one search is enough."""
    shop = Shop([offer(i) for i in range(1343)], cap=ROWS_ASKED)
    answer = vast(shop).search(Query())
    assert len(answer.records) == 1343
    assert answer.complete is True
    assert len(shop.bodies) == 1


@pytest.mark.parametrize("cap", [241, 500, 512, 1000])
def test_a_cap_nobody_knew_of_is_paged_past(vast: Vast, cap: int) -> None:
    """A look at the dearest rows of a round number finds more: the search goes on."""
    shop = Shop([offer(i) for i in range(1100)], cap=cap)
    answer = vast(shop).search(Query())
    assert len(answer.records) == 1100
    assert answer.complete is True


@pytest.mark.parametrize("count", [100, 200, 1200, 2048])
def test_a_round_number_alone_costs_one_small_look(vast: Vast, count: int) -> None:
    """The dearest thirty are asked for again; nothing new among them: that is all."""
    shop = Shop([offer(i) for i in range(count)], cap=ROWS_ASKED)
    answer = vast(shop).search(Query())
    assert (len(answer.records), answer.complete) == (count, True)
    assert shop.asked == [{}, {"dph_total": {"gte": (count - 30) / 100}}]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        *[(0, "NONE"), (1, "NONE"), (20, "DOUBT"), (25, "DOUBT"), (32, "DOUBT")],
        *[(10, "NONE"), (50, "DOUBT"), (63, "NONE"), (64, "LIKELY"), (65, "NONE")],
        *[
            (106, "NONE"),
            (200, "DOUBT"),
            (234, "LIKELY"),
            (241, "LIKELY"),
            (256, "LIKELY"),
        ],
        *[(257, "NONE"), (300, "DOUBT"), (1024, "DOUBT"), (1343, "NONE")],
        *[(39_999, "NONE"), (40_000, "LIKELY"), (40_001, "LIKELY")],
    ],
)
def test_which_lengths_may_be_a_part(rows: int, expected: str) -> None:
    """Known cuts and all that was asked for are likely cut; round numbers may be."""
    assert suspicion(rows, 40_000) is Suspicion[expected]


def test_a_cut_that_was_seen_is_known_from_then_on() -> None:
    """Within the spread of the reported cuts, and only there."""
    seen = [700]
    assert suspicion(701, 40_000) is Suspicion.NONE
    assert suspicion(701, 40_000, seen) is Suspicion.LIKELY
    assert suspicion(668, 40_000, seen) is Suspicion.LIKELY
    assert suspicion(799, 40_000, seen) is Suspicion.NONE


GPUS = ["RTX 3060", "RTX 3090", "RTX 4090", "A100 SXM4", "H100 SXM", "L40S"]


@settings(deadline=None, max_examples=60)
@given(
    draws=st.lists(
        st.tuples(st.integers(1, 40), st.sampled_from(GPUS), st.sampled_from([1, 2, 8])),
        max_size=400,
    ),
    more=st.integers(0, 300),
    chance=st.randoms(use_true_random=False),
    cap=st.sampled_from([64, 100, 236, 241, 256, 300, ROWS_ASKED]),
    hides=st.sampled_from([1, 2, 3, 7]),
)
def test_an_answer_that_is_called_complete_is(
    draws: list[tuple[int, str, int]], more: int, chance: Random, cap: int, hides: int
) -> None:
    """Whatever is cut and whichever part is shown, with many offers at one price.

    Where the cheapest are shown it is called so, too.
    """
    drawn = [
        (chance.randint(1, 40), chance.choice(GPUS), chance.choice([1, 2, 8]))
        for _ in range(more)
    ]
    offers = [
        offer(number, cents / 100, gpu_name=name, num_gpus=count)
        for number, (cents, name, count) in enumerate([*draws, *drawn])
    ]
    answer = market_of(Shop(offers, cap, hides)).search(Query())
    ids = [record["id"] for record in answer.records]
    assert len(ids) == len(set(ids))
    if answer.complete or hides == 1:
        assert answer.complete is (len(ids) == len(offers))


@pytest.mark.parametrize("hides", [2, 3, 7])
@pytest.mark.parametrize("seed", range(12))
def test_a_page_of_all_prices_may_hide_some(seed: int, hides: int) -> None:
    """It begins and ends as the whole market does, and offers between them lack."""
    chance, cap = Random(seed), (64, 236, 256)[seed % 3]  # noqa: S311  (no secret)
    offers = [
        offer(number, chance.randint(1, 40) / 100, gpu_name=chance.choice(GPUS))
        for number in range(cap + 5 + 5 * seed)
    ]
    answer = market_of(Shop(offers, cap, hides)).search(Query())
    assert len(answer.records) == len(offers) or not answer.complete


@settings(deadline=None, max_examples=60)
@given(
    cents=st.lists(st.integers(1, 40) | st.integers(1, 2), max_size=200),
    cap=st.sampled_from([20, 25, 32, 50, 64, 100]),
    times=st.sampled_from([1, 2]),
)
def test_a_small_page_that_was_cut_is_not_called_complete(
    cents: list[int], cap: int, times: int
) -> None:
    """Pages of the sizes that programs choose, also where offers come more than once."""
    offers = [
        offer(number, one / 100, gpu_name=GPUS[number % 6], num_gpus=1 + number % 2)
        for number, one in enumerate(cents)
    ]
    shop = Shop(offers, cap)

    def answer(request: httpx.Request) -> httpx.Response:
        shown = shop(request).json()["offers"]
        return httpx.Response(200, json={"offers": [*shown, *shown[: 3 * times - 3]]})

    found = market_of(answer).search(Query())
    assert found.complete is (len(found.records) == len(offers))


@pytest.mark.parametrize("empty", [True, False])
def test_a_page_that_lacks_what_it_begins_with_proves_nothing(
    vast: Vast, *, empty: bool
) -> None:
    """An answer of none, or of other prices, is not the end of the market."""
    shop = Shop([offer(i) for i in range(600)], cap=64)

    def answer(request: httpx.Request) -> httpx.Response:
        answered = shop(request)
        if len(shop.bodies) < 5:
            return answered
        shown = [] if empty else answered.json()["offers"][-5:]
        return httpx.Response(200, json={"offers": shown})

    found = vast(answer).search(Query())
    assert 64 < len(found.records) < 600
    assert found.complete is False
    assert found.notes


def test_an_offer_that_went_where_a_page_begins_is_no_sign_of_a_fault(vast: Vast) -> None:
    """It was rented meanwhile: the search goes on from some offers before."""
    offers = [offer(i) for i in range(600)]
    shop = Shop(offers, cap=64)

    def answer(request: httpx.Request) -> httpx.Response:
        price = json.loads(request.content).get("dph_total", {}).get("gte")
        if len(shop.bodies) == 4:
            shop.offers = [one for one in offers if one["dph_total"] != price]
        return shop(request)

    found = vast(answer).search(Query())
    assert (len(found.records), found.complete) == (600, True)


def test_many_offers_of_one_price_are_passed(vast: Vast) -> None:
    """What hides behind a page of one price is lacking, said so; the rest is there."""
    offers = [offer(i, price=0.5) for i in range(100)]
    offers += [offer(i, price=0.6) for i in range(100, 110)]
    answer = vast(Shop(offers, cap=64)).search(Query())
    assert len(answer.records) == 74
    assert answer.complete is False
    assert "at one price" in answer.notes[0]


def test_a_market_that_ignores_the_price_is_not_believed(vast: Vast) -> None:
    """The same page again, whatever is asked, ends the search as incomplete."""
    page = {"offers": [offer(i) for i in range(64)]}
    calls = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(200, json=page)

    found = vast(answer).search(Query())
    assert len(found.records) == 64
    assert found.complete is False
    assert found.notes
    assert len(calls) == 2


def test_a_page_that_is_not_the_cheapest_is_found_out(vast: Vast) -> None:
    """A market that shows part of the cheap and the dear ones is not complete."""
    shop = Shop([offer(i) for i in range(120)], cap=64, hides=2)
    answer = vast(shop).search(Query())
    assert len(answer.records) > 64
    assert answer.complete is False
    assert "order or price" in answer.notes[0]


@pytest.mark.parametrize("prices", [[None] * 64, ["0.5"] * 64, [10**400] * 64])
def test_offers_without_prices_end_the_paging(vast: Vast, prices: list[Any]) -> None:
    """Without a price to go on from there is one page, and it is not complete."""
    page = [{"id": i, "dph_total": price} for i, price in enumerate(prices)]
    answer = vast(lambda _: httpx.Response(200, json={"offers": page})).search(Query())
    assert len(answer.records) == 64
    assert answer.complete is False
    assert answer.notes


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_error_on_a_later_page_leaves_what_was_read(vast: Vast, status: int) -> None:
    """The first page is not thrown away for what happens to the second."""
    shop = Shop([offer(i) for i in range(100)], cap=64)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status) if shop.bodies else shop(request)

    found = vast(answer).search(Query())
    assert len(found.records) == 64
    assert found.complete is False
    assert "before the last page" in found.notes[0]


def test_pages_are_asked_for_at_once(vast: Vast) -> None:
    """Reading does no harm: nobody waits while the market does not ask for it."""
    shop = Shop([offer(i) for i in range(2000)], cap=64)
    answer = vast(shop).search(Query())
    assert (len(answer.records), answer.complete) == (2000, True)
    assert answer.fetched_at == datetime(2026, 11, 21, 12, tzinfo=UTC)  # no time passed


def test_without_a_key_the_answer_is_never_complete(vast: Vast) -> None:
    """The market holds offers back from those without a key."""
    answer = vast(Shop([offer(1)], cap=64), key=None).search(Query())
    assert answer.complete is False
    assert "without a key" in answer.origin


def limited(shop: Shop, interval_s: float, passed: list[float]) -> Handler:
    """Return a shop that refuses who comes within the interval, and says so."""
    last = [-interval_s]

    def answer(request: httpx.Request) -> httpx.Response:
        if passed[0] - last[0] < interval_s:
            text = f"API requests too frequent: endpoint threshold={interval_s}"
            return httpx.Response(429, text=text)
        last[0] = passed[0]
        return shop(request)

    return answer


def test_a_rate_limited_market_is_read_at_its_rate() -> None:
    """One refusal, then a page an interval, until all is there."""
    shop, passed = Shop([offer(i) for i in range(640)], cap=64), [0.0]
    answer = market_of(limited(shop, 4.5, passed), passed).search(Query())
    assert (len(answer.records), answer.complete) == (640, True)
    assert len(shop.bodies) == 12
    assert passed[0] <= 9.0 + 10 * 4.7


def test_time_that_runs_out_leaves_what_was_read() -> None:
    """Three minutes at the market's rate are thirty pages; the rest is said to lack."""
    shop, passed = Shop([offer(i) for i in range(5000)], cap=64), [0.0]
    answer = market_of(limited(shop, 6.0, passed), passed).search(Query())
    assert 1700 < len(answer.records) < 2000
    assert answer.complete is False
    assert "ran out of time" in answer.notes[0]
    assert "64 offers at once" in answer.notes[1]
    assert passed[0] <= SEARCH_S


def test_no_search_reads_for_ever() -> None:
    """A market that can be paged through for ever is left after so many pages."""

    def page(part: Bounds) -> list[Record]:
        bounds = part.get("dph_total", {})
        first = round(100 * bounds.get("gte", 0.0))
        last = round(100 * bounds.get("lte", 1e6))
        return [offer(number) for number in range(first, min(first + 64, last + 1))]

    search = PagedSearch(page, lambda: None)
    assert search.run() is False
    assert search.pages == MOST_PAGES
    assert "narrow the search" in search.notes[0]


@pytest.mark.parametrize("count", [64, 200])
def test_a_market_that_shows_nothing_of_a_part_proves_nothing(
    vast: Vast, count: int
) -> None:
    """What was there a moment ago must be there again, else the bound is not known."""
    shop = Shop(of_kinds(count), cap=ROWS_ASKED)

    def answer(request: httpx.Request) -> httpx.Response:
        answered = shop(request)
        return httpx.Response(200, json={"offers": []}) if shop.asked[-1] else answered

    found = vast(answer).search(Query())
    assert (len(found.records), found.complete) == (count, False)


def of_kinds(count: int) -> list[dict[str, Any]]:
    """Return offers of twelve GPUs in three sizes, every seventh dearer than the next."""
    kinds = itertools.cycle(
        (f"GPU {name}", size) for name in range(12) for size in (1, 2, 4)
    )
    return [
        offer(number, (number * 7 % count) / 100, gpu_name=name, num_gpus=size)
        for number, (name, size) in zip(range(count), kinds, strict=False)
    ]


def test_a_market_without_order_is_read_gpu_by_gpu() -> None:
    """Parts that are not cut are whole in whatever order they come: all is there."""
    shop = Shop(of_kinds(700), cap=64, hides=11)
    answer = market_of(shop).search(Query())
    assert len(answer.records) == 700
    assert answer.complete is True
    assert {"gpu_name": {"eq": "GPU 3"}} in shop.asked


def test_one_gpu_beyond_the_cap_is_read_count_by_count() -> None:
    """And where that is still too much, that something lacks is said."""
    many = [
        offer(n, (n * 7 % 200) / 100, gpu_name="RTX 4090", num_gpus=n % 4 + 1)
        for n in range(200)
    ]
    shop = Shop(many, cap=64, hides=7)
    assert market_of(shop).search(Query()).complete is True
    more = [{**one, "num_gpus": 1} for one in many]
    answer = market_of(Shop(more, cap=64, hides=7)).search(Query())
    assert answer.complete is False
    assert "of one GPU" in answer.notes[0]


def test_offers_at_one_price_are_distinguished_by_gpu(vast: Vast) -> None:
    """A hundred at one price, of two GPUs: each part fits under the cap."""
    offers = [offer(n, 0.5, gpu_name=("L4", "T4")[n % 2], num_gpus=1) for n in range(100)]
    offers += [offer(n, 0.6, gpu_name="L4", num_gpus=1) for n in range(100, 110)]
    answer = vast(Shop(offers, cap=64)).search(Query())
    assert (len(answer.records), answer.complete) == (110, True)


def test_the_users_own_gpus_are_kept_in_every_part(vast: Vast) -> None:
    """A part narrows what the user asked for and never widens it."""
    shop = Shop(of_kinds(700), cap=64, hides=11)
    names = ("GPU 1", "GPU 2", "GPU 3")
    answer = vast(shop).search(Query(gpu_names=names, num_gpus=(1, 4)))
    assert {one["gpu_name"] for one in answer.records} == set(names)
    assert all(part["gpu_name"]["in"] == list(names) for part in shop.asked)
    assert all(part["num_gpus"]["in"] == [1, 4] for part in shop.asked)


def test_an_offer_that_came_in_the_meantime_is_no_sign_of_disorder(vast: Vast) -> None:
    """One new cheap offer is shown, is not called complete, and costs no long search."""
    shop = Shop([offer(i) for i in range(200)], cap=64)

    def answer(request: httpx.Request) -> httpx.Response:
        if len(shop.bodies) == 1:
            shop.offers.append(offer(999, 0.005))
        return shop(request)

    found = vast(answer).search(Query())
    assert (len(found.records), found.complete) == (201, False)
    assert len(shop.bodies) < 8


def test_without_a_key_nobody_waits_for_more() -> None:
    """What cannot come to be complete is read on while the market lets us."""
    shop, passed = Shop(of_kinds(700), cap=64, hides=11), [0.0]
    quick = market_of(shop, key=None).search(Query())
    assert len(quick.records) == 700
    assert quick.complete is False
    shop = Shop(of_kinds(700), cap=64, hides=11)
    slow = market_of(limited(shop, 6.0, passed), passed, key=None).search(Query())
    assert (len(slow.records), slow.complete) == (64, False)
    assert "before the last page" in slow.notes[0]
    assert passed[0] == 0.0


def test_too_many_rows_asked_for_are_asked_for_less(vast: Vast) -> None:
    """A market that refuses the limit is asked for one that others got answers to."""
    shop = Shop([offer(i) for i in range(4000)], cap=ROWS_ASKED)

    def answer(request: httpx.Request) -> httpx.Response:
        limit = json.loads(request.content)["limit"]
        if limit > ROWS_SURE:
            words = {"error": "invalid_args", "msg": "limit: at most 3000"}
            return httpx.Response(400, json=words)
        return shop(request)

    found = vast(answer).search(Query())
    assert (len(found.records), found.complete) == (4000, True)
    assert [body["limit"] for body in shop.bodies] == [ROWS_SURE] * 3


def test_a_cut_is_remembered(tmp_path: Path) -> None:
    """The next run goes on from the last price at once, also if it varies a little."""
    memory = tmp_path / "limits.json"
    many = [offer(i) for i in range(2500)]
    market_of(Shop(many, cap=700), memory=Memory(memory)).search(Query())
    for known, first in ((Memory(memory), "gte"), (None, None)):
        shop = Shop(many, cap=707)
        market_of(shop, memory=known).search(Query())
        seen = [list(part["dph_total"]) for part in shop.asked[1:2]]
        assert seen == ([[first]] if first else [])


def test_a_cut_that_everybody_knows_of_is_not_worth_remembering(tmp_path: Path) -> None:
    """Nothing is written where nothing is learned."""
    shop = Shop([offer(i) for i in range(300)], cap=64)
    market_of(shop, memory=Memory(tmp_path / "limits.json")).search(Query())
    assert not list(tmp_path.iterdir())


class Onlooker:
    """Remembers what is reported of a search."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def waits(self, seconds: float, why: str) -> None:
        self.seen.append(seconds)

    def comes(self, pages: int, so_far: Answer) -> None:
        assert so_far.complete is False
        self.seen.append((pages, len(so_far.records)))


def test_who_watches_hears_of_pages_and_waits() -> None:
    """Each page with what has come by then, each wait before it begins."""
    shop, passed = Shop([offer(i) for i in range(110)], cap=64), [0.0]
    onlooker = Onlooker()
    market = market_of(limited(shop, 6.0, passed), passed)
    answer = market.search_watched(Query(), onlooker)
    assert len(answer.records) == 110
    assert [one for one in onlooker.seen if isinstance(one, tuple)] == [
        *[(1, 64), (2, 110), (3, 110)],
    ]
    waits = [one for one in onlooker.seen if isinstance(one, float)]
    assert sum(waits) == pytest.approx(passed[0])
    assert onlooker.seen[0] == (1, 64)
