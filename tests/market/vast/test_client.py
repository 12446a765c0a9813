"""The live market: what is asked, pages, keys, retries, what counts as complete."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.clock import Clock
from advisor.base.errors import (
    BadAnswerError,
    KeyRefusedError,
    MarketError,
    QuotaError,
    RateLimitedError,
    UsageError,
)
from advisor.market.http import (
    MAX_RETRY_AFTER_S,
    _TryAgainError,
    backoff_s,
    send_repeatable,
)
from advisor.market.offers import parse_offers
from advisor.market.rate_limit import CallLimiter, RateLimiter
from advisor.market.reply import Reply
from advisor.market.types import Query
from advisor.market.vast.client import VastMarket
from advisor.market.vast.intervals import RULES
from advisor.market.vast.key import Key
from advisor.market.vast.queries import ROWS_ASKED, search_body

Vast = Callable[..., VastMarket]
Documented = Callable[[str], httpx.Response]


def offer(number: int, price: float | None = None, **more: Any) -> dict[str, Any]:
    """Return an offer; the higher its number, the dearer."""
    return {"id": number, "dph_total": number / 100 if price is None else price, **more}


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
    assert search_body(query, {"dph_total": {"gte": 0.2}}) == {
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
    asked = set(search_body(Query()))
    assert asked == {"rentable", "rented", "external", "type", "order", "limit"}


def test_one_offer_is_asked_for_by_its_id(vast: Vast) -> None:
    """One request, for the id that is rented; what comes is the offer or nothing."""
    bodies = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        wanted = bodies[-1]["ask_contract_id"]["eq"]
        found = [] if wanted == 9 else [offer(wanted)]
        return httpx.Response(200, json={"offers": found})

    market = vast(answer)
    there = market.search(Query(offer_id=7, disk_gb=40.0))
    gone = market.search(Query(offer_id=9))
    assert bodies[0]["allocated_storage"] == 40.0
    assert [record["id"] for record in there.records] == [7]
    assert (list(gone.records), gone.complete, len(bodies)) == ([], True, 2)


def test_other_offers_than_the_one_asked_for_are_an_error(vast: Vast) -> None:
    """A market that does not know the question is not one without the offer."""
    page = {"offers": [offer(i) for i in range(64)]}
    with pytest.raises(BadAnswerError, match="other offers"):
        vast(lambda _: httpx.Response(200, json=page)).search(Query(offer_id=99))


def test_a_users_highest_price_is_never_exceeded() -> None:
    """A bound of the paging narrows the user's own and never widens it."""
    query = Query(max_usd_per_hour=0.5)
    for bound, sent in ((0.2, 0.2), (0.9, 0.5)):
        body = search_body(query, {"dph_total": {"lte": bound}})
        assert body["dph_total"] == {"lte": sent}


def test_the_better_scored_duplicate_stays(vast: Vast) -> None:
    """Of two records with one id the one with the higher score counts."""

    def answer(request: httpx.Request) -> httpx.Response:
        twice = [offer(1, score=2.0), offer(1, score=9.0), offer(1, score=float("nan"))]
        text = json.dumps({"offers": twice})
        return httpx.Response(200, text=text)

    (record,) = vast(answer).search(Query()).records
    assert record["score"] == 9.0


def test_odd_ids_are_passed_on_and_counted_elsewhere(vast: Vast) -> None:
    """A record whose id cannot be one is neither merged with others nor dropped."""
    page = [{"id": [1]}, {"id": None, "a": 1}, {"id": None, "a": 2}, {"id": 1.5}]
    page += [{"id": 7, "score": 10**400}, {"id": 7, "score": 2.0}]
    answer = vast(lambda _: httpx.Response(200, json={"offers": page})).search(Query())
    assert len(answer.records) == 5
    assert {"id": 7, "score": 2.0} in answer.records


def test_a_documented_offer_is_read(vast: Vast, documented: Documented) -> None:
    """The offer of the documentation comes through in its units and prices."""
    answer = vast(lambda _: documented("search")).search(Query())
    offers, excluded = parse_offers(answer.records)
    assert not excluded
    assert offers.offer_id.tolist() == [101]
    price = offers.usd_per_hour(10.0)
    assert price.tolist() == pytest.approx([0.66 + 0.18 * 10 / 720])


@pytest.mark.parametrize(
    ("name", "error", "status", "words"),
    [
        ("wrong-key", KeyRefusedError, 4, "Invalid user key"),
        ("no-permission", KeyRefusedError, 4, "lacks the permission"),
        ("invalid-argument", MarketError, 1, "unknown operator"),
        ("quota", QuotaError, 5, "until"),
        ("too-frequent", RateLimitedError, 5, "too many requests"),
        ("retired", MarketError, 1, "update advisor"),
    ],
)
def test_each_documented_refusal_has_its_error(
    vast: Vast,
    documented: Documented,
    name: str,
    error: type[MarketError],
    status: int,
    words: str,
) -> None:
    """What the documentation says of errors is what becomes of them."""
    with pytest.raises(MarketError, match=words) as caught:
        vast(lambda _: documented(name)).search(Query())
    assert type(caught.value) is error
    assert int(caught.value.exit_status) == status


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
    assert vast(lambda _: replies.pop(0)).search(Query()).records


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
    """Retry-After is obeyed; without it the market's own interval is."""
    wait = backoff_s(_TryAgainError(Reply(429, retry_after, b"")), left)
    assert least <= wait <= most


@pytest.mark.parametrize(
    ("retry_after", "left"), [(MAX_RETRY_AFTER_S + 1, 999.0), (30.0, 20.0), (None, 3.0)]
)
def test_no_wait_goes_past_the_deadline(retry_after: float | None, left: float) -> None:
    """A wait that would end after the deadline, or beyond a minute, is not begun."""
    assert backoff_s(_TryAgainError(Reply(429, retry_after, b"")), left) is False


NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("seconds", "calls"), [(30, 5), (90, 1), (-90, 5)])
def test_a_date_in_retry_after_is_understood(seconds: int, calls: int) -> None:
    """A date within a minute is waited for; a later one is an error at once."""
    seen = []
    when = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(429, headers={"Retry-After": when})

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        request = client.build_request("GET", "https://a.example/")
        clock = Clock(lambda: NOW, lambda: 0.0, lambda _: None)
        limiter = CallLimiter(RateLimiter(RULES, clock), "search")
        with pytest.raises(RateLimitedError, match=f"{max(seconds, 0)} seconds"):
            send_repeatable(client, request, 60.0, clock, limiter)
    assert len(seen) == calls


@pytest.mark.parametrize("off_s", [-86_400, -600, 600])
def test_a_date_in_retry_after_is_one_of_the_servers_clock(
    vast: Vast, off_s: int
) -> None:
    """However far ours is from that: it is waited as long as the server means."""
    theirs = NOW + timedelta(seconds=off_s)
    dates = [theirs + timedelta(seconds=20), theirs]
    when, date = (format_datetime(one, usegmt=True) for one in dates)
    replies = [
        httpx.Response(429, headers={"Retry-After": when, "Date": date}),
        httpx.Response(200, json={"offers": []}),
    ]
    found = vast(lambda _: replies.pop(0)).search(Query())
    assert 20 <= (found.fetched_at - NOW).total_seconds() <= 21


@pytest.mark.parametrize("text", ["soon", "-5", "1e9", "Mon, 99 Foo 2026", ""])
def test_a_retry_after_that_says_nothing_is_ignored(vast: Vast, text: str) -> None:
    """What is neither seconds nor a date leaves the waits to us."""
    replies = [
        httpx.Response(503, headers={"Retry-After": text}),
        httpx.Response(200, json={"offers": []}),
    ]
    assert vast(lambda _: replies.pop(0)).search(Query()).complete is True


@given(
    status=st.sampled_from([429, 502, 503, 504]),
    retry_after=st.none() | st.floats(0, 1e6),
    left=st.floats(-10, 100),
    tries=st.integers(0, 10),
)
def test_every_wait_ends_before_the_deadline(
    status: int, retry_after: float | None, left: float, tries: int
) -> None:
    """No wait is negative, goes past the deadline or is shorter than was asked."""
    wait = backoff_s(_TryAgainError(Reply(status, retry_after, b"")), left, tries)
    if wait is not False:
        assert max(0.0, retry_after or 0.0) <= wait < left
        assert wait <= MAX_RETRY_AFTER_S + 0.5


def test_what_is_no_passing_trouble_is_not_tried_again() -> None:
    """An answer that makes no sense would make none the next time."""
    assert backoff_s(BadAnswerError("torn"), 60.0) is False
    assert backoff_s(httpx.DecodingError("torn"), 60.0) is False


def test_retries_are_quiet() -> None:
    """A second try prints nothing: stderr is for what people need to know."""
    program = """
import httpx
from advisor.base.clock import Clock
from advisor.market.types import Query
from advisor.market.vast.client import VastMarket
clock = Clock(sleep=lambda seconds: None)
replies = [httpx.Response(503), httpx.Response(200, json={"offers": []})]
transport = httpx.MockTransport(lambda request: replies.pop(0))
print(len(VastMarket(transport=transport, clock=clock).search(Query()).records))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize(
    "url",
    [
        *["ftp://x", "console.vast.ai", "http://console.vast.ai", "http://"],
        *["http://[::1", "https://host:port", "https://host:99999", "https://ho\nst"],
        *["https://me:pa55@host", "https://host/?api_key=pa55", "https://host/#pa55"],
    ],
)
def test_a_key_goes_to_no_odd_address(url: str) -> None:
    """A base URL that is none, holds more or is in clear is refused, unseen."""
    with pytest.raises(UsageError, match="VAST_URL") as caught:
        VastMarket(Key("k", "VAST_API_KEY"), url)
    assert str(caught.value).isprintable()
    assert "pa55" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "socks5://127.0.0.1:1"),
        ("ALL_PROXY", "odd://pa55@x"),
        ("HTTPS_PROXY", "::::"),
        ("SSL_CERT_FILE", "/no/such/file"),
    ],
)
def test_network_settings_that_cannot_be_used_are_said(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A proxy or certificate of the environment that does not work is one line."""
    for other in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.lower(), raising=False)
    monkeypatch.setenv(name, value)
    nowhere = "https://127.0.0.1:9"  # should it be asked after all
    with pytest.raises(UsageError, match=name) as caught:
        VastMarket(Key("k", "VAST_API_KEY"), nowhere).search(Query())
    assert "pa55" not in str(caught.value)


def test_loopback_needs_no_tls() -> None:
    """A simulator on this machine may be asked over plain HTTP."""
    market = VastMarket(Key("k", "VAST_API_KEY"), "http://127.0.0.1:8642")
    assert market.origin == "127.0.0.1:8642"
