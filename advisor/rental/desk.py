"""Where rentals are made: one account on one market, one ledger, one clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from advisor.clock import Clock
from advisor.market.lifecycle import RentalMarket
from advisor.store.ledger import Ledger

_LOCKS = "launchers"


@dataclass(frozen=True, slots=True)
class Desk:
    """What every step of a rental needs.

    Attributes
    ----------
    market : where machines are rented
    account : address and account, as the ledger has them
    folder : the user's data folder
    clock : time
    told : takes one line for people
    credit_usd : what the account had left when the desk was opened, $; None: the market
        does not say
    """

    market: RentalMarket
    account: str
    folder: Path
    clock: Clock
    told: Callable[[str], None]
    credit_usd: float | None = None

    @property
    def ledger(self) -> Ledger:
        """The user's ledger."""
        return Ledger(self.folder)

    def now(self) -> float:
        """Return the time, seconds since 1970."""
        return self.clock.now().timestamp()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.clock.sleep(seconds)

    @contextmanager
    def work_on(self, label: str) -> Iterator[bool]:
        """Work on a rental as the only process; yield whether that is so.

        The lock goes with the process that has it, also if that is killed: who gets it
        knows that the launcher of the rental is gone.
        """
        folder = self.folder / _LOCKS
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{label.replace(':', '+')}.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()


def open_desk(
    market: RentalMarket, folder: Path, clock: Clock, told: Callable[[str], None]
) -> Desk:
    """Return the desk of the account that the market knows us by.

    Raises
    ------
    advisor.errors.MarketError
        if the market does not say who we are
    """
    account = market.account()
    address = f"{market.address}/{account.account_id}"
    return Desk(market, address, folder, clock, told, account.credit_usd)
