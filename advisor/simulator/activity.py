"""What happens on a simulated market by itself: buyers, prices, failures, departures."""

from __future__ import annotations

import math
from collections.abc import Callable

from advisor.base.units import SECONDS_PER_HOUR
from advisor.simulator.box import Box, Holding
from advisor.simulator.generate import Draws
from advisor.simulator.parts import Parts
from advisor.simulator.rentals import Rentals

_PULL_BACK = 0.9
"""Share of its distance from the first price that a price keeps at a change."""

_MOST_OVERBID = 0.3


class Activity:
    """Keeps a market moving; each machine has its own course.

    Parameters
    ----------
    parts : of the market that this one works with
    rentals : what is rented
    """

    def __init__(self, parts: Parts, rentals: Rentals) -> None:
        self._habits = parts.habits
        self._fleet = parts.fleet
        self._timeline = parts.timeline
        self._log = parts.log
        self._rentals = rentals
        self._draws = Draws(parts.seed + 1)
        for box in list(parts.fleet.boxes.values()):
            self._begin(box)

    def _begin(self, box: Box) -> None:
        """Set the course of a machine that is new on the market."""
        habits, machine = self._habits, box.machine
        self._each(habits.arrivals_per_h, box, self._arrive)
        self._each(habits.price_moves_per_h, box, self._move_price)
        self._each(habits.leaves_per_h, box, self._leave)
        if habits.repair_h and machine.reliability < 1:
            up_h = habits.repair_h * machine.reliability / (1 - machine.reliability)
            self._each(1 / up_h, box, self._fail)
        if habits.arrivals_per_h:
            for holding in {id(one): one for one in box.holders.values()}.values():
                self._let_go(box, holding)

    def _each(self, per_hour: float, box: Box, happen: Callable[[Box], None]) -> None:
        """Let something happen again and again while the machine is listed."""
        if per_hour <= 0:
            return

        def once() -> None:
            if box.listed:
                happen(box)
                self._timeline.after(self._wait_s(1 / per_hour), once)

        self._timeline.after(self._wait_s(1 / per_hour), once)

    def _wait_s(self, mean_h: float) -> float:
        """Return a waiting time without memory, s."""
        return -math.log(self._draws.uniform()) * mean_h * SECONDS_PER_HOUR

    def _arrive(self, box: Box) -> None:
        """Let another buyer take some GPUs, on demand or for a bid."""
        sizes, draws = box.sizes(), self._draws
        if not sizes:
            return
        count = sizes[draws.integer(0, len(sizes))]
        bid = None
        if draws.chance(self._habits.bidders):
            least = box.least_bid(box.open_ids[:count])
            bid = least * (1 + _MOST_OVERBID * draws.uniform())
        gpu_ids = box.obtainable(bid)[:count]
        if len(gpu_ids) == count:
            holding = Holding(gpu_ids, bid)
            self._rentals.evict(box.hold(holding))
            self._rentals.settle(box)
            self._let_go(box, holding)

    def _let_go(self, box: Box, holding: Holding) -> None:
        """Let another buyer give its GPUs back after a while."""

        def leave() -> None:
            box.release(holding)
            self._rentals.settle(box)

        self._timeline.after(self._wait_s(self._habits.stay_h), leave)

    def _move_price(self, box: Box) -> None:
        """Change the price and the least bid, not far from the first ones."""
        now, first = box.machine, box.first
        box.reprice(
            self._moved(now.price_usd_per_gpu_hour, first.price_usd_per_gpu_hour),
            self._moved(now.bid_usd_per_gpu_hour, first.bid_usd_per_gpu_hour),
        )
        self._rentals.settle(box)

    def _moved(self, price: float, first: float) -> float:
        if price <= 0 or first <= 0:
            return price
        step = self._habits.price_log_sd * self._draws.normal()
        return round(first * math.exp(_PULL_BACK * math.log(price / first) + step), 6)

    def _fail(self, box: Box) -> None:
        """Let a machine fail and come back."""
        if not box.up:
            return

        def repair() -> None:
            self._tell(box, "machine_up")
            self._rentals.machine_up(box)

        self._tell(box, "machine_down")
        self._rentals.machine_down(box)
        self._timeline.after(self._wait_s(self._habits.repair_h), repair)

    def _leave(self, box: Box) -> None:
        """Take a machine off the market, and let another one come."""
        self._tell(box, "machine_left")
        self._fleet.remove(box)
        self._begin(self._fleet.add(self._timeline.now))

    def _tell(self, box: Box, kind: str) -> None:
        machine_id = box.machine.machine_id
        self._log.add(self._timeline.now, kind, machine_id=machine_id, instance_id=None)
