"""The live market: what is asked, pages, keys, retries, what counts as complete."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from advisor.errors import (
    KeyRefusedError,
    MarketError,
    QuotaError,
    RateLimitedError,
    UsageError,
)
from advisor.market.http import MAX_RETRY_AFTER_S, Reply, _TryAgainError, backoff_s
from advisor.market.keys import Key
from advisor.market.types import Query
from advisor.market.vast import ROWS_ASKED, VastMarket, search_body

Vast = Callable[..., VastMarket]


def offer(number: int, price: float | None = None, **more: Any) -> dict[str, Any]:
    return {"id": number, "dph_total": number / 100 if price is None else price, **more}


class Shop:
    """A market with `offers`, that shows at most `cap` of them at once."""

    def __init__(self, offers: list[dict[str, Any]], cap: int) -> None:
        self.offers, self.cap = sorted(offers, key=lambda o: o["dph_total"]), cap
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        least = body.get("dph_total", {}).get("gte", 0.0)
        found = [o for o in self.offers if o["dph_total"] >= least]
        return httpx.Response(200, json={"offers": found[: min(self.cap, body["limit"])]})


def test_the_search_is_a_post_with_the_key_in_a_header(vast: Vast) -> None:
    """The key travels in the Authorization header and never in the address."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"offers": [offer(1)]})

    vast(answer).search(Query())
    (request,) = seen
    assert request.method == "POST"
    assert request.url == "https://console.vast.ai/api/v0/bundles/"
    assert request.headers["Authorization"] == "Bearer k-secret-123"


def test_the_body_says_what_is_wanted_in_the_markets_words() -> None:
    """Every constraint given is in the body, in the market's names and units."""
    query = Query(
        gpu_names=("RTX 4090",),
        num_gpus=(1, 2),
        min_reliability=0.98,
        max_usd_per_hour=0.5,
        verified=True,
        min_duration_s=86400.0,
        disk_gb=40.0,
    )
    assert search_body(query, from_price=0.2) == {
        "rentable": {"eq": True},
        "rented": {"eq": False},
        "external": {"eq": False},
        "type": "on-demand",
        "order": [["dph_total", "asc"]],
        "limit": ROWS_ASKED,
        "gpu_name": {"in": ["RTX 4090"]},
        "num_gpus": {"in": [1, 2]},
        "reliability": {"gte": 0.98},
        "verified": {"eq": True},
        "duration": {"gte": 86400.0},
        "dph_total": {"gte": 0.2, "lte": 0.5},
        "allocated_storage": 40.0,
    }


def test_nothing_given_asks_for_everything() -> None:
    """Without constraints there is no bound on price, reliability or anything."""
    asked = set(search_body(Query(), None))
    assert asked == {"rentable", "rented", "external", "type", "order", "limit"}


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


def test_many_offers_of_one_price_cannot_be_paged(vast: Vast) -> None:
    """Where a whole page has one price, what is behind it is out of reach: said so."""
    shop = Shop([offer(i, price=0.5) for i in range(100)], cap=64)
    answer = vast(shop).search(Query())
    assert len(answer.records) == 64
    assert answer.complete is False


def test_without_a_key_the_answer_is_never_complete(vast: Vast) -> None:
    """The market holds offers back from those without a key."""
    answer = vast(Shop([offer(1)], cap=64), key=None).search(Query())
    assert answer.complete is False
    assert "without a key" in answer.origin


def test_time_that_runs_out_leaves_what_was_read(vast: Vast) -> None:
    """The market's pace allows ten pages in a minute; the rest is said to lack."""
    shop = Shop([offer(i) for i in range(2000)], cap=64)
    answer = vast(shop).search(Query())
    assert 500 < len(answer.records) < 2000
    assert answer.complete is False
    assert "ran out of time" in answer.notes[0]


def test_the_better_scored_duplicate_stays(vast: Vast) -> None:
    """Of two records with one id the one with the higher score is kept."""

    def answer(request: httpx.Request) -> httpx.Response:
        twice = [offer(1, score=2.0), offer(1, score=9.0), offer(1, score=float("nan"))]
        text = json.dumps({"offers": twice})
        return httpx.Response(200, text=text)

    (record,) = vast(answer).search(Query()).records
    assert record["score"] == 9.0


@pytest.mark.parametrize(
    ("status", "document", "error"),
    [
        (401, {"error": "auth_error", "msg": "no"}, KeyRefusedError),
        (403, {"error": "auth_error", "msg": "2FA"}, KeyRefusedError),
        (404, {"success": False, "msg": "Invalid user key"}, KeyRefusedError),
        (404, {"success": False, "msg": "no such page"}, MarketError),
        (400, {"error": "invalid_args", "msg": "bad operator"}, MarketError),
        (410, {"error": "deprecated_endpoint"}, MarketError),
        (500, {}, MarketError),
        (200, {"success": False, "msg": "not today"}, MarketError),
    ],
)
def test_each_refusal_has_its_error(
    vast: Vast, status: int, document: dict[str, Any], error: type[Exception]
) -> None:
    """A refused key, a retired search, a bad argument: each is its own error."""
    calls = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(status, json=document)

    with pytest.raises(MarketError) as caught:
        vast(answer).search(Query())
    assert type(caught.value) is error
    assert document.get("msg", "") in str(caught.value)
    assert len(calls) == 1


def test_the_daily_quota_is_not_tried_again(vast: Vast) -> None:
    """A used-up quota says until when, after one request."""
    calls = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(
            429, headers={"Retry-After": "7200"}, json={"error": "search_quota_exceeded"}
        )

    with pytest.raises(QuotaError, match=r"until 20\d\d-\d\d-\d\d \d\d:\d\d UTC"):
        vast(answer).search(Query())
    assert len(calls) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_passes_is_tried_again(vast: Vast, status: int) -> None:
    """A busy server is asked again and its second answer counts."""
    replies = [
        httpx.Response(status, text="API requests too frequent: threshold=4.5"),
        httpx.Response(200, json={"offers": [offer(1)]}),
    ]
    assert vast(lambda request: replies.pop(0)).search(Query()).records


def test_a_lost_connection_is_tried_again(vast: Vast) -> None:
    """A connection that breaks once does not end the search."""
    calls = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        if len(calls) == 1:
            raise httpx.ConnectError("reset", request=request)
        return httpx.Response(200, json={"offers": []})

    assert vast(answer).search(Query()).complete is True


def test_patience_ends(vast: Vast) -> None:
    """A market that is always busy ends in the named error, after a few tries."""
    calls = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(429, headers={"Retry-After": "1"})

    with pytest.raises(RateLimitedError):
        vast(answer).search(Query())
    assert len(calls) == 5


def test_a_wait_that_is_too_long_is_not_waited(vast: Vast) -> None:
    """Retry-After beyond a minute is an error at once that says how long."""
    calls = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(429, headers={"Retry-After": "300"})

    with pytest.raises(RateLimitedError, match="300 seconds"):
        vast(answer).search(Query())
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("retry_after", "left", "least", "most"),
    [(10.0, 60.0, 10.0, 10.5), (None, 60.0, 6.0, 9.0)],
)
def test_waits_follow_what_the_market_asks(
    retry_after: float | None, left: float, least: float, most: float
) -> None:
    """Retry-After is kept; without it the market's own pace is."""
    wait = backoff_s(_TryAgainError(Reply(429, retry_after, b"")), left)
    assert least <= wait <= most


@pytest.mark.parametrize(
    ("retry_after", "left"), [(MAX_RETRY_AFTER_S + 1, 999.0), (30.0, 20.0), (None, 3.0)]
)
def test_no_wait_goes_past_the_deadline(retry_after: float | None, left: float) -> None:
    """A wait that would end after the deadline, or beyond a minute, is not begun."""
    assert backoff_s(_TryAgainError(Reply(429, retry_after, b"")), left) is False


@pytest.mark.parametrize(
    "url", ["ftp://x", "console.vast.ai", "http://console.vast.ai", "http://"]
)
def test_a_key_goes_to_no_odd_address(url: str) -> None:
    """A base URL that is none, or would carry the key in clear, is refused."""
    with pytest.raises(UsageError, match="VAST_URL"):
        VastMarket(Key("k", "VAST_API_KEY"), url)


def test_loopback_needs_no_tls() -> None:
    """A simulator on this machine may be asked over plain HTTP."""
    market = VastMarket(Key("k", "VAST_API_KEY"), "http://127.0.0.1:8642")
    assert market.origin == "127.0.0.1:8642"
