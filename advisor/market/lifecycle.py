"""What a market that rents is asked, and what it answers.

A market that only lists keeps the protocol `advisor.market.types.Market`; one that
also rents keeps `RentalMarket`. Both are what a plug-in may be (entry-point group
`advisor.markets`); `advisor.market.conformance.RentalConformance` tests one.

Examples
--------
From an order to the end of a rental, whichever market it is::

    number = market.rent(Order(offer_id, "pytorch/pytorch", 40.0, label))
    market.instance(number)  # until its status is RUNNING
    market.release(number)
    assert market.instance(number) is None
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from advisor.market.types import Market

RUNNING = "running"
STARTING = frozenset({None, "created", "loading", "rebooting"})
"""Statuses of an instance that may still come to run by itself."""

BROKEN_AT_BOOT = frozenset({"exited", "unknown", "offline"})
"""Statuses that no instance has been seen to recover from on its first boot."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be rented.

    Attributes
    ----------
    offer_id : the market's id of the offer
    image : Docker image
    disk_gb : GB of disk, fixed for the life of the instance
    label : unique; by it a rental is found again whose answer was lost
    onstart : shell script that the instance runs whenever it starts
    env : environment variables of the container
    bid_usd_per_hour : bid for the GPU part, $/h; None: on demand
    """

    offer_id: int
    image: str
    disk_gb: float
    label: str
    onstart: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    bid_usd_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an ssh server answers."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Instance:
    """A rented machine as the market shows it. What the market does not say is None.

    Attributes
    ----------
    instance_id : the market's id
    label : as it was rented; ``""`` without one
    status : the market's word for what it does now, also one that nobody here knows;
        None while it is being set up
    intended_status : what it shall come to
    message : what the market says of it, for people
    machine_id, host_id : the box and its owner, `UNKNOWN_ID` where not known
    gpu_name, num_gpus : what is rented
    usd_per_hour : while it runs, disk included, $/h
    storage_usd_per_hour : for its disk, also while it is stopped, $/h
    is_bid : whether others can outbid it
    started_unix_s : when the contract began, seconds since 1970
    ssh : where ssh may answer, the best first; empty while nobody knows
    """

    instance_id: int
    label: str
    status: str | None
    intended_status: str | None
    message: str
    machine_id: int
    host_id: int
    gpu_name: str
    num_gpus: int | None
    usd_per_hour: float | None
    storage_usd_per_hour: float | None
    is_bid: bool
    started_unix_s: float | None
    ssh: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class SelfRelease:
    """A request that an instance sends to end its own rental.

    Attributes
    ----------
    method, url, body : of the request; `url` holds a shell expression of the id
    key_variable : environment variable of the instance that has its restricted key,
        sent as ``Authorization: Bearer``
    """

    method: str
    url: str
    body: str
    key_variable: str


@dataclass(frozen=True, slots=True)
class Account:
    """Who rents.

    Attributes
    ----------
    account_id : the market's id of the account
    credit_usd : what is left to spend, $; None where the market does not say
    ahead_s : seconds by which this computer's clock was ahead of the market's at this
        answer; None where it does not say what time it is
    """

    account_id: str
    credit_usd: float | None
    ahead_s: float | None = None


@runtime_checkable
class AccountMarket(Market, Protocol):
    """A market that knows who asks, and what that account has rented."""

    def account(self) -> Account:
        """Return who rents.

        Raises
        ------
        advisor.base.errors.MarketError
            if the market cannot be asked or its answer makes no sense
        """
        ...

    def instances(self, label_prefix: str = "") -> Sequence[Instance]:
        """Return all instances of the account whose label starts so.

        Raises
        ------
        advisor.base.errors.MarketError
            if the list cannot be read whole: a part of it is never returned
        """
        ...


@runtime_checkable
class RentalMarket(AccountMarket, Protocol):
    """A market where machines can be rented. Its money-moving calls never repeat."""

    @property
    def address(self) -> str:
        """Where the market is asked, such as ``"console.vast.ai"``.

        With the account's id it says whose rentals an entry of the ledger is about: a
        simulator or a second account is another market.
        """
        ...

    @property
    def ahead_s(self) -> float | None:
        """Seconds by which this computer's clock was ahead of the market's.

        At its last answer that said what time it is; None if none did yet.
        """
        ...

    def self_release(self, instance_id_variable: str) -> SelfRelease:
        """Return the request by which an instance ends itself, with a key of its own.

        Parameters
        ----------
        instance_id_variable : shell expression of the instance's id, such as
            ``"$CONTAINER_ID"``
        """
        ...

    def rent(self, order: Order) -> int:
        """Rent an offer; return the id of the new instance.

        Sent once: never repeated, whatever happens. What is "surely" below is so if
        nobody on the way repeats a request: the caller looks at `instances` all the same.

        Raises
        ------
        advisor.base.errors.NotSentError
            if nothing was sent
        advisor.base.errors.OfferGoneError
            if the offer is no longer there: surely nothing was rented
        advisor.base.errors.PlacementError
            if a contract was made although the market reports an error: it bills, and
            must be released
        advisor.base.errors.CreditError
            if the account cannot pay: surely nothing was rented
        advisor.base.errors.RateLimitedError
            if the market refused to look at the request: surely nothing was rented
        advisor.base.errors.KeyRefusedError
            if the market refuses the key: surely nothing was rented
        advisor.base.errors.RentalStateUnknownError
            if the outcome is unknown: time-out, 5xx, an answer that makes no sense
        advisor.base.errors.MarketError
            if the market refuses the order otherwise: surely nothing was rented
        """
        ...

    def instance(self, instance_id: int) -> Instance | None:
        """Return one instance, None if the market says that there is no such.

        Raises
        ------
        advisor.base.errors.MarketError
            if the market cannot be asked or its answer makes no sense
        """
        ...

    def release(self, instance_id: int) -> None:
        """End a rental for good, its disk included; one that has ended is no error.

        The caller verifies with `instance` that it is gone.

        Raises
        ------
        advisor.base.errors.MarketError
            if the market cannot be asked or refuses
        """
        ...
