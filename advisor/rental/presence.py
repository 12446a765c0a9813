"""Whether the machine of a job is there, is ours, and has time left, as a job sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from advisor.base.errors import (
    AdvisorError,
    LeaseLostError,
    MarketError,
    NotShownError,
    OverBudgetError,
    ReleasedError,
    UnreachableError,
)
from advisor.market.lifecycle import RUNNING, STARTING, Instance
from advisor.rental.context import RentalContext
from advisor.rental.hold import Hold
from advisor.rental.remote.ssh import Ssh
from advisor.rental.strays import end_strays
from advisor.store.ledger import Entry

Result = TypeVar("Result")

ABSENT_S = 300.0
"""Seconds for which the market must not show a machine, or show that it starts again,
before its launcher gives it up: a market may forget for minutes, and hosts restart their
machines; an assumption."""

LAST_CHANCE_S = 300.0
"""Seconds before its end in which a machine is wound up: results are copied back."""

PAUSE_S = 5.0

_LOOK_S = 60.0
_PATIENCE_S = 300.0
_ENDING = ("releasing", "released")


class MachineLostError(Exception):
    """The machine that had the command is no more of use."""


class Presence:
    """Looks at one machine, again and again.

    Parameters
    ----------
    context : where it is rented
    entry : of the ledger
    hold : of this process on it

    Attributes
    ----------
    ssh : the way to it, which learns where the market shows the machine, such as after a
        restart; None while there is none
    """

    def __init__(self, context: RentalContext, entry: Entry, hold: Hold) -> None:
        self.context = context
        self.entry = entry
        self.ssh: Ssh | None = None
        self._hold = hold
        self._ran_at = context.clock.monotonic()
        self._looked_at = self._ran_at
        self._called = entry.label

    def instance(self) -> Instance | None:
        """Return the instance if it runs; None if it may do so again by itself.

        That is where the market does not show it just now, or shows that it restarts.

        Another label than ours is told: it was given by the user.

        Raises
        ------
        MachineLostError
            if it does not run, or restarts for long: another one is to be rented
        NotShownError
            if it was not shown for long, of which nobody knows the reason
        ReleasedError
            if somebody released it
        MarketError
            if the market cannot be asked
        """
        number = self.entry.instance_id
        found = None if number is None else self.context.market.instance(number)
        if found is not None and found.status == RUNNING:
            self._ran_at = self.context.clock.monotonic()
            if self.ssh is not None:
                self.ssh.learn(found.ssh)
            if found.label != self._called:
                self.context.notify(f"instance {number} is called {found.label!r} by now")
                self._called = found.label
            return found
        if self._is_released():
            raise self._released()
        is_starting = (
            found is not None
            and found.status in STARTING
            and found.intended_status != "stopped"
        )
        has_time = self.context.clock.monotonic() - self._ran_at < ABSENT_S
        if has_time and (found is None or is_starting):
            return None
        if found is not None:
            still = "still " if is_starting else ""
            message = f"instance {number} is {still}{found.status or 'being set up'}"
            raise MachineLostError(message)
        message = f"the market does not show instance {number} any more"
        raise NotShownError(message)

    def renew(self) -> None:
        """Renew this process's lease of the machine if it is time to.

        A ledger without the rental is told and no reason to end it: nobody can have
        taken it there.

        Raises
        ------
        LeaseLostError
            if another process works on it by now
        ReleasedError
            if somebody released it
        """
        try:
            self._hold.renew()
        except LeaseLostError as error:
            if self._is_released():
                raise self._released() from error
            raise
        except AdvisorError as error:
            self.context.notify(f"{error}; the job goes on")

    def look_after(self) -> None:
        """Raise if the machine is lost, is no more ours, or its time is over.

        A market that cannot be asked, or refuses the key, ends nothing: the command runs
        all the same.

        Raises
        ------
        OverBudgetError
            if its time is over
        MachineLostError, AdvisorError
            as `instance` and `renew`
        """
        if self.context.is_over(self.entry.ends_at - LAST_CHANCE_S):
            message = "the machine's lifetime is over before the job is done: resume it"
            raise OverBudgetError(message)
        self.renew()
        end_strays(self.context)
        try:
            self.instance()
        except MarketError as error:
            self.context.notify(f"{error}; the job goes on")

    def look_now_and_then(self) -> None:
        """Look after the machine once in a while, however often this is called."""
        if self.context.clock.monotonic() - self._looked_at >= _LOOK_S:
            self._looked_at = self.context.clock.monotonic()
            self.look_after()

    def patiently(self, call: Callable[[], Result]) -> Result:
        """Call what may be called again, until the machine can be reached or is lost.

        Raises
        ------
        UnreachableError
            if it cannot be reached for long
        MachineLostError, AdvisorError
            as `look_after`
        """
        started_at = self.context.clock.monotonic()
        while True:
            try:
                return call()
            except UnreachableError as error:
                if self.context.clock.monotonic() - started_at > _PATIENCE_S:
                    raise
                self.context.notify(f"{error}; trying again")
            self.look_after()
            self.context.sleep(PAUSE_S, "waiting to try again")

    def _released(self) -> ReleasedError:
        message = f"instance {self.entry.instance_id} was released: the job is not done"
        return ReleasedError(message)

    def _is_released(self) -> bool:
        try:
            return self.context.ledger.entry(self.entry.label).state in _ENDING
        except AdvisorError:
            return False
