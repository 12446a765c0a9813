"""What happens on the simulated market: who holds what, who gives way, what fails."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.simulator.clock import SimClock
from advisor.simulator.contract import Contract, Wish
from advisor.simulator.habits import QUIET, Habits
from advisor.simulator.refusal import RefusalError
from advisor.simulator.world import World

START = 1_795_262_400.0
LIVELY = Habits(
    arrivals_per_h=2,
    stay_h=2,
    price_moves_per_h=2,
    repair_h=3,
    leaves_per_h=0.02,
    stuck=0.05,
    exits=0.05,
    goes_offline=0.05,
)


def a_world(habits: Habits = QUIET, **more: Any) -> World:
    settings = {"offers": 40, "seed": 3, "credit_usd": 1e6, **more}
    return World(clock=SimClock.manual(START), habits=habits, **settings)


def rent(world: World, offer_id: int, key: str = "k", **wish: Any) -> Contract:
    order = Wish(**{"image": "alpine", "disk_gb": 1.0, **wish})
    with world.looked_at():
        return world.rent(world.account(key), offer_id, order)


def offers(world: World) -> list[dict[str, Any]]:
    with world.looked_at():
        return [record for _, record in world.fleet.offers(world.now)]


def whole_machine(world: World) -> dict[str, Any]:
    return next(one for one in offers(world) if one["gpu_frac"] == 1)


def part_of_a_machine(world: World) -> dict[str, Any]:
    """Return one GPU of a machine that has others to let."""
    several = {one["machine_id"] for one in offers(world) if one["num_gpus"] > 1}
    return next(
        one
        for one in offers(world)
        if one["machine_id"] in several and one["num_gpus"] == 1
    )


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["rent", "bid", "stop", "start", "rebid", "destroy", "wait"]),
        st.integers(0, 10**6),
        st.floats(0.5, 2),
    ),
    min_size=10,
    max_size=60,
)


def step(world: World, what: str, number: int, factor: float) -> None:
    """Do something to the market, if it can be done."""
    if what == "wait":
        world.advance(600 * factor)
        return
    with world.looked_at():
        account = world.account(f"key {number % 2}")
        if what in ("rent", "bid"):
            listed = offers(world)
            if not listed:
                return
            offer = listed[number % len(listed)]
            price = offer["min_bid"] * factor if what == "bid" else None
            wish = Wish("ubuntu", 1.0, bid_usd_per_hour=price)
            # A bid may be too low; on demand every offer can be had.
            with contextlib.suppress(*(RefusalError,) if what == "bid" else ()):
                world.rent(account, offer["id"], wish)
            return
        mine = world.instances_of(account.account_id)
        if not mine:
            return
        contract = mine[number % len(mine)]
        if what == "stop":
            world.rentals.stop(contract)
        elif what == "start":
            world.rentals.start(contract)
        elif what == "destroy":
            world.rentals.destroy(contract, "asked")
        elif contract.is_bid:
            world.rentals.change_bid(contract, contract.gpu_usd_per_hour * factor)


@settings(deadline=None, max_examples=40)
@given(STEPS, st.sampled_from([QUIET, LIVELY]))
def test_no_gpu_is_ever_rented_twice(
    steps: list[tuple[str, int, float]], habits: Habits
) -> None:
    """What runs holds its GPUs, alone; what is offered is held by no one on demand."""
    world = a_world(habits, offers=15)
    for what, number, factor in steps:
        step(world, what, number, factor)
        used = Counter(
            gpu_id
            for contract in world.rentals.contracts.values()
            if contract.status in ("created", "loading", "running")
            and not contract.is_over
            for gpu_id in contract.holding.gpu_ids
        )
        assert not used or max(used.values()) == 1
        for contract in world.rentals.contracts.values():
            holds = contract.box.holds(contract.holding)
            if contract.is_over or contract.status == "stopped":
                assert not holds
            elif contract.status == "running":
                assert holds
                assert contract.box.up
        for box, record in world.fleet.offers(world.now):
            for gpu_id in record["gpu_ids"]:
                holder = box.holders.get(gpu_id)
                assert holder is None or holder.bid_usd_per_gpu_hour is not None


def course(seed: int) -> list[dict[str, Any]]:
    """Return what happens in half a day with one rental."""
    world = a_world(LIVELY, seed=seed)
    rent(world, offers(world)[0]["id"])
    world.advance(43_200)
    return [*world.log.entries, *offers(world)]


def test_the_same_seed_makes_the_same_market() -> None:
    """Events and offers, to the last figure; another seed makes another market."""
    assert course(3) == course(3)
    assert course(3) != course(4)


def test_it_does_not_matter_how_often_one_looks() -> None:
    """Half a day in one step or in many: the same events at the same times."""
    once, often = (a_world(LIVELY) for _ in range(2))
    once.advance(43_200)
    for _ in range(48):
        often.advance(900)
    assert once.log.entries == often.log.entries
    assert offers(once) == offers(often)


def test_a_calm_market_stands_still() -> None:
    """Nothing comes, goes or changes its price within an hour."""
    world = World(offers=60, clock=SimClock.manual(START), calm=True)
    before = offers(world)
    world.advance(3600)
    assert offers(world) == before


def test_a_lively_market_moves() -> None:
    """Offers come and go, prices and least bids move, machines fail and return."""
    world = a_world(LIVELY)
    before = {one["machine_id"]: one for one in offers(world)}
    machines = len(world.fleet.boxes)
    world.advance(86_400)
    after = {one["machine_id"]: one for one in offers(world)}
    kinds = Counter(entry["kind"] for entry in world.log.entries)
    assert kinds["machine_down"] >= kinds["machine_up"] > 0
    assert kinds["machine_left"] > 0
    assert sum(box.listed for box in world.fleet.boxes.values()) == machines
    assert set(before) - set(after)
    assert set(after) - set(before)
    both = set(before) & set(after)
    for name in ("dph_base", "min_bid"):
        assert any(before[one][name] != after[one][name] for one in both)


def test_a_rental_takes_its_gpus_off_the_market() -> None:
    """No other offer of the machine has them, and the rest is listed anew."""
    world = a_world()
    offer = part_of_a_machine(world)
    rent(world, offer["id"])
    rest = [one for one in offers(world) if one["machine_id"] == offer["machine_id"]]
    assert rest
    assert offer["id"] not in {one["id"] for one in rest}
    for one in rest:
        assert not set(one["gpu_ids"]) & set(offer["gpu_ids"])


def test_a_higher_bid_outbids_and_the_lower_one_comes_back() -> None:
    """The outbid instance is stopped, bills its disk alone, and runs again later."""
    world = a_world()
    offer = whole_machine(world)
    low = rent(world, offer["id"], "low", bid_usd_per_hour=offer["min_bid"])
    world.advance(600)
    assert low.status == "running"
    again = next(one for one in offers(world) if one["gpu_ids"] == offer["gpu_ids"])
    assert again["min_bid"] > offer["min_bid"]
    high = rent(world, again["id"], "high", bid_usd_per_hour=again["min_bid"])
    assert (low.status, low.intended) == ("stopped", "running")
    world.advance(600)
    assert high.status == "running"
    before = low.meter.usd(world.now)
    world.advance(3600)
    assert low.meter.usd(world.now) - before == pytest.approx(low.disk_usd_per_hour)
    with world.looked_at():
        world.rentals.destroy(high, "asked")
    world.advance(600)
    assert low.status == "running"


def test_a_raised_bid_wins_the_machine_back() -> None:
    """By the address that changes a bid."""
    world = a_world()
    offer = whole_machine(world)
    low = rent(world, offer["id"], "low", bid_usd_per_hour=offer["min_bid"])
    again = next(one for one in offers(world) if one["gpu_ids"] == offer["gpu_ids"])
    high = rent(world, again["id"], "high", bid_usd_per_hour=again["min_bid"])
    with world.looked_at():
        world.rentals.change_bid(low, again["min_bid"] * 2)
    assert high.status == "stopped"
    world.advance(600)
    assert low.status == "running"


def test_who_pays_on_demand_evicts_who_bids_and_is_not_evicted() -> None:
    """However high the bid."""
    world = a_world()
    offer = whole_machine(world)
    bid = rent(world, offer["id"], "low", bid_usd_per_hour=offer["dph_base"] * 9)
    again = next(one for one in offers(world) if one["gpu_ids"] == offer["gpu_ids"])
    fixed = rent(world, again["id"], "high")
    assert bid.status == "stopped"
    with world.looked_at():
        world.rentals.change_bid(bid, offer["dph_base"] * 99)
    world.advance(600)
    assert (bid.status, fixed.status) == ("stopped", "running")


def test_a_start_without_a_place_is_queued(opened: Callable[..., Any]) -> None:
    """It answers success, starts later and bills from then on."""
    buyer = opened()
    offer = buyer.offer(gpu_frac={"eq": 1})
    first = buyer.rented(offer["id"], image="alpine", disk=1)
    path = f"/api/v0/instances/{first}/"
    buyer.world.advance(600)
    buyer.ask("PUT", path, {"state": "stopped"})
    again = buyer.offer(machine_id={"eq": offer["machine_id"]})
    second = buyer.rented(again["id"], image="alpine", disk=1)
    answer = buyer.ask("PUT", path, {"state": "running"}).json()
    assert answer["success"] is True
    assert "state change queued" in answer["msg"]
    buyer.world.advance(600)
    assert buyer.show(first)["actual_status"] == "stopped"
    buyer.ask("DELETE", f"/api/v0/instances/{second}/", {})
    buyer.world.advance(600)
    assert buyer.show(first)["actual_status"] == "running"


def test_a_boot_passes_through_the_markets_statuses_in_order() -> None:
    """None, created, loading, running: the image's size over the bandwidth."""
    world = a_world()
    offer = offers(world)[0]
    contract = rent(world, offer["id"], image="pytorch/pytorch")
    seen: list[str | None] = [contract.status]
    while contract.status != "running":
        world.advance(1)
        if contract.status != seen[-1]:
            seen.append(contract.status)
    assert seen == [None, "created", "loading", "running"]
    least_s = 3.5 * 8000 / offer["inet_down"]
    assert world.now - contract.created_unix_s > least_s


@pytest.mark.parametrize(
    ("habits", "status"),
    [
        (Habits(stuck=1e9, exits=0, goes_offline=0), "loading"),
        (Habits(stuck=0, exits=1e9, goes_offline=0), "exited"),
        (Habits(stuck=0, exits=0, goes_offline=1e9), "offline"),
    ],
)
def test_a_boot_may_fail_and_never_recovers(habits: Habits, status: str) -> None:
    """Stuck, exited or offline, and the GPU is not billed; the disk is."""
    world = a_world(habits)
    contract = rent(world, max(offers(world), key=lambda one: one["inet_down"])["id"])
    world.advance(7200)
    assert contract.status == status
    with world.looked_at():
        world.rentals.start(contract)
    world.advance(7200)
    assert contract.status == status
    assert contract.meter.gpu_usd == 0
    assert contract.meter.usd(world.now) > 0


def test_a_machine_that_fails_takes_its_instances_offline_and_back() -> None:
    """What had run comes back with it; what was booting never does."""
    world = a_world()
    offer = part_of_a_machine(world)
    old = rent(world, offer["id"])
    world.advance(600)
    rest = next(one for one in offers(world) if one["machine_id"] == offer["machine_id"])
    new = rent(world, rest["id"])
    with world.looked_at():
        world.rentals.machine_down(old.box)
        assert not [
            one for one in offers(world) if one["machine_id"] == offer["machine_id"]
        ]
    assert (old.status, new.status) == ("offline", "offline")
    world.advance(3600)
    gpu_usd = old.meter.gpu_usd
    with world.looked_at():
        world.rentals.machine_up(old.box)
    world.advance(600)
    assert (old.status, new.status) == ("running", "offline")
    old.meter.count(world.now)
    assert 0 < old.meter.gpu_usd - gpu_usd < old.gpu_usd_per_hour * 600 / 3600


def test_a_contract_ends_with_the_offers_end_date() -> None:
    """It is gone and bills no more; the offer is listed no longer either."""
    world = a_world()
    offer = min(
        (one for one in offers(world) if one["end_date"] is not None),
        key=lambda one: one["end_date"],
    )
    contract = rent(world, offer["id"])
    world.advance(offer["end_date"] - START + 1)
    assert contract.is_over
    spent = contract.meter.usd(world.now)
    world.advance(3600)
    assert contract.meter.usd(world.now) == spent
    assert offer["machine_id"] not in {one["machine_id"] for one in offers(world)}


def test_time_passes_by_itself_on_a_running_clock() -> None:
    """A clock of 3600x moves an hour in a second."""
    clock = SimClock(3600.0, START)
    world = World(20, clock=clock, calm=True)
    rent(world, offers(world)[0]["id"])
    first = clock.now()
    while clock.now() < first + 600:
        pass
    with world.looked_at():
        assert world.now > first
