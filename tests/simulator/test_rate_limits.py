"""The market's rate limits: calls that come too often are refused until after a rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.market.vast.intervals import INTERVALS_S
from advisor.simulator.api import Api
from advisor.simulator.calls import Request
from advisor.simulator.clock import SimClock
from advisor.simulator.rate_limits import BURST, TokenBuckets
from advisor.simulator.world import World


@given(st.lists(st.floats(0, 30), max_size=40))
def test_nobody_gets_through_faster_than_the_limit(pauses: list[float]) -> None:
    """In any time t at most burst + t / interval calls of a kind."""
    buckets, now, passed = TokenBuckets(), 0.0, 0
    for pause in pauses:
        now += pause
        passed += buckets.refusal("rent", "key", now) is None
        assert passed <= BURST + now / INTERVALS_S["rent"] + 1e-6


@pytest.mark.parametrize("operation", ["search", "rent", "show", "list", "release"])
def test_a_rest_of_the_interval_is_enough(operation: str) -> None:
    """And the refusal names the interval; other keys and kinds are not in the way."""
    buckets = TokenBuckets()
    interval_s = INTERVALS_S["destroy" if operation == "release" else operation]
    for _ in range(int(BURST)):
        assert buckets.refusal(operation, "key", 0.0) is None
    refusal = buckets.refusal(operation, "key", 0.0)
    assert refusal == f"API requests too frequent: endpoint threshold={interval_s}"
    assert buckets.refusal(operation, "other", 0.0) is None
    assert buckets.refusal("bid", "key", 0.0) is None
    assert buckets.refusal(operation, "key", interval_s + 1e-6) is None
    assert buckets.refusal(operation, "key", interval_s + 1e-6) is not None


def test_the_refusal_is_plain_text_and_nothing_happens(
    opened: Callable[..., Any],
) -> None:
    """HTTP 429 without JSON; the third rental in a row is not made."""
    buyer = opened(rate_limited=True)
    numbers = [
        record["id"]
        for _, record in buyer.world.fleet.offers(buyer.world.now)
        if record["gpu_frac"] == 1
    ]
    answers = [buyer.rent(number, image="alpine", disk=1) for number in numbers[:3]]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].text == "API requests too frequent: endpoint threshold=4.5"
    assert answers[2].headers["content-type"].startswith("text/plain")
    assert len(buyer.world.ledger()["instances"]) == 2


def test_without_a_key_the_address_is_limited() -> None:
    """Two strangers at one address share a limit; another address has its own."""
    world = World(20, clock=SimClock.manual(0.0), calm=True, rate_limited=True)
    api = Api(world, monotonic=lambda: 0.0)

    def status(peer: str) -> int:
        return api.handle(Request("POST", "/api/v0/bundles/", peer=peer)).status

    assert [status("192.0.2.1") for _ in range(3)] == [200, 200, 429]
    assert status("192.0.2.2") == 200
