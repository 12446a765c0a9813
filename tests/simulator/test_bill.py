"""What a rental costs: by hand, and worked out again from the event log."""

from __future__ import annotations

import runpy
import sys
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "simulator_bill.py"
sys.modules.setdefault("simulator_bill", ModuleType("simulator_bill"))
AGAIN = runpy.run_path(str(SCRIPT), run_name="simulator_bill")


def test_the_bill_of_a_lively_day_is_that_of_its_log() -> None:
    """60 instances on a moving market: two bills, one sum for each of them."""
    world = AGAIN["play"](60, 1.5, offers=150, seed=5)
    billed = {one["id"]: one["billed_usd"] for one in world.ledger()["instances"]}
    again = AGAIN["recomputed"](world.log.entries, world.now)
    assert set(billed) == set(again)
    assert len(billed) >= 50
    for number, usd in again.items():
        assert abs(Fraction(billed[number]) - usd) < Fraction(1, 10**9)
    kinds = Counter(entry["kind"] for entry in world.log.entries)
    assert min(kinds[kind] for kind in ("created", "status", "price", "traffic")) > 5


def test_disk_gpu_and_traffic_bill_by_the_markets_rules(
    opened: Callable[..., Any],
) -> None:
    """Disk from creation, GPU while running, the image once, and nothing afterwards."""
    buyer = opened()
    offer = buyer.offer(inet_down_cost={"gt": 0})
    number = buyer.rented(offer["id"], image="pytorch/pytorch", disk=36)
    disk = offer["storage_cost"] * 36 / 720
    traffic = 3.5 * offer["inet_down_cost"]
    boot_h = 0.0
    while buyer.show(number)["actual_status"] != "running":
        assert buyer.billed_usd(number) == pytest.approx(disk * boot_h)
        buyer.world.advance(3.6)
        boot_h += 0.001
    # The boot ended somewhere in the last step.
    step_usd = offer["dph_base"] * 0.001
    start_usd = disk * boot_h + traffic
    assert start_usd <= buyer.billed_usd(number) <= start_usd + step_usd
    before = buyer.billed_usd(number)
    buyer.world.advance(7200)
    running_usd = 2 * (offer["dph_base"] + disk)
    assert buyer.billed_usd(number) - before == pytest.approx(running_usd)
    buyer.ask("PUT", f"/api/v0/instances/{number}/", {"state": "stopped"})
    before = buyer.billed_usd(number)
    buyer.world.advance(7200)
    assert buyer.billed_usd(number) - before == pytest.approx(2 * disk)
    buyer.ask("DELETE", f"/api/v0/instances/{number}/", {})
    before = buyer.billed_usd(number)
    buyer.world.advance(7200)
    assert buyer.billed_usd(number) == before
    account = buyer.ask("GET", "/api/v0/users/current/").json()
    assert account["credit"] == pytest.approx(100 - before)
    owed = buyer.ask("GET", "/__ledger").json()["accounts"][str(account["id"])]
    assert owed == {"credit_usd": account["credit"], "spent_usd": pytest.approx(before)}


def test_a_bid_pays_what_was_bid(opened: Callable[..., Any]) -> None:
    """Not the least bid and not the price on demand; a new bid counts from then on."""
    buyer = opened()
    offer = buyer.offer(type="bid")
    bid = offer["min_bid"] * 1.5
    number = buyer.rented(offer["id"], price=bid, image="alpine", disk=1)
    buyer.world.advance(3600)
    disk = offer["storage_cost"] / 720
    for price in (bid, bid * 2):
        buyer.ask(
            "PUT",
            f"/api/v0/instances/bid_price/{number}/",
            {"client_id": "me", "price": price},
        )
        before = buyer.billed_usd(number)
        buyer.world.advance(3600)
        assert buyer.billed_usd(number) - before == pytest.approx(price + disk)


def test_an_image_that_came_half_is_paid_half(opened: Callable[..., Any]) -> None:
    """Destroyed while it loads: the traffic until then."""
    buyer = opened()
    offer = buyer.offer(inet_down_cost={"gt": 0})
    number = buyer.rented(offer["id"], disk=1)
    contract = buyer.world.rentals.contracts[number]
    buyer.world.advance(contract.boot.provision_s + 3 + contract.boot.pull_s / 2)
    assert buyer.show(number)["actual_status"] == "loading"
    buyer.ask("DELETE", f"/api/v0/instances/{number}/", {})
    half = 3.5 / 2 * offer["inet_down_cost"]
    assert contract.meter.traffic_usd == pytest.approx(half, rel=1e-3)


def test_an_account_without_credit_rents_nothing_and_is_stopped(
    opened: Callable[..., Any],
) -> None:
    """Refused with insufficient_credit; what runs is stopped when the money ends."""
    buyer = opened(credit_usd=1.0)
    dear = buyer.offer(order=[["dph_total", "desc"]])
    answer = buyer.rent(dear["id"])
    assert answer.status_code == 400
    assert answer.json()["error"] == "insufficient_credit"
    offer = buyer.offer()
    number = buyer.rented(offer["id"], image="alpine", disk=1)
    hours = 1.0 / offer["dph_total"]
    buyer.world.advance(hours * 3600 * 0.9)
    assert buyer.show(number)["actual_status"] == "running"
    buyer.world.advance(hours * 3600 * 0.2)
    assert buyer.show(number)["actual_status"] == "stopped"
    credit = buyer.ask("GET", "/api/v0/users/current/").json()["credit"]
    assert -0.01 < credit <= 0
