"""What runs on instances: a host is asked in time, and where ssh answers is shown."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from advisor.market.lifecycle import Endpoint
from advisor.simulator.clock import SimClock
from advisor.simulator.containers import Container
from advisor.simulator.contract import Contract, Wish
from advisor.simulator.world import World

KEY = "ssh-ed25519 AAAA me"
ENDPOINT = Endpoint("127.0.0.1", 2222)


@dataclass
class Host:
    """Remembers what it is asked, and whether the market was held meanwhile."""

    endpoint: Endpoint | None = ENDPOINT
    error: Exception | None = None
    started: list[Container] = field(default_factory=list)
    stopped: list[int] = field(default_factory=list)
    was_held: list[bool] = field(default_factory=list)
    lock: Any = None

    def start(self, container: Container) -> Endpoint | None:
        free = self.lock.acquire(timeout=5)
        self.was_held.append(not free)
        if free:
            self.lock.release()
        self.started.append(container)
        if self.error is not None:
            raise self.error
        return self.endpoint

    def stop(self, instance_id: int) -> None:
        self.stopped.append(instance_id)


def rented(host: Host, **wish: Any) -> tuple[World, Contract]:
    """Return a market, and an instance on it that runs."""
    world = World(20, clock=SimClock.manual(1_795_262_400.0), calm=True, host=host)
    host.lock = world.lock
    with world.looked_at():
        account = world.account("key")
        account.ssh_keys[KEY] = 0.0
        offer = next(record for _, record in world.fleet.offers(world.now))
        order = Wish(**{"image": "alpine", "disk_gb": 1.0, **wish})
        contract = world.rent(account, offer["id"], order)
    world.advance(600)
    assert world.settle()
    return world, contract


def test_a_container_gets_what_was_ordered_and_its_own_key() -> None:
    """Variables without docker's options, the script, the ssh keys of the account."""
    host = Host()
    env = {"A": "1", "-p 80:80": "1"}
    _, contract = rented(host, onstart="echo hello", env=env)
    (container,) = host.started
    assert container.instance_id == contract.instance_id
    assert container.onstart == "echo hello"
    assert container.ssh_keys == (KEY,)
    assert container.env == {
        "A": "1",
        "CONTAINER_ID": str(contract.instance_id),
        "CONTAINER_API_KEY": contract.key,
    }
    assert contract.key not in repr(container)
    assert host.was_held == [False]


@pytest.mark.parametrize("runtype", ["ssh_direc ssh_proxy", "jupyter_proxy ssh_proxy"])
def test_the_instance_shows_where_its_container_answers(runtype: str) -> None:
    """Direct and by the proxy, whose port is one lower for jupyter."""
    world, contract = rented(Host(), runtype=runtype)
    row = contract.row(world.now)
    assert row["public_ipaddr"].strip() == row["ssh_host"] == "127.0.0.1"
    assert row["ports"]["22/tcp"][0]["HostPort"] == "2222"
    assert row["ssh_port"] + ("jupyter" in runtype) == 2222


def test_a_container_ends_with_its_instance_and_starts_anew() -> None:
    """Stopped, started, rebooted, destroyed: one start or stop for each."""
    host = Host()
    world, contract = rented(host)
    number = contract.instance_id
    with world.looked_at():
        world.rentals.stop(contract)
    assert world.settle()
    assert host.stopped == [number]
    assert contract.row(world.now)["ports"] == {}
    with world.looked_at():
        world.rentals.start(contract)
    world.advance(60)
    with world.looked_at():
        world.rentals.reboot(contract)
    world.advance(60)
    assert world.settle()
    assert (len(host.started), len(host.stopped)) == (3, 2)
    with world.looked_at():
        world.rentals.destroy(contract, "asked")
    assert world.settle()
    assert (len(host.started), len(host.stopped)) == (3, 3)


def test_a_container_that_cannot_start_is_exited() -> None:
    """With the host's words, and no GPU to pay for."""
    _, contract = rented(Host(error=OSError("no space left")))
    assert contract.status == "exited"
    assert "no space left" in str(contract.message)
    assert contract.meter.gpu_usd_per_hour == 0


def test_an_endpoint_that_comes_too_late_is_not_shown() -> None:
    """The instance was stopped while its container was starting."""
    host = Host()
    gate = threading.Event()
    start = host.start

    def slow_start(container: Container) -> Endpoint | None:
        gate.wait(5)
        return start(container)

    host.start = slow_start  # type: ignore[method-assign]
    world = World(20, clock=SimClock.manual(1_795_262_400.0), calm=True, host=host)
    host.lock = world.lock
    with world.looked_at():
        offer = next(record for _, record in world.fleet.offers(world.now))
        contract = world.rent(world.account("k"), offer["id"], Wish("alpine", 1.0))
    world.advance(600)
    with world.looked_at():
        world.rentals.stop(contract)
    gate.set()
    assert world.settle()
    assert contract.endpoint is None
    assert host.stopped == [contract.instance_id]
