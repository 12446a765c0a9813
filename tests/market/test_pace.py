"""The market's pace: kinds of calls wait for themselves, and threads for each other."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from advisor.clock import Clock
from advisor.errors import MarketError
from advisor.market.keys import Key
from advisor.market.lifecycle import Order
from advisor.market.pace import INTERVALS_S, Pace
from advisor.market.vast import VastMarket

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


def test_kinds_do_not_wait_for_each_other(clock: Clock) -> None:
    """One call of each kind goes out at once."""
    pace = Pace(clock)
    assert all(pace.wait(kind) for kind in INTERVALS_S)
    assert clock.monotonic() == 0.0


def test_a_turn_at_the_deadline_is_not_waited_for(clock: Clock) -> None:
    """It is refused at once, and does not count as taken."""
    pace = Pace(clock)
    assert pace.wait("rent", 4.5)
    assert not pace.wait("rent", 4.5)
    assert clock.monotonic() == 0.0
    assert pace.wait("rent", 5.0)
    assert clock.monotonic() == 4.5


def test_threads_take_turns() -> None:
    """Of eight that come at once each waits a second longer than the one before."""
    waited: list[float] = []
    pace = Pace(Clock(monotonic=lambda: 0.0, sleep=waited.append))
    threads = [threading.Thread(target=pace.wait, args=("list",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waited) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
