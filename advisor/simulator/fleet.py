"""The machines of a simulated market, and the offers that they make."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from advisor.simulator.box import Box, Holding
from advisor.simulator.generate import Draws, build_machines, load_calibration
from advisor.simulator.generate.machines import HostCpu
from advisor.simulator.habits import Habits
from advisor.simulator.offer_cache import OfferCache, Shown
from advisor.simulator.query import Search

_FIRST_OFFER_ID = 9_000_000
_REMEMBERED = 1000
_SLOW_NETWORK = 0.001


class Fleet:
    """All machines.

    Parameters
    ----------
    offers : at least so many are listed at the start
    seed : of the draws
    habits : how machines are
    now : simulated time, seconds since 1970
    cpu : what every machine is listed with; None: each with a CPU of its own

    Attributes
    ----------
    boxes : machine id -> machine
    opened_unix_s : when the market began, seconds since 1970
    """

    def __init__(
        self,
        offers: int,
        seed: int,
        habits: Habits,
        now: float,
        cpu: HostCpu | None = None,
    ) -> None:
        self._habits = habits
        self._cpu = cpu
        self._draws = Draws(seed)
        self._machines = build_machines(self._draws, load_calibration())
        self._by_offer: dict[int, Box] = {}
        self._former: OrderedDict[int, tuple[Box, tuple[int, ...]]] = OrderedDict()
        self._next_offer_id = _FIRST_OFFER_ID
        self._cache = OfferCache()
        self.opened_unix_s = now
        self.boxes: dict[int, Box] = {}
        while len(self._by_offer) < offers:
            self.add(now)

    def add(self, now: float) -> Box:
        """Let another machine come to the market."""
        machine, free = next(self._machines)
        if self._cpu is not None:
            machine = machine.with_cpu(self._cpu)
        slow = self._draws.chance(self._habits.slow_network)
        end = None if machine.duration_s is None else now + machine.duration_s
        box = Box(
            machine=machine,
            first=machine,
            end_unix_s=end,
            network=_SLOW_NETWORK if slow else 1.0,
        )
        rented = tuple(gpu_id for gpu_id in machine.gpu_ids if gpu_id not in free)
        if rented:
            box.hold(Holding(rented))
        self.boxes[machine.machine_id] = box
        self.relist(box)
        return box

    def remove(self, box: Box) -> None:
        """Take a machine off the market; what is rented there stays."""
        box.listed = False
        self.relist(box)

    def relist(self, box: Box) -> None:
        """List a machine as it is now."""
        before = {number: box.gpus_of(number) for number in box.offer_ids}
        self._next_offer_id = box.relist(self._next_offer_id)
        for offer_id, gpu_ids in before.items():
            if offer_id not in box.offer_ids:
                del self._by_offer[offer_id]
                self._former[offer_id] = box, gpu_ids
        while len(self._former) > _REMEMBERED:
            self._former.popitem(last=False)
        for offer_id in box.offer_ids:
            self._by_offer[offer_id] = box

    def find(self, offer_id: int) -> Box | None:
        """Return the machine of an offer, None if there is no such."""
        return self._by_offer.get(offer_id)

    def find_former(self, offer_id: int) -> tuple[Box, tuple[int, ...]] | None:
        """Return machine and GPUs of an offer that was listed a while ago."""
        return self._former.get(offer_id)

    def offers(self, now: float) -> Iterator[tuple[Box, dict[str, Any]]]:
        """Yield every offer with its machine, but those that are about to end."""
        for box in self._standing(now):
            for record in box.records():
                yield box, record

    def search(self, search: Search, cap: int | None, now: float) -> list[Shown]:
        """Return the offers that a search selects, priced as it asks.

        They are good until the next search: it updates how long they then stand.

        Parameters
        ----------
        cap : most rows, see `Search.select`
        """
        asked = search.kind, search.disk_gb
        shown = [
            one for box in self._standing(now) for one in self._cache.of(box, asked, now)
        ]
        self._cache.used(asked)
        return search.select(shown, cap)

    def _standing(self, now: float) -> Iterator[Box]:
        """Yield the machines whose offers have not ended."""
        for box in self.boxes.values():
            if box.end_unix_s is None or box.end_unix_s > now:
                yield box
