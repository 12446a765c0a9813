"""Where rentals are made: one account on one market, one ledger, one clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from advisor.base.clock import Clock
from advisor.base.errors import AdvisorError, MarketError, StoreError
from advisor.base.interrupts import window
from advisor.base.progress import Progress, doing, quiet
from advisor.market.lifecycle import Instance, RentalMarket
from advisor.market.told import searched
from advisor.market.types import Answer, Query
from advisor.rental.labels import PREFIX
from advisor.store.ledger import Ledger
from advisor.store.place import place_of

CLOCKS_DIFFER_S = 300.0
"""Seconds by which this computer's clock may differ from the market's; an assumption."""

_LOCKS = "launchers"
_CONFIRM_PAUSE_S = 5.0
_SAME_DIFFERENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class RentalContext:
    """What every step of a rental needs.

    Attributes
    ----------
    market : where machines are rented
    account : address and account, as the ledger has them
    folder : the user's data folder
    clock : time of this computer
    notify : takes one line for people; never raises
    credit_usd : what the account had left when this was opened, $; None: the market
        does not say
    words : returns the message of an error that is only notified of, in the words of the
        user's face
    progress : is told what is waited for, and how much of a copy has gone or come
    """

    market: RentalMarket
    account: str
    folder: Path
    clock: Clock
    notify: Callable[[str], None]
    credit_usd: float | None = None
    words: Callable[[AdvisorError], str] = str
    progress: Progress = quiet

    @property
    def ledger(self) -> Ledger:
        """The user's ledger."""
        return Ledger(self.folder)

    @property
    def place(self) -> str:
        """Computer and data folder: a copy of the folder elsewhere is another place."""
        return place_of(self.folder)

    def is_here(self, place: str) -> bool:
        """Say whether an entry of the ledger was written here; old ones do not tell."""
        return place in ("", self.place)

    def now(self) -> float:
        """Return the time, seconds since 1970: the market's, where it tells it."""
        return self.clock.now().timestamp() - (self.market.ahead_s or 0.0)

    def clocks_differ(self) -> str:
        """Return what is wrong if this clock and the market's differ, else ``""``."""
        ahead_s = self.market.ahead_s
        if ahead_s is None or abs(ahead_s) <= CLOCKS_DIFFER_S:
            return ""
        side = "ahead of" if ahead_s > 0 else "behind"
        return (
            f"this computer's clock is {abs(ahead_s) / 60.0:,.0f} min {side} the "
            "market's: set it right"
        )

    def agreed_now(self) -> float:
        """Return the time by which something is rented: both clocks must agree on it.

        Raises
        ------
        AdvisorError
            if they do not: ends would be wrong for this computer or for others
        """
        if wrong := self.clocks_differ():
            message = f"{wrong}; nothing is rented until then"
            raise AdvisorError(message)
        return self.now()

    def is_over(self, end: float) -> bool:
        """Say whether an end has come, by an answer that the market gives to that.

        This computer's clock may have been set since the last one. Where it and the
        market's differ, or an answer differs from those before it, two must agree. A
        market that never says what time it is leaves it to this computer's clock.

        Parameters
        ----------
        end : seconds since 1970
        """
        before = self.market.ahead_s
        if self.now() < end:
            return False
        if before is None:
            return True
        ahead_s = self._ahead_s_now()
        if ahead_s is None or not self._is_past(end, ahead_s):
            return False
        if not self.clocks_differ() and abs(ahead_s - before) < _SAME_DIFFERENCE_S:
            return True
        self.sleep(_CONFIRM_PAUSE_S)
        again_s = self._ahead_s_now()
        return (
            again_s is not None
            and abs(again_s - ahead_s) < _SAME_DIFFERENCE_S
            and self._is_past(end, again_s)
        )

    def _is_past(self, end: float, ahead_s: float) -> bool:
        return self.clock.now().timestamp() - ahead_s >= end

    def _ahead_s_now(self) -> float | None:
        """Return by how much this clock is ahead, None if the market does not say."""
        try:
            return self.market.account().ahead_s
        except MarketError:
            return None

    def sleep(self, seconds: float, what: str = "") -> None:
        """Wait; Ctrl-C ends it.

        Parameters
        ----------
        what : is waited for, where that is told
        """
        told = doing(self.progress, what) if what else nullcontext()
        with window(), told:
            self.clock.sleep(seconds)

    def search(self, query: Query) -> Answer:
        """Return what the market answers.

        Raises
        ------
        advisor.base.errors.MarketError
            if it cannot be asked
        """
        return searched(self.market, query, self.progress)

    def listed(self) -> Mapping[str, Sequence[Instance]]:
        """Return what the account has on the market of ours: label -> instances.

        Raises
        ------
        advisor.base.errors.MarketError
            if the market does not list it as a whole
        """
        with window():
            listed = self.market.instances(PREFIX)
        found: dict[str, list[Instance]] = {}
        for instance in listed:
            found.setdefault(instance.label, []).append(instance)
        return found

    @contextmanager
    def work_on(self, label: str) -> Iterator[bool]:
        """Work on a rental as the only process here; yield whether that is so.

        The lock goes with the process that has it, also if that is killed: who gets it
        knows that the launcher of the rental is gone. One that hangs keeps it: see
        `advisor.rental.hold`.
        """
        folder = self.folder / _LOCKS
        lock = FileLock(folder / f"{label.replace(':', '+')}.lock", thread_local=False)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        except OSError as error:
            message = (
                f"{folder}: {error.strerror}: no launcher can be told from a dead one"
            )
            raise StoreError(message) from error
        try:
            yield True
        finally:
            lock.release()


def open_rental_context(
    market: RentalMarket,
    folder: Path,
    clock: Clock,
    notify: Callable[[str], None],
    words: Callable[[AdvisorError], str] = str,
    *,
    progress: Progress = quiet,
) -> RentalContext:
    """Return the rental context of the account that the market knows us by.

    Parameters
    ----------
    market, folder, clock, notify, words, progress : see `RentalContext`

    Raises
    ------
    advisor.base.errors.MarketError
        if the market does not say who we are
    """
    account = market.account()
    address = f"{market.address}/{account.account_id}"
    credit = account.credit_usd
    return RentalContext(market, address, folder, clock, notify, credit, words, progress)
