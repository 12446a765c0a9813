"""A simulated market on a socket, quiet unless a test wants otherwise."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from advisor.simulator.clock import SimClock
from advisor.simulator.server import serve
from advisor.simulator.world import World

START = 1_795_262_400.0


@dataclass
class Buyer:
    """Somebody with a key, and how they ask."""

    world: World
    client: httpx.Client

    def ask(
        self, method: str, path: str, body: Any = None, **more: Any
    ) -> httpx.Response:
        return self.client.request(method, path, json=body, **more)

    def offer(self, **query: Any) -> dict[str, Any]:
        """Return the first offer of a search."""
        body = {"order": [["dph_total", "asc"]], "limit": 1, **query}
        found = self.ask("POST", "/api/v0/bundles/", body).json()["offers"]
        return dict(found[0])

    def rent(self, offer_id: int, **order: Any) -> httpx.Response:
        body = {"client_id": "me", "image": "pytorch/pytorch", "disk": 10, **order}
        return self.ask("PUT", f"/api/v0/asks/{offer_id}/", body)

    def rented(self, offer_id: int, **order: Any) -> int:
        answer = self.rent(offer_id, **order)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["new_contract"])

    def show(self, number: int) -> Any:
        path = f"/api/v0/instances/{number}/"
        return self.ask("GET", path, params={"owner": "me"}).json()["instances"]

    def billed_usd(self, number: int) -> float:
        rows = self.ask("GET", "/__ledger").json()["instances"]
        return next(float(row["billed_usd"]) for row in rows if row["id"] == number)


Open = Callable[..., Buyer]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Return what opens a market and hands out a buyer there."""
    with contextlib.ExitStack() as stack:

        def open_market(key: str | None = "some-key", **world: Any) -> Buyer:
            settings = {"clock": SimClock.manual(START), "calm": True, **world}
            server = stack.enter_context(serve(World(**{"offers": 120, **settings})))
            return stack.enter_context(another(server.world, server.url, key))

        yield open_market


@contextlib.contextmanager
def another(world: World, url: str, key: str | None) -> Iterator[Buyer]:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=10.0) as client:
        yield Buyer(world, client)


@pytest.fixture
def with_key() -> Iterator[Callable[[Buyer, str | None], Buyer]]:
    """Return what gives another buyer at the same market."""
    with contextlib.ExitStack() as stack:

        def give(buyer: Buyer, key: str | None) -> Buyer:
            url = str(buyer.client.base_url)
            return stack.enter_context(another(buyer.world, url, key))

        yield give
