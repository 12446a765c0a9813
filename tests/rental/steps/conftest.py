"""An account on a market in memory, to try each step of renting alone and at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from advisor.base.clock import Clock
from advisor.base.resources import STORE
from advisor.market.lifecycle import RUNNING, Account, Endpoint, Instance, Order
from advisor.market.types import Answer, Query
from advisor.rental.context import RentalContext
from advisor.rental.labels import new_label
from advisor.store.ledger import Entry, Ledger

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC).timestamp()
HOUR_S = 3600.0
ACCOUNT = "plain/me"


@dataclass
class Time:
    """Time that passes where somebody waits.

    Attributes
    ----------
    at : seconds since 1970
    plans : what happens once it is so late, or later
    """

    at: float = NOW
    plans: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        due = [plan for plan in self.plans if plan[0] <= self.at]
        self.plans = [plan for plan in self.plans if plan[0] > self.at]
        for _, happen in due:
            happen()

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        self.plans.append((self.at + seconds, happen))

    @property
    def clock(self) -> Clock:
        return Clock(
            now=lambda: datetime.fromtimestamp(self.at, UTC),
            monotonic=lambda: self.at,
            sleep=self.sleep,
        )


@dataclass
class PlainMarket:
    """A market that rents, as `advisor.market.lifecycle.RentalMarket` has it.

    Attributes
    ----------
    shown : what it has, by id
    unlisted : ids that its list lacks
    answers : of each call the next answers that are errors (None: a good one)
    aheads : what the next answers tell of the clock, the last one for ever
    stubborn : ids that stay when they are ended
    calls : names of the calls, in order
    ended : ids, in order
    number, usd_per_hour : of the next instance that is rented
    shows_at_once : whether that is there before the answer
    offers : whether any offer is found
    queries : what was searched, in order
    """

    time: Time
    shown: dict[int, Instance] = field(default_factory=dict)
    unlisted: set[int] = field(default_factory=set)
    answers: dict[str, list[Any]] = field(default_factory=dict)
    aheads: list[float | None] = field(default_factory=lambda: [0.0])
    ahead_s: float | None = 0.0
    stubborn: set[int] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    name: str = "plain"
    address: str = "plain"
    number: int = 7
    usd_per_hour: float = 0.5
    shows_at_once: bool = True
    offers: bool = True
    queries: list[Query] = field(default_factory=list)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        waiting = self.answers.get(name, [])
        error = waiting.pop(0) if waiting else None
        if error is not None:
            raise error

    def show(self, label: str, number: int = 7, **changes: Any) -> Instance:
        self.shown[number] = instance(number, label, **changes)
        return self.shown[number]

    def rent(self, order: Order) -> int:
        if self.shows_at_once:
            self.show(order.label, self.number, usd_per_hour=self.usd_per_hour)
        self._called("rent")
        return self.number

    def search(self, query: Query) -> Answer:
        self._called("search")
        self.queries.append(query)
        records = [{}] if self.offers else []
        return Answer(records, self.name, "here", None, complete=True)

    def account(self) -> Account:
        self._called("account")
        ahead = self.aheads.pop(0) if len(self.aheads) > 1 else self.aheads[0]
        return Account("me", 12.5, ahead)

    def instances(self, label_prefix: str = "") -> Sequence[Instance]:
        self._called("instances")
        return [
            one
            for number, one in self.shown.items()
            if one.label.startswith(label_prefix) and number not in self.unlisted
        ]

    def instance(self, instance_id: int) -> Instance | None:
        self._called("instance")
        return self.shown.get(instance_id)

    def release(self, instance_id: int) -> None:
        self._called("release")
        self.ended.append(instance_id)
        if instance_id not in self.stubborn:
            self.shown.pop(instance_id, None)


def instance(number: int, label: str, **changes: Any) -> Instance:
    """Return a machine that runs as agreed."""
    made = Instance(
        instance_id=number,
        label=label,
        status=RUNNING,
        intended_status=RUNNING,
        message="",
        machine_id=3,
        host_id=4,
        gpu_name="RTX 4090",
        num_gpus=1,
        usd_per_hour=0.5,
        storage_usd_per_hour=0.1,
        is_bid=False,
        started_unix_s=NOW,
        ssh=(Endpoint("203.0.113.9", 22),),
    )
    return replace(made, **changes)


@dataclass
class Shop:
    """The market, the time, the user's ledger, and what is told."""

    time: Time
    market: PlainMarket
    context: RentalContext
    said: list[str]

    @property
    def ledger(self) -> Ledger:
        return self.context.ledger

    def write(self, state: str = "handed", **changes: Any) -> Entry:
        """Write a rental down that is in a state now, whatever came before."""
        values: dict[str, Any] = {
            "job": "job",
            "market": ACCOUNT,
            "offer_id": 1,
            "machine_id": 3,
            "gpu_ids": (0,),
            "gpu_name": "RTX 4090",
            "num_gpus": 1,
            "usd_per_hour": 0.5,
            "traffic_usd": 0.0,
            "intended_at": self.time.at,
            "ends_at": self.time.at + 10 * HOUR_S,
            "instance_id": 7,
            "place": self.context.place,
            **changes,
        }
        values.setdefault("label", new_label(values["job"], values["ends_at"]))
        entry = Entry(state=state, **values)  # type: ignore[arg-type]
        self.ledger.intend(entry, lambda _: None)
        return entry

    def state(self, entry: Entry) -> str:
        return self.ledger.entry(entry.label).state

    def harm(self) -> None:
        """Make the ledger one that cannot be read."""
        (self.context.folder / STORE).write_bytes(b"no database " * 400)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Return an account whose clock agrees with the market's."""
    time = Time()
    market, said = PlainMarket(time), list[str]()
    folder = tmp_path / "data"
    folder.mkdir()
    context = RentalContext(market, ACCOUNT, folder, time.clock, said.append)  # type: ignore[arg-type]
    return Shop(time, market, context, said)
