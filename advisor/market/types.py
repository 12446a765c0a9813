"""What is asked of a market, and what it answers.

A market is a plug-in: an entry point of the group `advisor.markets` names a
`MarketPlugin`, which opens a `Market` in a `MarketContext`. What else a market may have
is a protocol of its own, which nobody must keep: `LiveMarket`, `WatchedMarket`; a key, a
pulse (`advisor.market.capabilities`); an account, rentals
(`advisor.market.lifecycle`). A plug-in whose market takes a key is a `KeyedPlugin`.
`advisor.market.conformance` is a suite of tests for all of them.

Examples
--------
A whole plug-in, of a market with one offer:

>>> class Corner:
...     name = "corner"
...
...     def __init__(self, context):
...         self._now = context.clock.now
...
...     def search(self, query):
...         offer = {"id": 7, "gpu_name": "RTX 4090", "num_gpus": 1, "dph_total": 0.4}
...         return Answer([offer], "corner", "the corner shop", self._now(), True)
>>> isinstance(Corner, MarketPlugin)
True
>>> corner = Corner(MarketContext({}, Path.home()))
>>> isinstance(corner, Market)
True
>>> corner.search(Query()).records[0]["gpu_name"]
'RTX 4090'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from advisor.base.clock import Clock

if TYPE_CHECKING:
    import httpx

Record = Mapping[str, Any]
"""One offer as the market's JSON has it, in the market's names and units."""


@dataclass(frozen=True, slots=True)
class MarketContext:
    """What a market takes from the world when it is opened, and nothing else.

    Attributes
    ----------
    variables : environment variables
    home : the user's home folder
    transport : carries HTTP requests; None for the network
    clock : time
    detail : what stands after a colon in the name that the user gave, such as the
        path in ``file:PATH``; ``""`` without one
    """

    variables: Mapping[str, str]
    home: Path
    transport: httpx.BaseTransport | None = None
    clock: Clock = field(default_factory=Clock)
    detail: str = ""


Scalar = str | int | float | bool | None
"""A plain value that a field of an offer is compared with; None: unknown."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What one field of an offer must be, see `advisor.market.conditions`.

    Attributes
    ----------
    field : the market's name, or that of a field of another market's records
    operator : the market's: ``"eq"``, ``"neq"``, ``"gt"``, ``"gte"``, ``"lt"``,
        ``"lte"``; ``"in"`` and ``"notin"`` with a tuple; ``"any"``, with None: whatever
        it is, also where a market would look at it otherwise
    value : in the market's unit
    """

    field: str
    operator: str
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a market.

    A market may use any of it to answer less; it need not, since every
    constraint is checked again on the offers (`advisor.market.filters`).
    `None` and an empty tuple mean "not asked".

    Attributes
    ----------
    gpu_names : the market's spellings, any of which will do
    num_gpus : GPUs in the offer, any of which will do
    min_reliability : 0 to 1
    max_usd_per_hour : for the whole offer, searched disk included
    verified : only offers that the market has verified (True), else all
    min_duration_s : seconds that the offer must still stand
    disk_gb : GB of disk whose price the market shall include in `dph_total`
    offer_id : this one offer
    conditions : all of which must hold
    """

    gpu_names: tuple[str, ...] = ()
    num_gpus: tuple[int, ...] = ()
    min_reliability: float | None = None
    max_usd_per_hour: float | None = None
    verified: bool | None = None
    min_duration_s: float | None = None
    disk_gb: float | None = None
    offer_id: int | None = None
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a market answered: the records and where they come from.

    Attributes
    ----------
    records : offers as the market's JSON has them
    market : name of the market, such as ``"vast"``
    origin : where the records were read, for people: a host name or a path
    fetched_at : when the market gave them (UTC), None where unknown
    complete : True if all offers that match are there, False if the market
        left some out, None where unknown
    simulated : True if no such machines exist
    notes : remarks for people, one line each
    bodies : the JSON documents as they came, whose `offers` `records` were read from;
        empty where a market does not pass them on
    """

    records: Sequence[Record]
    market: str
    origin: str
    fetched_at: datetime | None
    complete: bool | None
    simulated: bool = False
    notes: tuple[str, ...] = ()
    bodies: tuple[bytes, ...] = field(default=(), repr=False, compare=False)


@runtime_checkable
class Market(Protocol):
    """A place where offers can be searched."""

    @property
    def name(self) -> str:
        """What the command line calls it."""
        ...

    def search(self, query: Query) -> Answer:
        """Return the offers that match `query`, and perhaps more.

        Raises
        ------
        advisor.base.errors.MarketError
            if the market cannot be asked or its answer makes no sense
        advisor.base.errors.UsageError
            if the market is a file that cannot be read
        """
        ...


@runtime_checkable
class LiveMarket(Market, Protocol):
    """A market that is asked over a network: its answers are stored for a while."""

    @property
    def origin(self) -> str:
        """The place that is asked, for people: a host name.

        Answers are stored under it, so that what another key or address shows is another
        place.
        """
        ...


class Watcher(Protocol):
    """Who is notified of the progress of a search. It must not raise."""

    def waits(self, seconds: float, why: str) -> None:
        """Hear that the next request goes out in so many seconds, and why.

        The words of `why` stand before the seconds: "the market asks to wait".
        """
        ...

    def comes(self, pages: int, so_far: Answer) -> None:
        """See what has come in so many pages: never more than a part."""
        ...


class Unwatched:
    """Nobody who watches."""

    def waits(self, seconds: float, why: str) -> None:
        """Ignore a wait."""

    def comes(self, pages: int, so_far: Answer) -> None:
        """Ignore a part."""


@runtime_checkable
class WatchedMarket(Market, Protocol):
    """A market whose search may take a while, and reports its progress."""

    def search_watched(self, query: Query, watcher: Watcher) -> Answer:
        """Return what `search` returns; the watcher hears of it meanwhile."""
        ...


@runtime_checkable
class MarketPlugin(Protocol):
    """What an entry point names: a function, a class or an object that opens a market."""

    def __call__(self, context: MarketContext, /) -> Market:
        """Open the market; nothing is asked of it yet.

        Raises
        ------
        advisor.base.errors.UsageError
            if it cannot be opened so: a library is missing, a setting makes no sense
        """
        ...


@runtime_checkable
class KeyedPlugin(MarketPlugin, Protocol):
    """A plug-in whose market takes a key, or another secret.

    Both are asked of every plug-in that is installed, before or without its market being
    opened: what they need should be quick to import.
    """

    def has_key(self, context: MarketContext, /) -> bool:
        """Say whether the user has a key: such a market is the default one.

        Raises
        ------
        advisor.base.errors.UsageError
            if the place where it is stored cannot be read
        """
        ...

    def secrets(self, context: MarketContext, /) -> Sequence[str]:
        """Return the text of every secret that the user has, also of those not in use.

        No file that holds one is sent to a rented machine. What cannot be read is left
        out.
        """
        ...
