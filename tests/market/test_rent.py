"""Renting: sent once whatever happens, and every answer has one meaning."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from advisor.base.errors import (
    AdvisorError,
    CreditError,
    KeyRefusedError,
    MarketError,
    OfferGoneError,
    PlacementError,
    RateLimitedError,
    RentalStateUnknownError,
    UsageError,
)
from advisor.market.lifecycle import Order
from advisor.market.vast.client import VastMarket

Vast = Callable[..., VastMarket]
Documented = Callable[[str], httpx.Response]

ORDER = Order(101, "pytorch/pytorch", 40.0, "advisor:job:token", "echo hi", {"JOB": "1"})


class Counter:
    """A market that gives one answer, and remembers what it was asked."""

    def __init__(self, answer: httpx.Response | Exception) -> None:
        self.answer = answer
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer, or fail as a connection does."""
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_an_order_goes_out_in_the_markets_words(
    vast: Vast, documented: Documented
) -> None:
    """One PUT with the documented body; without a bid it names no price."""
    shop = Counter(documented("rented"))
    assert vast(shop).rent(ORDER) == 9001
    (request,) = shop.asked
    assert (request.method, request.url.path) == ("PUT", "/api/v0/asks/101/")
    assert request.headers["Authorization"] == "Bearer k-secret-123"
    assert json.loads(request.content) == {
        "client_id": "me",
        "image": "pytorch/pytorch",
        "disk": 40.0,
        "env": {"JOB": "1"},
        "label": "advisor:job:token",
        "onstart": "echo hi",
        "runtype": "ssh_direc ssh_proxy",
        "cancel_unavail": True,
    }


def test_a_bid_is_a_price(vast: Vast, documented: Documented) -> None:
    """Leaving the price out would rent on demand: a bid is always sent as one."""
    shop = Counter(documented("rented"))
    vast(shop).rent(replace(ORDER, bid_usd_per_hour=0.21))
    assert json.loads(shop.asked[0].content)["price"] == 0.21


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("offer-gone", OfferGoneError, "no_such_ask"),
        ("no-credit", CreditError, "billing"),
        ("spend-limit", CreditError, "spend rate"),
        ("bad-order", MarketError, "above zero"),
        ("bid-too-low", PlacementError, "instance 9001"),
        ("not-today", MarketError, "takes no rentals"),
        ("wrong-key", KeyRefusedError, "VAST_API_KEY"),
        ("no-permission", KeyRefusedError, "lacks the permission"),
        ("too-frequent", RateLimitedError, "a minute"),
        ("retired", MarketError, "update advisor"),
    ],
)
def test_each_documented_refusal_has_its_error(
    vast: Vast,
    documented: Documented,
    name: str,
    error: type[AdvisorError],
    words: str,
) -> None:
    """What the documentation says of refusals is what becomes of them, after one try."""
    shop = Counter(documented(name))
    with pytest.raises(AdvisorError, match=words) as caught:
        vast(shop).rent(ORDER)
    assert type(caught.value) is error
    assert len(shop.asked) == 1


MADE = {"new_contract": 77}
BAD_IDS = (0, -5, True, "77", 7.5, [77], {"id": 77}, 2**63)


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (400, {"error": "invalid_args", **MADE}),
        (400, {"msg": "no_such_ask", **MADE}),
        (404, {"msg": "Invalid user key", **MADE}),
        (401, {"error": "auth_error", **MADE}),
        (429, {"msg": "slow down", **MADE}),
        (500, MADE),
        (503, {"success": True, **MADE}),
        (200, {"success": False, "error": "insufficient_credit", **MADE}),
        (200, {"success": True, "error": "bid too low", **MADE}),
        (200, MADE),
        (302, {"success": True, **MADE}),
    ],
)
def test_a_contract_beside_an_error_is_never_lost(
    vast: Vast, status: int, document: dict[str, Any]
) -> None:
    """Whatever else an answer says: a contract that it names bills, and is reported."""
    shop = Counter(httpx.Response(status, json=document))
    with pytest.raises(PlacementError) as caught:
        vast(shop).rent(ORDER)
    assert caught.value.instance_id == 77
    assert len(shop.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        *[httpx.Response(status) for status in (200, 204, 301, 404, 408, 500, 503, 504)],
        *[
            httpx.Response(status, text="<html>oops</html>")
            for status in (200, 400, 404, 502)
        ],
        httpx.Response(200, text='{"success": true, "new_con'),
        httpx.Response(200, json={"success": True}),
        httpx.Response(200, json={"success": True, "new_contract": None}),
        httpx.Response(200, json={"offers": []}),
        httpx.Response(200, json=[77]),
        httpx.Response(500, json={"error": "no_such_ask"}),
        httpx.Response(503, json={"error": "insufficient_credit"}),
        httpx.Response(408, json={"msg": "no_such_ask"}),
        httpx.Response(307, headers={"Location": "/api/v0/asks/101/"}),
        httpx.Response(307, headers={"Location": "https://evil.example/"}),
        httpx.Response(302, headers={"Location": "https://"}),
        *[
            httpx.Response(status, json={"success": success, "new_contract": odd})
            for odd in BAD_IDS
            for status, success in ((200, True), (400, False))
        ],
        httpx.ReadTimeout("slow"),
        httpx.WriteTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.RemoteProtocolError("torn"),
        httpx.DecodingError("torn"),
        ValueError("something in the transport"),
    ],
)
def test_what_makes_no_sense_leaves_the_rental_open(
    vast: Vast, answer: httpx.Response | Exception
) -> None:
    """After one request: nobody can say, and nothing is tried again."""
    shop = Counter(answer)
    with pytest.raises(RentalStateUnknownError) as caught:
        vast(shop).rent(ORDER)
    assert len(shop.asked) == 1
    assert int(caught.value.exit_status) == 7
    assert str(caught.value).isprintable()
    assert "k-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.PoolTimeout("full"),
        httpx.ProxyError("407"),
    ],
)
def test_what_was_never_sent_rents_nothing(vast: Vast, error: Exception) -> None:
    """Without a connection the outcome is sure, and there is still one try."""
    shop = Counter(error)
    with pytest.raises(MarketError):
        vast(shop).rent(ORDER)
    assert len(shop.asked) == 1


def test_a_limit_says_how_long(vast: Vast) -> None:
    """A market that is too busy to look surely rented nothing; it says when to come."""
    shop = Counter(
        httpx.Response(429, headers={"Retry-After": "30"}, text="too frequent")
    )
    with pytest.raises(RateLimitedError, match="30 seconds"):
        vast(shop).rent(ORDER)
    assert len(shop.asked) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"offer_id": 0}, "offer"),
        ({"image": " "}, "image"),
        ({"label": ""}, "label"),
        ({"label": "x" * 257}, "256"),
        ({"onstart": "x" * 4097}, "4096"),
        ({"disk_gb": 0.0}, "above zero"),
        ({"disk_gb": float("inf")}, "finite"),
        ({"bid_usd_per_hour": float("nan")}, "finite"),
        ({"bid_usd_per_hour": 0.0}, "above zero"),
        ({"label": "advisor:\ud800"}, "text"),
        ({"env": {"A": "\ud800"}}, "text"),
    ],
)
def test_an_order_that_cannot_be_is_refused_here(
    vast: Vast, change: dict[str, Any], words: str
) -> None:
    """What the market would not take, or we could not find again, is never sent."""
    shop = Counter(httpx.Response(200))
    with pytest.raises(UsageError, match=words):
        vast(shop).rent(replace(ORDER, **change))
    assert not shop.asked


def test_the_longest_order_is_sent(vast: Vast, documented: Documented) -> None:
    """256 characters of label and 4,096 of script are what the market takes."""
    order = replace(ORDER, label="x" * 256, onstart="y" * 4096)
    assert vast(Counter(documented("rented"))).rent(order) == 9001


def test_nobody_rents_without_a_key(vast: Vast) -> None:
    """Without a key nothing is sent, and the message says where one goes."""
    shop = Counter(httpx.Response(200))
    with pytest.raises(KeyRefusedError, match="VAST_API_KEY"):
        vast(shop, key=None).rent(ORDER)
    assert not shop.asked
