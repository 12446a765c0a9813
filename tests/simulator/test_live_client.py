"""Our client reads the simulated market at the rate that it allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from advisor.base.clock import Clock
from advisor.base.errors import QuotaError
from advisor.market.cache import AnswerCache
from advisor.market.registry import search
from advisor.market.remembered import Memory
from advisor.market.types import Query
from advisor.market.vast.client import VastMarket
from advisor.market.vast.key import Key
from advisor.simulator.api import Api
from advisor.simulator.calls import Request
from advisor.simulator.clock import SimClock
from advisor.simulator.scenarios import SCENARIOS
from advisor.simulator.world import World

START = 1_795_262_400.0


class Customer:
    """An account on a market whose seconds pass only while somebody waits."""

    def __init__(self, folder: Path, key: str | None = "some-key", **world: Any) -> None:
        settings = {"calm": True, "clock": SimClock.manual(START), **world}
        self.world = World(**settings)
        self.folder, self.key = folder, key
        self.passed = 0.0
        self.statuses: list[int] = []
        self._api = Api(self.world, monotonic=lambda: self.passed)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on to the market."""
        reply = self._api.handle(
            Request(
                method=request.method,
                path=request.url.path,
                query=dict(request.url.params),
                body=request.content,
                key=request.headers.get("Authorization", "").removeprefix("Bearer ")
                or None,
                peer="192.0.2.1",
            )
        )
        self.statuses.append(reply.status)
        headers = {**reply.headers, "Content-Type": reply.kind}
        return httpx.Response(reply.status, headers=headers, content=reply.body)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.passed += seconds

    def now(self) -> datetime:
        """Tell the time."""
        return datetime.fromtimestamp(START, UTC) + timedelta(seconds=self.passed)

    def run(self) -> VastMarket:
        """Return the market as another run of the program opens it."""
        return VastMarket(
            None if self.key is None else Key(self.key, "test"),
            transport=httpx.MockTransport(self.answer),
            clock=Clock(self.now, lambda: self.passed, self.sleep),
            memory=Memory(self.folder / "limits.json"),
        )

    def listed(self) -> set[int]:
        """Return the ids of all offers."""
        return {record["id"] for _, record in self.world.fleet.offers(self.world.now)}


@pytest.fixture
def customer(tmp_path: Path) -> Callable[..., Customer]:
    """Return what opens a market of its own to a new customer."""
    return lambda **settings: Customer(tmp_path, **settings)


@pytest.mark.parametrize("cap", [64, 240])
def test_a_slow_market_of_small_pages_is_read_whole(
    customer: Callable[..., Customer], cap: int
) -> None:
    """One refusal, then every page in its turn; the next run is not refused at all."""
    buyer = customer(offers=600, rate_limited=True, search_cap=cap)
    answer = buyer.run().search(Query())
    assert {record["id"] for record in answer.records} == buyer.listed()
    assert answer.complete is True
    refused, pages = Counter(buyer.statuses)[429], Counter(buyer.statuses)[200]
    assert refused == 1
    assert buyer.passed < 6.2 * pages + 3.0

    buyer.statuses.clear()
    again = buyer.run().search(Query())
    assert {record["id"] for record in again.records} == buyer.listed()
    assert buyer.statuses == [200] * pages


def test_a_day_later_the_market_is_asked_at_once(
    customer: Callable[..., Customer],
) -> None:
    """A bad day is forgotten: the first pages wait for nothing."""
    buyer = customer(offers=100, rate_limited=True, search_cap=64)
    buyer.run().search(Query())
    buyer.sleep(86400.0)
    before = buyer.passed
    buyer.run().search(Query(num_gpus=(8,)))
    assert buyer.passed == before


def test_retry_after_is_kept(customer: Callable[..., Customer]) -> None:
    """A market that asks for a second twice gets it twice, and answers."""
    faults = SCENARIOS["too-frequent-retry-after"].faults
    buyer = customer(offers=150, faults=faults)
    answer = buyer.run().search(Query())
    assert {record["id"] for record in answer.records} == buyer.listed()
    assert buyer.statuses[:3] == [429, 429, 200]
    assert 2.0 <= buyer.passed < 9.0


def test_without_a_key_a_slow_market_is_not_waited_for(
    customer: Callable[..., Customer],
) -> None:
    """The market shows 64 at once; what it holds back is not worth the wait."""
    buyer = customer(offers=300, key=None, rate_limited=True)
    answer = buyer.run().search(Query())
    assert len(answer.records) > 64
    assert answer.complete is False
    assert "before the last page" in answer.notes[0]
    assert buyer.passed == 0.0


def test_without_a_key_a_quick_market_is_read_gpu_by_gpu(
    customer: Callable[..., Customer],
) -> None:
    """The 64 that it shows are not the cheapest; asked apart, nearly all come."""
    buyer = customer(offers=300, key=None)
    answer = buyer.run().search(Query())
    assert len(answer.records) == len(buyer.listed())
    assert answer.complete is False


def test_a_market_that_dies_leaves_what_was_read(
    customer: Callable[..., Customer],
) -> None:
    """The first pages are there with a note, and are not called complete."""
    faults = SCENARIOS["unavailable"].faults
    buyer = customer(offers=600, search_cap=64)
    market = buyer.run()

    class Undertaker:
        def waits(self, seconds: float, why: str) -> None: ...

        def comes(self, pages: int, so_far: object) -> None:
            if pages == 3:
                buyer.world.set_faults(*faults)

    answer = market.search_watched(Query(), Undertaker())
    assert 64 < len(answer.records) < 600
    assert answer.complete is False
    assert "before the last page: the market reports a failure" in answer.notes[0]


def test_a_quota_takes_the_kept_answer_where_that_is_agreed_to(
    customer: Callable[..., Customer], tmp_path: Path
) -> None:
    """A day's quota of rows that is used up: the last answer, or the named error."""
    buyer = customer(offers=150, search_cap=64)
    cache = AnswerCache(tmp_path / "answers", buyer.now)
    fresh = search(buyer.run(), Query(), cache, 0.0, stale_ok=False)
    buyer.sleep(7200.0)
    buyer.world.set_faults(*SCENARIOS["quota"].faults)
    with pytest.raises(QuotaError, match="stale_ok"):
        search(buyer.run(), Query(), cache, 0.0, stale_ok=False)
    stale = search(buyer.run(), Query(), cache, 0.0, stale_ok=True)
    assert stale.records == fresh.records
    assert "7200 s old" in stale.origin
