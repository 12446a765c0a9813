"""What is to be rented, and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from advisor.app.constraints import Constraints
from advisor.app.documents import arguments_of, checked_version, document_of, needs
from advisor.app.job import JobSpec
from advisor.app.settle import settle
from advisor.base.errors import ArgumentError, Given
from advisor.rental import arguments
from advisor.rental.labels import check_job
from advisor.rental.request import DEFAULT_ATTEMPTS, MOST_ATTEMPTS

DEFAULT_MARKET = "vast"


@dataclass(frozen=True, slots=True)
class RentSpec:
    """A rental, as it is asked for.

    Attributes
    ----------
    job : what is trained
    offers : which offers will do
    market : where to rent
    name : of the job; its rentals share a budget. None: a new one
    max_epoch_usd : what an epoch may cost, $
    deadline_s : seconds that the whole job may take, predicted
    budget_usd : most that the job may cost, all its rentals together, $
    day_budget_usd : most that all rentals of the account may cost in a day (UTC), $
    max_lifetime_s : seconds after which the machine is gone at the latest; None: by the
        predicted time, and no later than the user's files say
    attempts : offers to try
    start_timeout_s : seconds that one may take to be ready; None: by its network
    lease_s : seconds without a sign of life, of its launcher or of who renews it, after
        which the machine ends itself; None: it waits for none
    verify : whether each machine is measured before it is used, and given back where it
        is slow; None: as it is usual for what is done with it

    Raises
    ------
    UsageError
        if a value cannot be right, or two contradict each other
    """

    job: JobSpec
    offers: Constraints = field(default_factory=Constraints)
    market: str = DEFAULT_MARKET
    name: str | None = None
    max_epoch_usd: float | None = None
    deadline_s: float | None = None
    budget_usd: float | None = None
    day_budget_usd: float | None = None
    max_lifetime_s: float | None = None
    attempts: int = DEFAULT_ATTEMPTS
    start_timeout_s: float | None = None
    lease_s: float | None = None
    verify: bool | None = None

    def __post_init__(self) -> None:
        """Check all of it."""
        settle(self, arguments.text, "market")
        settle(self, arguments.text, "name", may_lack=True)
        dollars = ("max_epoch_usd", "budget_usd", "day_budget_usd")
        settle(self, arguments.above_zero, *dollars, unit="dollars", may_lack=True)
        times = ("deadline_s", "max_lifetime_s", "start_timeout_s", "lease_s")
        settle(self, arguments.seconds, *times, may_lack=True)
        settle(self, arguments.whole, "attempts", most=MOST_ATTEMPTS)
        settle(self, arguments.flag, "verify", may_lack=True)
        if self.name is not None:
            check_job(self.name)
        if self.job.rental == "reserved":
            raise ArgumentError(
                *(
                    Given("rental", "reserved"),
                    ": a reservation is paid ahead, which is ",
                ),
                "not done for you: take on-demand",
            )
        lifetime, timeout = self.max_lifetime_s, self.start_timeout_s
        if lifetime is not None and timeout is not None and timeout >= lifetime:
            raise ArgumentError(
                *(Given("start_timeout_s"), " is no shorter than "),
                *(Given("max_lifetime_s"), ": nothing could run"),
            )

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON has it, versioned."""
        return document_of(self)

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Return what a document holds.

        Raises
        ------
        UsageError
            if it is torn, of a newer advisor, or says what cannot be
        """
        return cls.from_part(checked_version(document))

    @classmethod
    def from_part(cls, found: object) -> Self:
        """Return what a part of a document holds, which has no version of its own."""
        taken = arguments_of(cls, found)
        needs(taken, "job")
        taken["job"] = JobSpec.from_document(taken["job"])
        if "offers" in taken:
            taken["offers"] = Constraints.from_document(taken["offers"])
        return cls(**taken)
