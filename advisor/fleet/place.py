"""A place of a cluster: a machine is rented for it, looked after, and replaced if lost.

Each place has one thread, from the rental of its first machine to the confirmed end of
its last one. It is a daemon, so that a program which forgets to close its cluster gets as
far as Dask's own end: that closes the cluster, and waits for the thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Collection
from typing import Protocol

from distributed.deploy.spec import ProcessInterface

from advisor.base.errors import (
    LeaseLostError,
    NothingFitsError,
    OverBudgetError,
    ReleasedError,
    RemoteError,
    RentalStateUnknownError,
    UnreachableError,
)
from advisor.base.interrupts import check, stoppable
from advisor.fleet.member import Member
from advisor.rental.presence import MachineLostError

TRIES = 3
"""Machines in a row that run no worker, after which a place is given up: the fourth would
hardly do; an assumption."""

STARTS = 6
"""Times in a row that a worker is started on a machine which can be reached. Dask fails a
task that has ended four workers: the machine must outlast that, and be kept."""

_LOOK_S = 1.0
_AGAIN_S = 5.0

_LOST = (MachineLostError, OverBudgetError, RemoteError)
"""What ends a machine, and leaves its place to another. A lifetime that is over is an
`OverBudgetError`: whether there may be another machine, its rental says. One that the
market shows no more was perhaps ended elsewhere, and is not replaced."""

_NOT_OURS = (LeaseLostError, ReleasedError)
"""What says that somebody else has taken a machine, or ended it on purpose."""


class Owner(Protocol):
    """The cluster of a place, as a place calls it."""

    def rent(self) -> Member:
        """Rent a machine."""

    def notify(self, line: str) -> None:
        """Take a line for people."""

    def joined(self) -> Collection[str]:
        """Return the names of the workers that the scheduler has."""

    def gave_up(self, place: Place, error: BaseException) -> None:
        """Hear that a place has no machine, and gets none any more."""

    def left(self, words: str) -> None:
        """Hear what may still be there and bill."""

    async def retire(self, workers: Collection[str]) -> None:
        """Have workers hand on what they hold, and get no more tasks."""


class Place(ProcessInterface):
    """A place of a cluster, as Dask opens and closes it.

    Parameters
    ----------
    scheduler : its address, which Dask passes
    name : of the place
    owner : the cluster

    Attributes
    ----------
    worker_names : of the workers on its machine; empty while there is none
    """

    def __init__(self, scheduler: str, name: str, owner: Owner) -> None:
        super().__init__(scheduler, name)
        self.name = name
        self.worker_names: tuple[str, ...] = ()
        self._owner = owner
        self._failed = 0
        self._is_closing = False
        self._stop = threading.Event()
        self._ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="place", daemon=True)

    async def start(self) -> None:
        """Begin to rent; return at once, since that takes minutes."""
        self._thread.start()
        await super().start()

    async def close(self) -> None:
        """Give the machine back, and return once the market has confirmed its end.

        Where it does not, the owner hears of it: others are given back all the same.
        """
        self._is_closing = True
        try:
            if self.worker_names:
                await self._owner.retire(self.worker_names)
        finally:  # whatever became of that, the machine bills
            self.stop()
        if self._thread.ident is not None:
            await asyncio.shield(asyncio.wrap_future(self._ended))
        await super().close()

    def stop(self) -> None:
        """Have the machine given back."""
        self._stop.set()

    def join(self) -> None:
        """Wait until it is."""
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        """Have one machine after another, until told to stop or none can be had."""
        refusal: BaseException | None = None
        try:
            while not self._stop.is_set():
                self._have_one()
        except KeyboardInterrupt:  # as what is `stoppable` ends
            pass
        except BaseException as error:  # whatever it is, who waits must hear of it
            refusal = error
            if isinstance(error, RentalStateUnknownError):
                self._owner.left(str(error))
        finally:
            self._ended.set_result(None)
        if refusal is not None:
            self._owner.gave_up(self, refusal)

    def _have_one(self) -> None:
        """Rent a machine, and look after it until it is lost.

        Raises
        ------
        KeyboardInterrupt
            if the place is closed meanwhile
        AdvisorError
            if none can be had, or somebody else has ended this one
        """
        with stoppable(self._stop):
            member = self._owner.rent()
        try:
            with stoppable(self._stop):
                member.prepare()
                self._connect(member)
                self._look_after(member)
        except _NOT_OURS:
            self._leave(member)
            raise
        except _LOST as error:
            why = _words(error)
            self._owner.notify(f"{member.name} is lost: {why}")
            self._give_back(member, why)
            self._count(why)
        except BaseException as error:
            is_stopped = isinstance(error, KeyboardInterrupt)
            self._give_back(member, "its work is done" if is_stopped else _words(error))
            raise

    def _connect(self, member: Member) -> None:
        """Connect a machine, and wait until its worker has joined.

        Raises
        ------
        RemoteError
            if it does not, and the machine can be reached
        """
        tries = 0
        while True:
            try:
                member.connect()
            except RemoteError as error:
                tries += not isinstance(error, UnreachableError)
                if tries == STARTS:
                    raise
                self._owner.notify(f"{member.name}: {_words(error)}; trying again")
            else:
                self.worker_names = member.worker_names
                self._failed = 0
                return
            self._wait(_AGAIN_S)
            member.look()

    def _look_after(self, member: Member) -> None:
        """Look after a machine, and connect it again where that breaks."""
        while True:
            self._wait(_LOOK_S)
            member.look()
            if not member.is_connected:
                self._owner.notify(f"{member.name}: the connection broke")
            elif not (
                self._is_closing or set(self.worker_names) <= set(self._owner.joined())
            ):
                self._owner.notify(f"{member.name}: its Dask worker has died")
            else:
                continue
            self.worker_names = ()
            self._connect(member)

    def _wait(self, seconds: float) -> None:
        """Wait.

        Raises
        ------
        KeyboardInterrupt
            if the place is closed meanwhile
        """
        self._stop.wait(seconds)
        check()

    def _count(self, why: str) -> None:
        """Count a machine that was lost, unless it ever ran a worker.

        Raises
        ------
        NothingFitsError
            if there were several of them
        """
        self._failed += 1
        if self._failed >= TRIES:
            message = f"{TRIES} machines in a row ran no worker; of the last: {why}"
            raise NothingFitsError(message)

    def _give_back(self, member: Member, why: str) -> None:
        """Give a machine back; where that cannot be confirmed, the owner hears of it."""
        self.worker_names = ()
        try:
            member.disconnect()
        except Exception as error:  # nothing of Dask's keeps a machine from its end
            self._owner.notify(f"{member.name} is not disconnected: {_words(error)}")
        try:
            member.release(why)
        except Exception as error:
            self._owner.left(_left(member, error))
            member.leave()

    def _leave(self, member: Member) -> None:
        self.worker_names = ()
        member.leave()


def _left(member: Member, error: Exception) -> str:
    if isinstance(error, RentalStateUnknownError):
        return str(error)
    what = f"{member.name} may still be there and bill"
    return f"{what}: {_words(error)}; run 'advisor reconcile'"


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
