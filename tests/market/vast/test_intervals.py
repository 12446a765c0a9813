"""Vast.ai's intervals: each call keeps its own, and refusals are read for theirs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from advisor.base.clock import Clock
from advisor.base.errors import MarketError
from advisor.market.lifecycle import Order
from advisor.market.reply import Reply
from advisor.market.vast.client import VastMarket
from advisor.market.vast.intervals import is_quota, named_interval_s
from advisor.market.vast.key import Key

ORDER = Order(101, "pytorch/pytorch", 40.0, "advisor:job:token")

Call = Callable[[VastMarket], Any]

CALLS: dict[str, tuple[Call, float]] = {
    "rent": (lambda market: market.rent(ORDER), 4.5),
    "instance": (lambda market: market.instance(1), 2.0),
    "instances": (lambda market: market.instances(), 1.0),
    "release": (lambda market: market.release(1), 3.0),
    "start": (lambda market: market.start(1), 1.0),
    "change_bid": (lambda market: market.change_bid(1, 0.3), 5.5),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_call_keeps_its_documented_interval(name: str) -> None:
    """From the end of a call to the next of its kind, whether it failed or not."""
    call, interval_s = CALLS[name]
    passed = [0.0]
    asked: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(passed[0])
        passed[0] += 0.25
        return httpx.Response(400, json={"error": "invalid_args"})

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    market = VastMarket(
        Key("k", "VAST_API_KEY"),
        transport=httpx.MockTransport(answer),
        clock=Clock(monotonic=lambda: passed[0], sleep=sleep),
    )
    for _ in range(3):
        with pytest.raises(MarketError):
            call(market)
    gaps = [later - sooner for sooner, later in itertools.pairwise(asked)]
    assert gaps == pytest.approx([interval_s + 0.25] * 2)


@pytest.mark.parametrize(
    ("text", "interval_s", "quota"),
    [
        ("API requests too frequent: endpoint threshold=4.5", 4.5, False),
        ("threshold = 12", 12.0, False),
        ("threshold=many", None, False),
        ("", None, False),
        (f"{'x' * 1000} threshold=4.5", None, False),
        ('{"error": "search_quota_exceeded"}', None, True),
    ],
)
def test_what_a_refusal_says(text: str, interval_s: float | None, quota: bool) -> None:
    """The interval that it names, and whether it is for the quota of the day."""
    reply = Reply(429, None, text.encode())
    assert (named_interval_s(reply), is_quota(reply)) == (interval_s, quota)
