"""What is to be rented, what it may cost, and what came of each attempt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from advisor.market.lifecycle import Instance
from advisor.market.types import Answer, Query
from advisor.ranking import Ranking
from advisor.rental.caps import Caps
from advisor.store.ledger import Entry

DEFAULT_ATTEMPTS = 5
MOST_ATTEMPTS = 50

Outcome = Literal[
    "rented",
    "would_rent",
    "gone",
    "changed",
    "taken",
    "refused",
    "rate_limited",
    "placement_failed",
    "lost",
    "too_slow",
    "unanswered",
    "broken",
    "outbid",
    "vanished",
    "dearer",
]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one offer.

    Attributes
    ----------
    offer_id, machine_id : the offer
    outcome : in one word
    reason : for people
    """

    offer_id: int
    machine_id: int
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer of a ranking."""

    ranking: Ranking
    at: int

    @property
    def offer_id(self) -> int:
        """The market's id of the offer."""
        return int(self.ranking.offers.offer_id[self.at])

    @property
    def machine_id(self) -> int:
        """The market's id of the machine."""
        return int(self.ranking.offers.machine_id[self.at])

    @property
    def usd_per_hour(self) -> float:
        """Price while it runs, disk included, $/h."""
        return float(self.ranking.bill.usd_per_hour[self.at])

    @property
    def epoch_usd(self) -> float:
        """Expected cost of an epoch, $."""
        return float(self.ranking.bill.epoch_usd[self.at])

    @property
    def job_hours(self) -> float:
        """Expected hours of the whole job."""
        return float(self.ranking.bill.job_hours[self.at])

    @property
    def name(self) -> str:
        """The GPUs, for people."""
        offers = self.ranking.offers
        return f"{offers.num_gpus[self.at]:.0f} x {offers.gpu_name[self.at]}"


@dataclass(frozen=True, slots=True)
class RentRequest:
    """What is to be rented.

    Attributes
    ----------
    job : name that the rental has in ledger and label
    query : what the market is asked
    rank : ranks what the market answers
    disk_gb : GB of disk, a whole number
    image : Docker image
    onstart : returns the script that the machine runs at every start, given when the
        rental must be gone (seconds since 1970)
    caps : what may be spent
    lifetime_s : seconds after which the rental is ended; None: from the predicted time
    attempts : offers that are tried
    start_timeout_s : seconds from rent to a machine that is ready; None: three times
        what is predicted, and ten minutes
    answers : tells whether ssh answers; None: a running machine is enough
    interruptible : the ranking's bid is made
    """

    job: str
    query: Query
    rank: Callable[[Answer], Ranking]
    disk_gb: float
    image: str
    onstart: Callable[[float], str]
    caps: Caps
    lifetime_s: float | None = None
    attempts: int = DEFAULT_ATTEMPTS
    start_timeout_s: float | None = None
    answers: Callable[[Instance], bool] | None = None
    interruptible: bool = False


@dataclass(frozen=True, slots=True)
class Rental:
    """A machine that was rented and runs.

    Attributes
    ----------
    entry : in the ledger
    instance : as the market showed it when it ran
    chosen : the offer, and what was predicted of it
    attempts : on the way there
    """

    entry: Entry
    instance: Instance
    chosen: Candidate
    attempts: tuple[Attempt, ...]
