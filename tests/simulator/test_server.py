"""The server: what it is called, and what time it says it is."""

from __future__ import annotations

import email.utils
import http.client
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from advisor.simulator.clock import SimClock
from advisor.simulator.faults import EFFECTS, Fault
from advisor.simulator.server import Running, serve
from advisor.simulator.world import World

pytest.importorskip("uvicorn", reason="the extra simulator is not installed")

START = 1_795_262_400.0
REBOUND = (
    "evil.example",
    "evil.example:8642",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost@evil.example",
    "evil.example#127.0.0.1",
    "192.0.2.7",
    "[2001:db8::1]",
    "[::1",
    "",
)


@pytest.fixture(scope="module")
def market() -> Iterator[Any]:
    world = World(offers=30, clock=SimClock.manual(START), calm=True)
    with serve(world) as server:
        yield server


def status_of(market: Any, method: str, path: str, host: str) -> int:
    """Ask with a Host of our choice; return the status."""
    connection = http.client.HTTPConnection(market.url.removeprefix("http://"))
    try:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host)
        connection.putheader("Authorization", "Bearer k")
        connection.putheader("Content-Length", "0")
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("host", REBOUND)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v0/users/current/"),
        ("POST", "/api/v0/bundles/"),
        ("GET", "/__ledger"),
        ("POST", "/__clock"),
        ("GET", "/nowhere"),
    ],
)
def test_who_asks_for_another_host_is_refused(
    market: Any, method: str, path: str, host: str
) -> None:
    """A browser does that whose page lets its own name stand for this address."""
    assert status_of(market, method, path, host) == 421


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:99", "127.1.2.3", "[::1]:9"],
)
def test_this_computer_has_several_names(market: Any, host: str) -> None:
    """Whatever the port: it may be forwarded."""
    assert status_of(market, "GET", "/api/v0/users/current/", host) == 200


def test_who_lets_others_in_is_called_by_an_address() -> None:
    """In digits no name can be made to stand for it."""
    with serve(World(offers=5, calm=True), "0.0.0.0") as market:  # noqa: S104
        port = market.url.rpartition(":")[2]
        here = Running(f"http://127.0.0.1:{port}", market.world)
        assert status_of(here, "GET", "/__clock", "192.0.2.7:8642") == 200
        assert status_of(here, "GET", "/__clock", "evil.example") == 421


def date_of(reply: httpx.Response) -> float:
    return email.utils.parsedate_to_datetime(reply.headers["Date"]).timestamp()


def test_every_answer_tells_the_simulated_time(market: Any) -> None:
    """To the second, refusals and what only the simulator has included."""
    headers = {"Authorization": "Bearer k"}
    with httpx.Client(base_url=market.url, headers=headers) as client:
        for path, status in (
            ("/api/v0/users/current/", 200),
            ("/api/v0/instances/", 410),
            ("/api/v0/instances/7/", 404),
            ("/nowhere", 404),
            ("/__clock", 200),
        ):
            reply = client.get(path)
            assert reply.status_code == status
            assert date_of(reply) == int(market.world.clock.now())
            assert len(reply.headers.get_list("Date")) == 1
        assert date_of(client.get("/", headers={"Host": "x"})) >= START
        market.world.advance(86_400.75)
        assert date_of(client.get("/nowhere")) == int(market.world.clock.now())


@pytest.mark.parametrize("effect", sorted({*EFFECTS} - {"reset"}))
def test_an_answer_that_a_fault_has_spoilt_tells_it_too(market: Any, effect: str) -> None:
    """Whatever it is otherwise."""
    takes_effect = effect in (
        "torn",
        "duplicates",
        "nan",
        "drip",
        "stale",
        "lag",
        "linger",
    )
    fault = Fault("f", effect, ("account",), seconds=1e-4, after=takes_effect)
    market.world.set_faults(fault)
    try:
        headers = {"Authorization": "Bearer k"}
        reply = httpx.get(f"{market.url}/api/v0/users/current/", headers=headers)
        assert date_of(reply) == int(market.world.clock.now())
    finally:
        market.world.set_faults()


def test_a_clock_that_only_runs_faster_is_not_named() -> None:
    """Whoever rehearses with one has a real clock, and would be refused for the other."""
    world = World(offers=5, clock=SimClock(3600.0), calm=True)
    with serve(world) as market:
        world.clock.advance(86400.0)
        named = date_of(httpx.get(f"{market.url}/__clock"))
        assert abs(named - time.time()) <= 60.0
