"""What is to be rented, what it may cost, and what came of each attempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from advisor.market.lifecycle import Instance
from advisor.market.types import Answer, Query
from advisor.ranking.offer import RankedOffer
from advisor.ranking.ranking import Ranking
from advisor.rental.arguments import LONGEST_LIFETIME_S
from advisor.rental.caps import Caps
from advisor.rental.hold import Hold
from advisor.rental.misfits import Misfits
from advisor.rental.refused import Cause, NotRented
from advisor.software.misfit import Symptom
from advisor.store.ledger import Entry

DEFAULT_ATTEMPTS = 5
MOST_ATTEMPTS = 50

Outcome = Literal["rented"] | Cause
"""What came of an offer, in one word."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one offer.

    Attributes
    ----------
    offer_id, machine_id : the offer
    outcome : in one word
    reason : for people
    measured : what was measured of the machine, as JSON has it; None: nothing was
    """

    offer_id: int
    machine_id: int
    outcome: Outcome
    reason: str
    measured: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Trial:
    """A machine that runs, and is measured before it is used.

    Attributes
    ----------
    instance : as the market shows it
    candidate : the offer, and what was predicted of it
    others : offers that may be tried after it, the best first
    runs_since : when it was first seen to run, seconds since 1970: it bills since then
    """

    instance: Instance
    candidate: RankedOffer
    others: Sequence[RankedOffer]
    runs_since: float


Verify = Callable[[Trial], NotRented | Mapping[str, Any] | None]
"""Measures a machine: why it is given back; else what was measured of it, as JSON has it;
None where it is not to be measured."""


@dataclass(frozen=True, slots=True)
class RentRequest:
    """What is to be rented.

    Attributes
    ----------
    job : name that the rental has in ledger and label
    query : what the market is asked
    rank : ranks what the market answers
    disk_gb : GB of disk, a whole number
    misfits : what is known not to run, to which each attempt adds
    onstart : returns the script that the machine runs at every start, given the time and
        when the rental must be gone (seconds since 1970)
    caps : what may be spent
    lifetime_s : seconds after which the rental is ended; None: from the predicted time
    longest_s : seconds that a lifetime from the predicted time has at most
    attempts : offers that are tried
    start_timeout_s : seconds from rent to a machine that is ready; None: three times
        what is predicted, and ten minutes
    answers : tells whether ssh answers; None: a running machine is enough
    probe : returns what keeps a machine that answers, and its number of GPUs, from
        running the image, None if nothing does; None: it is not asked
    verify : measures a machine that answers before it is used; None: nobody does
    interruptible : the ranking's bid is made
    may_try : tells whether an offer is this rental's to try, see
        `advisor.rental.claims`; None: each is
    """

    job: str
    query: Query
    rank: Callable[[Answer], Ranking]
    disk_gb: float
    onstart: Callable[[float, float], str]
    caps: Caps
    misfits: Misfits
    lifetime_s: float | None = None
    longest_s: float = LONGEST_LIFETIME_S
    attempts: int = DEFAULT_ATTEMPTS
    start_timeout_s: float | None = None
    answers: Callable[[Instance], bool] | None = None
    probe: Callable[[Instance, int], Symptom | None] | None = None
    verify: Verify | None = None
    interruptible: bool = False
    may_try: Callable[[RankedOffer], bool] | None = None


@dataclass(frozen=True, slots=True)
class Rental:
    """A machine that was rented and runs.

    Attributes
    ----------
    entry : in the ledger
    instance : as the market showed it when it ran
    chosen : the offer, and what was predicted of it
    attempts : on the way there
    hold : of this process on it
    measured : what was measured of it, as JSON has it; None: nothing was
    """

    entry: Entry
    instance: Instance
    chosen: RankedOffer
    attempts: tuple[Attempt, ...]
    hold: Hold
    measured: Mapping[str, Any] | None = None
