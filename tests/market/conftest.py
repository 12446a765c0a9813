"""A live market whose answers a test decides, and time that does not pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from advisor.base.clock import Clock
from advisor.base.resources import fixtures_folder
from advisor.market.vast.client import VastMarket
from advisor.market.vast.key import Key

KEY = Key("k-secret-123", "VAST_API_KEY")

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

Handler = Callable[[httpx.Request], httpx.Response]


def still_clock() -> Clock:
    """Return time that passes only while somebody waits for it."""
    passed = [0.0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    return Clock(lambda: NOW + timedelta(seconds=passed[0]), lambda: passed[0], sleep)


@pytest.fixture
def clock() -> Clock:
    """Return time that passes only while somebody waits for it."""
    return still_clock()


@pytest.fixture(scope="session")
def documented() -> Callable[[str], httpx.Response]:
    """Return what reads an answer as the market's documentation has it."""

    def answer(name: str) -> httpx.Response:
        path = fixtures_folder() / "api" / f"{name}.json"
        payload = json.loads(path.read_text(encoding="utf-8"))
        body = payload["body"]
        content = body if isinstance(body, str) else json.dumps(body)
        return httpx.Response(payload["status"], headers=payload["headers"], text=content)

    return answer


@pytest.fixture
def vast() -> Callable[..., VastMarket]:
    """Return a maker of live markets whose transport is a function."""

    def make(handler: Handler, key: Key | None = KEY, **more: Any) -> VastMarket:
        return VastMarket(
            key, transport=httpx.MockTransport(handler), clock=still_clock(), **more
        )

    return make
