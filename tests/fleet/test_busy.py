"""A market that has no time just now is asked again later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.app.plan import rental_context_of
from advisor.base.errors import KeyRefusedError, MarketError, QuotaError, RateLimitedError
from advisor.fleet.busy import SILENT, when_not_busy
from advisor.rental.context import RentalContext
from advisor.simulator.clock import SimClock
from advisor.simulator.server import serve
from advisor.simulator.world import World
from tests.rental.conftest import START, Street


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RentalContext]:
    """Return where machines are rented on a small market."""
    world = World(20, 3, SimClock.manual(START.timestamp()), calm=True)
    with serve(world) as running:
        street = Street(world, running.url, tmp_path, lambda *_: None)
        yield rental_context_of(street.context(), "vast")


def failing(*errors: Exception) -> Callable[[], str]:
    """Return what raises one error after another, and then is well."""
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "well"

    return call


def test_it_is_waited_for(context: RentalContext) -> None:
    """However often it is busy; a silence is borne a few times."""
    begun = context.now()
    busy = [RateLimitedError("too many requests")] * 9
    silent = [MarketError("it does not answer")] * (SILENT - 1)
    assert when_not_busy(context, failing(*busy, *silent)) == "well"
    assert context.now() - begun >= (9 + SILENT - 1) * 30.0


@pytest.mark.parametrize(
    "errors",
    [
        [QuotaError("of the day")],
        [KeyRefusedError("no")],
        [MarketError("it does not answer")] * SILENT,
    ],
)
def test_what_lasts_is_raised(context: RentalContext, errors: Any) -> None:
    """At once, or after a market was silent for long."""
    with pytest.raises(type(errors[-1])):
        when_not_busy(context, failing(*errors))
