"""Everything that the market has been seen to do wrong, and what our client makes of it.

Each scenario of the simulator strikes each call, over a real socket: the right result,
or the named error. The market's own ledger says what was really rented.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from advisor.base.clock import Clock
from advisor.base.errors import AdvisorError, PlacementError
from advisor.market.lifecycle import Order
from advisor.market.offers import parse_offers
from advisor.market.types import Query
from advisor.market.vast.client import VastMarket
from advisor.market.vast.key import Key
from advisor.simulator.clock import SimClock
from advisor.simulator.scenarios import SCENARIOS
from advisor.simulator.server import serve
from advisor.simulator.world import World

pytest.importorskip("uvicorn", reason="the extra simulator is not installed")

CALLS = ("search", "rent", "instance", "instances", "release")
FINE = dict.fromkeys(CALLS, "result")
TRIED_AGAIN = FINE | {"rent": "RentalStateUnknownError: 0"}

EXPECTED: dict[str, dict[str, str]] = {
    "too-frequent": FINE | {"rent": "RateLimitedError: 0"},
    "too-frequent-retry-after": FINE | {"rent": "RateLimitedError: 0"},
    "quota": FINE | {"search": "QuotaError"},
    "bad-gateway": TRIED_AGAIN,
    "gateway-timeout": TRIED_AGAIN,
    "unavailable": dict.fromkeys(CALLS, "MarketError")
    | {"rent": "RentalStateUnknownError: 0"},
    "html-page": dict.fromkeys(CALLS, "BadAnswerError")
    | {"rent": "RentalStateUnknownError: 0"},
    "slow-drip": dict.fromkeys(CALLS, "MarketError")
    | {"rent": "RentalStateUnknownError: 1"},
    "reset-before": dict.fromkeys(CALLS, "MarketError")
    | {"rent": "RentalStateUnknownError: 0"},
    "reset-after": FINE | {"rent": "RentalStateUnknownError: 1"},
    "error-after": FINE | {"rent": "RentalStateUnknownError: 1"},
    "duplicated-offers": FINE,
    "nan": FINE,
    "not-success": dict.fromkeys(CALLS, "MarketError") | {"rent": "MarketError: 0"},
    "contract-with-error": FINE | {"rent": "PlacementError: 1"},
    "two-buyers": FINE,
    "no-kernel-image": FINE,  # what it is shows on the machine
    "driver-refuses": FINE,
    "killed-for-memory": FINE,
    "gpu-error": FINE,
    "stale-show": FINE | {"instance": "none yet"},
    "lagging-list": FINE | {"instances": "none yet"},
    "lingering-list": FINE,
    "outbid": FINE,
    "slow-host": FINE,
    "key-revoked": dict.fromkeys(CALLS, "KeyRefusedError")
    | {"rent": "KeyRefusedError: 0"},
    "redirect-elsewhere": dict.fromkeys(CALLS, "BadAnswerError")
    | {"rent": "RentalStateUnknownError: 0"},
    "torn-json": dict.fromkeys(CALLS, "BadAnswerError")
    | {"rent": "RentalStateUnknownError: 1"},
}
"""Scenario -> call -> what becomes of it; for a rental that fails also how many
instances the market has made all the same."""

SLOW = {"slow-drip": 0.6}
"""Scenario -> seconds after which a call is given up, where that must be waited for."""

numbers = itertools.count()


@pytest.fixture(scope="module")
def market() -> Iterator[Any]:
    """Serve a calm market whose clock stands still."""
    clock = SimClock.manual(1_800_000_000.0)
    with serve(World(offers=100, clock=clock, calm=True)) as server:
        yield server


class Customer:
    """A new account on the market, whose waits take no time."""

    def __init__(self, market: Any) -> None:
        self.world: World = market.world
        self.url: str = market.url
        self.number = next(numbers)
        self.client = self.new_client()
        self.offer = self.client.search(Query(num_gpus=(1,))).records[0]["id"]
        self.account = self.client.account().account_id

    def new_client(self, deadline_s: float = 60.0) -> VastMarket:
        """Return a client of this account that has asked nothing yet."""
        skipped = [0.0]

        def sleep(seconds: float) -> None:
            skipped[0] += seconds

        return VastMarket(
            Key(f"key-{self.number}", "test"),
            self.url,
            deadline_s=deadline_s,
            clock=Clock(monotonic=lambda: time.monotonic() + skipped[0], sleep=sleep),
        )

    @property
    def label(self) -> str:
        return f"advisor:{self.number}:x"

    def rent(self) -> int:
        return self.client.rent(Order(self.offer, "pytorch/pytorch", 20.0, self.label))

    def living(self) -> list[int]:
        """Return what the market knows that this account has."""
        return [
            one["id"]
            for one in self.world.ledger()["instances"]
            if one["account"] == self.account and not one["destroyed"]
        ]


def fair_search(customer: Customer) -> str:
    answer = customer.client.search(Query(num_gpus=(1,)))
    ids = [record["id"] for record in answer.records]
    offers, _ = parse_offers(answer.records)
    assert len(ids) == len(set(ids)) == len(offers) > 20
    assert answer.complete is True
    return "result"


def fair_rent(customer: Customer) -> str:
    number = customer.rent()
    assert customer.living() == [number]
    return "result"


def fair_instance(customer: Customer) -> str:
    (number,) = customer.living()
    found = customer.client.instance(number)
    if found is None:
        return "none yet"
    assert (found.instance_id, found.label) == (number, customer.label)
    return "result"


def fair_list(customer: Customer) -> str:
    found = customer.client.instances("advisor:")
    if not found:
        return "none yet"
    assert [one.instance_id for one in found] == customer.living()
    return "result"


def fair_release(customer: Customer) -> str:
    (number,) = customer.living()
    customer.client.release(number)
    assert not customer.living()
    return "result"


FAIR: dict[str, Callable[[Customer], str]] = {
    "search": fair_search,
    "rent": fair_rent,
    "instance": fair_instance,
    "instances": fair_list,
    "release": fair_release,
}


def outcome_of(customer: Customer, call: str) -> str:
    """Return what becomes of a call; of a rental also what the market has made."""
    raised: AdvisorError
    try:
        return FAIR[call](customer)
    except AdvisorError as error:
        raised = error
    assert str(raised).isprintable()
    assert len(str(raised)) < 500
    if isinstance(raised, PlacementError):
        assert customer.living() == [raised.instance_id]
    name = type(raised).__name__
    return f"{name}: {len(customer.living())}" if call == "rent" else name


def test_every_scenario_is_met() -> None:
    """A fault that the simulator learns must be given its outcome here."""
    assert set(EXPECTED) == set(SCENARIOS)


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("scenario", EXPECTED)
def test_each_call_survives_each_fault(
    market: Any, scenario: str, call: str, summary: Any
) -> None:
    """The right result or the named error; afterwards all that was rented is found."""
    customer = Customer(market)
    if call not in ("search", "rent"):
        customer.rent()
    world = customer.world
    customer.client = customer.new_client(SLOW.get(scenario, 60.0))
    world.set_faults(*SCENARIOS[scenario].faults)
    try:
        if scenario == "key-revoked":  # it holds for three requests
            for _ in range(3):
                customer.client.account()
        outcome = outcome_of(customer, call)
    finally:
        world.set_faults()
    assert outcome == EXPECTED[scenario][call]
    summary("our client under each fault of the market", scenario, **{call: outcome})

    world.advance(60.0)
    customer.client = customer.new_client()
    mine = customer.client.instances(customer.label)
    assert [one.instance_id for one in mine] == customer.living()
    for one in mine:
        customer.client.release(one.instance_id)
    assert not customer.living()


def test_an_instance_that_was_not_shown_is_shown_later(market: Any) -> None:
    """A read right after a rental may not know it: it is there all the same."""
    customer = Customer(market)
    customer.world.set_faults(
        *SCENARIOS["stale-show"].faults, *SCENARIOS["lagging-list"].faults
    )
    try:
        number = customer.rent()
        early = (customer.client.instance(number), customer.client.instances())
        customer.world.advance(30.0)
        late = (customer.client.instance(number), customer.client.instances())
    finally:
        customer.world.set_faults()
    assert early == (None, [])
    assert late[0] is not None
    assert [one.instance_id for one in late[1]] == [number]
    customer.client.release(number)


def test_of_two_buyers_one_never_starts(market: Any) -> None:
    """The rental is accepted, and does not come to run however long one waits."""
    customer = Customer(market)
    customer.world.set_faults(*SCENARIOS["two-buyers"].faults)
    try:
        number = customer.rent()
    finally:
        customer.world.set_faults()
    customer.world.advance(3600.0)
    found = customer.client.instance(number)
    assert found is not None
    assert found.status != "running"
    customer.client.release(number)
