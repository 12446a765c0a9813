"""A live market whose answers a test decides, and time that does not pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
import stamina

from advisor.market.keys import Key
from advisor.market.vast import VastMarket

KEY = Key("k-secret-123", "VAST_API_KEY")

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """Let retries happen at once, and as often as ever."""
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


@pytest.fixture
def vast() -> Callable[..., VastMarket]:
    """Return a maker of live markets whose transport is a function."""

    def make(handler: Handler, key: Key | None = KEY) -> VastMarket:
        clock = [0.0]

        def sleep(seconds: float) -> None:
            clock[0] += seconds

        return VastMarket(
            key,
            transport=httpx.MockTransport(handler),
            clock=lambda: clock[0],
            sleep=sleep,
        )

    return make
