"""Whether the market still has the machine of a job, as its launcher sees it."""

from __future__ import annotations

from advisor.errors import AdvisorError, StoreError
from advisor.market.lifecycle import RUNNING, Instance
from advisor.rental.desk import Desk
from advisor.store.ledger import Entry

ABSENT_S = 300.0
"""Seconds for which the market must not show a machine before its job goes to another:
a market may forget for minutes; an assumption."""

_ENDING = ("releasing", "released")


class MachineLostError(Exception):
    """The machine that had the command is no more of use."""


class Presence:
    """Looks at one machine, again and again.

    Parameters
    ----------
    desk : where it is rented
    entry : of the ledger
    """

    def __init__(self, desk: Desk, entry: Entry) -> None:
        self.desk = desk
        self.entry = entry
        self._shown_at = desk.clock.monotonic()
        self._called = entry.label

    def instance(self) -> Instance | None:
        """Return the instance if it runs; None if the market does not show it just now.

        Another label than ours is told: it was given by the user.

        Raises
        ------
        MachineLostError
            if it does not run, or was not shown for long: another one is to be rented
        AdvisorError
            if somebody released it: nobody wants another one
        MarketError
            if the market cannot be asked
        """
        number = self.entry.instance_id
        found = None if number is None else self.desk.market.instance(number)
        if found is not None and found.status == RUNNING:
            self._shown_at = self.desk.clock.monotonic()
            if found.label != self._called:
                self.desk.told(f"instance {number} is called {found.label!r} by now")
                self._called = found.label
            return found
        if self._is_released():
            message = f"instance {number} was released: the job is not done"
            raise AdvisorError(message)
        absent_s = self.desk.clock.monotonic() - self._shown_at
        if found is None and absent_s < ABSENT_S:
            return None
        state = "gone" if found is None else str(found.status)
        message = f"instance {number} is {state}"
        raise MachineLostError(message)

    def _is_released(self) -> bool:
        try:
            return self.desk.ledger.entry(self.entry.label).state in _ENDING
        except StoreError:
            return False
