"""The simulator's bill against one that is worked out again from its event log.

A week of a market that moves: 500 instances are rented over the first four days, on
demand and for bids, then stopped, started, bid for anew and destroyed at random. Their
costs are then computed once more, in exact fractions over the intervals that the log
tells of, by code that shares nothing with the simulator's.

    python benchmarks/simulator_bill.py
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from advisor.simulator.clock import SimClock
from advisor.simulator.contract import Wish
from advisor.simulator.refusal import RefusalError
from advisor.simulator.world import World

INSTANCES = 500
DAYS = 7.0
START_UNIX_S = 1_795_262_400.0

_KEYS = ("one", "two", "three")
_IMAGES = ("pytorch/pytorch", "ubuntu", "nvidia/cuda:12.8", "own/image")
_STEP_S = 600.0
_ALLOWED_USD = Fraction(1, 10**6)


def main() -> None:
    """Play a week and print how far the two bills are apart."""
    began = time.perf_counter()
    world = play(INSTANCES, DAYS, offers=3000, seed=20_261_125)
    played_s = time.perf_counter() - began
    billed = {one["id"]: one["billed_usd"] for one in world.ledger()["instances"]}
    again = recomputed(world.log.entries, world.now)
    apart = max(abs(Fraction(billed[number]) - usd) for number, usd in again.items())
    kinds = Counter(entry["kind"] for entry in world.log.entries)
    states = Counter(
        entry["status"] for entry in world.log.entries if entry["kind"] == "status"
    )
    print(f"{len(billed)} instances in {DAYS:.0f} days, played in {played_s:.1f} s")
    print("events:", ", ".join(f"{kind} {kinds[kind]}" for kind in sorted(kinds)))
    print(
        "statuses:",
        ", ".join(f"{kind} {states[kind]}" for kind in sorted(states, key=str)),
    )
    print(
        f"bill: {sum(billed.values()):.6f} $, again: {float(sum(again.values())):.6f} $"
    )
    print(f"largest difference of one instance: {float(apart):.2e} $")
    if set(again) != set(billed) or apart > _ALLOWED_USD:
        sys.exit("the bills differ")


def play(instances: int, days: float, *, offers: int, seed: int) -> World:
    """Return a market in which so many instances were rented and treated at random."""
    world = World(offers, seed, SimClock.manual(START_UNIX_S), credit_usd=1e6)
    draws = random.Random(seed)  # noqa: S311
    accounts = [world.account(key) for key in _KEYS]
    steps = int(days * 86400 / _STEP_S)
    rented = 0
    for step in range(steps):
        with world.looked_at():
            wanted = min(instances, instances * step / (steps * 4 / 7))
            while rented < wanted:
                rented += _rent(world, draws, draws.choice(accounts).account_id)
            for account in accounts:
                _treat(world, draws, account.account_id)
        world.advance(_STEP_S)
    return world


def recomputed(entries: Iterable[Mapping[str, Any]], now: float) -> dict[int, Fraction]:
    """Return what each instance cost until now, $, by the log alone.

    The disk bills from ``created`` to ``destroyed``, the GPUs in every interval between
    two entries in which the last status is ``running``, at the last price.
    """
    stories: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for entry in entries:
        if entry["instance_id"] is not None:
            stories[entry["instance_id"]].append(entry)
    return {number: _cost(story, now) for number, story in stories.items()}


def _cost(story: list[Mapping[str, Any]], now: float) -> Fraction:
    first, hour = story[0], Fraction(3600)
    disk = Fraction(first["disk_gb"]) * Fraction(first["storage_usd_per_gb_month"]) / 720
    price, status, usd = Fraction(first["gpu_usd_per_hour"]), None, Fraction(0)
    ends = [Fraction(entry["at_unix_s"]) for entry in story[1:]] + [Fraction(now)]
    for entry, end in zip(story, ends, strict=True):
        hours = (end - Fraction(entry["at_unix_s"])) / hour
        if entry["kind"] == "status":
            status = entry["status"]
        elif entry["kind"] == "price":
            price = Fraction(entry["gpu_usd_per_hour"])
        elif entry["kind"] == "traffic":
            usd += Fraction(entry["gb"]) * Fraction(entry["usd_per_gb"])
        elif entry["kind"] == "destroyed":
            return usd
        usd += hours * (disk + (price if status == "running" else 0))
    return usd


def _rent(world: World, draws: random.Random, account_id: int) -> bool:
    """Rent an offer, on demand or for a bid that may be too low; say if that worked."""
    offers = [record for _, record in world.fleet.offers(world.now)]
    offer = draws.choice(offers)
    bid = None
    if draws.random() < 0.5:
        bid = offer["min_bid"] * draws.uniform(0.98, 1.4)
    wish = Wish(
        image=draws.choice(_IMAGES),
        disk_gb=min(draws.uniform(5, 200), offer["disk_space"]),
        bid_usd_per_hour=bid,
    )
    account = world.account_by_id(account_id)
    try:
        world.rent(account, offer["id"], wish)
    except RefusalError as refusal:
        return "new_contract" in refusal.body
    return True


def _treat(world: World, draws: random.Random, account_id: int) -> None:
    """Stop, start, bid anew for or destroy some of an account's instances."""
    for contract in world.instances_of(account_id):
        luck = draws.random()
        if luck < 0.004:
            world.rentals.destroy(contract, "asked")
        elif luck < 0.010:
            world.rentals.stop(contract)
        elif luck < 0.025:
            world.rentals.start(contract)
        elif luck < 0.035 and contract.is_bid:
            world.rentals.change_bid(
                contract, contract.gpu_usd_per_hour * draws.uniform(0.9, 1.2)
            )


if __name__ == "__main__":
    main()
