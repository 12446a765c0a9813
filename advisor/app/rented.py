"""The Python face of renting: what `advisor rent` and `run` do, for a program.

::

    with advisor.rented(workload="resnet50", max_epoch_usd=0.4) as machine:
        machine.put(".")
        machine.run("python train.py --epochs 90")
        machine.get("results", "results")

The machine is released when the block ends, however it ends. Should this process die, the
machine hears from it no more and ends itself; `advisor reconcile` ends it, too.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from advisor.app.constraints import Constraints
from advisor.app.context import Context
from advisor.app.job import JobSpec
from advisor.app.plan import plan, ssh_to
from advisor.app.private import private_of
from advisor.app.rent import DEFAULT_MARKET, RentSpec
from advisor.base.errors import UsageError
from advisor.base.interrupts import check, deferred
from advisor.cost.job import Rental as RentalKind
from advisor.rental.incoming.copying import MAX_RESULTS_GB
from advisor.rental.machine import DEFAULT_GRACE_S, LONGEST_S, Machine, heartbeats
from advisor.rental.outgoing.decide import MAX_SYNC_GB
from advisor.rental.preflight import check_programs
from advisor.rental.release import ended_in_time, released
from advisor.rental.remote.ssh import Completed
from advisor.rental.rent import renting
from advisor.rental.request import DEFAULT_ATTEMPTS, Rental
from advisor.rental.strays import strays_watched

_Result = TypeVar("_Result")


class rented:  # noqa: N801  (used as a function)
    """A machine on which a workload is to be trained, for the time of a block.

    Use it with ``with``, which gives a `Machine`, or with ``async with``, which gives an
    `AsyncMachine`. Nobody is asked before money is spent: set `budget_usd` or
    `max_epoch_usd`.

    Parameters
    ----------
    workload : name or path of a profile
    settings : figures of the profile to replace
    epochs, disk_gb : of the job; None: the profile's
    rental : ``"on-demand"`` or ``"interruptible"``
    fit_batch, memory_margin, assumptions, image : see `advisor.app.job.JobSpec`
    max_epoch_usd, budget_usd, day_budget_usd : dollars that an epoch, the job (its
        rentals together), and all rentals of the account in a day may cost
    deadline_s : seconds that the whole job may take, predicted
    gpus, num_gpus, regions : what will do; empty: anything
    min_reliability, max_usd_per_hour, min_duration_s, verified : see ``advisor rank``
    exclude_gpus : what will not do
    min_ram_gb, min_vram_gb : least memory of the host's share and of each GPU
    datacenter : only machines in data centers
    where : conditions in the market's query language, such as
        ``"cuda_max_good>=12.8 geolocation notin [CN,VN]"``; of several all must hold
    name : of the job; its rentals share a budget. None: a new one
    max_lifetime_s : seconds after which the machine is gone; None: from the predicted
        time
    lease_s : seconds without a sign of this process after which the machine ends itself;
        as all times here a minute at least, and five years at most
    attempts, start_timeout_s : offers to try, and seconds that one may take to be ready
    verify : measure each machine before it is used, and give a slow one back
    market : where to rent
    context : the outside world; None: this process's

    Attributes
    ----------
    spec : all of it as plain data, checked

    Raises
    ------
    advisor.base.errors.UsageError
        at once, if an argument cannot be right
    advisor.base.errors.AdvisorError
        when the block is entered: nothing fits (`NothingFitsError`), it is over a cap
        (`OverBudgetError`), the market refuses, or nobody knows whether something was
        rented (`RentalStateUnknownError`)
    """

    def __init__(
        self,
        workload: str,
        *,
        settings: Mapping[str, object] | None = None,
        epochs: int | None = None,
        disk_gb: float | None = None,
        rental: RentalKind = "on-demand",
        fit_batch: bool = False,
        memory_margin: float = 0.0,
        assumptions: Mapping[str, float] | None = None,
        image: str | None = None,
        max_epoch_usd: float | None = None,
        budget_usd: float | None = None,
        day_budget_usd: float | None = None,
        deadline_s: float | None = None,
        gpus: Sequence[str] = (),
        num_gpus: Sequence[int] = (),
        regions: Sequence[str] = (),
        min_reliability: float | None = None,
        max_usd_per_hour: float | None = None,
        min_duration_s: float | None = None,
        verified: bool | None = None,
        exclude_gpus: Sequence[str] = (),
        min_ram_gb: float | None = None,
        min_vram_gb: float | None = None,
        datacenter: bool = False,
        where: str | Sequence[str] = (),
        name: str | None = None,
        max_lifetime_s: float | None = None,
        lease_s: float = DEFAULT_GRACE_S,
        attempts: int = DEFAULT_ATTEMPTS,
        start_timeout_s: float | None = None,
        verify: bool = False,
        market: str = DEFAULT_MARKET,
        context: Context | None = None,
    ) -> None:
        # The specs check what is given, whatever it is.
        job_of: dict[str, Any] = {
            "workload": workload,
            "settings": _pairs(settings),
            "epochs": epochs,
            "disk_gb": disk_gb,
            "rental": rental,
            "fit_batch": fit_batch,
            "memory_margin": memory_margin,
            "assumptions": _pairs(assumptions),
            "image": image,
        }
        offers_of: dict[str, Any] = {
            "gpus": gpus,
            "num_gpus": num_gpus,
            "min_reliability": min_reliability,
            "max_usd_per_hour": max_usd_per_hour,
            "regions": regions,
            "verified": verified,
            "min_duration_s": min_duration_s,
            "exclude_gpus": exclude_gpus,
            "min_ram_gb": min_ram_gb,
            "min_vram_gb": min_vram_gb,
            "datacenter": datacenter,
            "where": (where,) if isinstance(where, str) else where,
        }
        self.spec = RentSpec(
            job=JobSpec(**job_of),
            offers=Constraints(**offers_of),
            market=market,
            name=name,
            max_epoch_usd=max_epoch_usd,
            deadline_s=deadline_s,
            budget_usd=budget_usd,
            day_budget_usd=day_budget_usd,
            max_lifetime_s=max_lifetime_s,
            attempts=attempts,
            start_timeout_s=start_timeout_s,
            lease_s=lease_s,
            verify=verify,
        )
        if self.spec.lease_s is None:
            message = "lease_s=None: the machine of a block waits for its launcher"
            raise UsageError(message)
        self._lease_s = self.spec.lease_s
        self._context = context or Context.of_this_process()
        self._stack = ExitStack()
        self._turn = threading.Lock()
        self._entered = False
        self._wanted = True

    def __enter__(self) -> Machine:
        """Rent; return the machine once ssh answers."""
        try:
            with deferred(hand_on=True):
                return self._rent()
        except BaseException as error:  # Ctrl-C that came when all was done
            self.__exit__(type(error), error, error.__traceback__)
            raise

    def _rent(self) -> Machine:
        with ExitStack() as stack:
            check_programs("rsync")
            planned = plan(self._context, self.spec, wait_for_ssh=True)
            rental_context = planned.rental_context
            rental = stack.enter_context(renting(rental_context, planned.request))
            stack.enter_context(released(rental_context, rental.entry))
            stack.enter_context(ended_in_time(rental_context, rental.entry))
            stack.enter_context(strays_watched(rental_context))
            ssh = ssh_to(self._context, planned.key_file, rental.instance)
            stack.enter_context(heartbeats(ssh, rental_context.notify, self._lease_s))
            check()
            self._stack = stack.pop_all()
            # Ctrl-C may keep Python from calling `__exit__`, or fall into its first line.
            weakref.finalize(self, _close_in, os.getpid(), self._stack)
        return Machine(rental, ssh, private_of(self._context), rental_context.notify)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release the machine."""
        try:
            with deferred(hand_on=True):
                self._stack.__exit__(kind, error, traceback)
        except BaseException as raised:  # Ctrl-C before signals were deferred
            with deferred(hand_on=True):
                self._stack.__exit__(type(raised), raised, raised.__traceback__)
            raise

    async def __aenter__(self) -> AsyncMachine:
        """Rent without keeping the event loop; see `AsyncMachine`."""
        self._entered, self._wanted = False, True
        entering = _in_thread(self._enter_if_wanted)
        try:
            return AsyncMachine(await asyncio.shield(entering))
        except asyncio.CancelledError as error:
            # The thread goes on and may rent, also if this is cancelled once more:
            # whoever comes last of the two releases what it gets.
            with self._turn:
                self._wanted = False
                entered = self._entered
            if entered:
                await self.__aexit__(type(error), error, None)
            else:
                await asyncio.wait([entering])
                raise error from entering.exception()
            raise

    def _enter_if_wanted(self) -> Machine:
        """Rent; release it again if nobody waits for it by then."""
        machine = self.__enter__()
        with self._turn:
            self._entered = True
            wanted = self._wanted
        if not wanted:
            self.__exit__(None, None, None)
        return machine

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release the machine, also if this is cancelled."""
        leaving = _in_thread(lambda: self.__exit__(kind, error, traceback))
        try:
            await asyncio.shield(leaving)
        except asyncio.CancelledError:
            await asyncio.wait([leaving])
            raise


def _close_in(process: int, stack: ExitStack) -> None:
    """End what a process has begun, unless this is a fork of it."""
    if os.getpid() == process:
        with deferred(hand_on=True):
            stack.close()


def _in_thread(work: Callable[[], _Result]) -> asyncio.Future[_Result]:
    """Begin something at once in a thread of its own; return what comes of it.

    It comes to its end whatever becomes of the event loop and its tasks: the loop's own
    threads may all be taken, and what waits for one is cancelled with them. The process
    waits for it, too.
    """
    done: concurrent.futures.Future[_Result] = concurrent.futures.Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="rented").start()
    return asyncio.wrap_future(done)


def _pairs(given: object) -> object:
    """Return a mapping as the specs have it; what is none is theirs to refuse."""
    if given is None:
        return ()
    return tuple(given.items()) if isinstance(given, Mapping) else given


@dataclass(frozen=True, slots=True)
class AsyncMachine:
    """A rented machine whose commands do not keep the event loop; see `Machine`.

    Attributes
    ----------
    machine : the same, for plain code
    """

    machine: Machine

    @property
    def rental(self) -> Rental:
        """What was paid for, and what was predicted of it."""
        return self.machine.rental

    async def run(
        self,
        command: str | Sequence[str],
        *,
        timeout_s: float = LONGEST_S,
        check: bool = True,
    ) -> Completed:
        """Run a command in the job's folder and wait for it; see `Machine.run`."""
        return await asyncio.to_thread(
            self.machine.run, command, timeout_s=timeout_s, check=check
        )

    async def put(
        self,
        folder: str | Path,
        excludes: Sequence[str] = (),
        includes: Sequence[str] = (),
        max_gb: float = MAX_SYNC_GB,
    ) -> None:
        """Copy a folder to the machine; see `Machine.put`."""
        await asyncio.to_thread(self.machine.put, folder, excludes, includes, max_gb)

    async def get(
        self, folder: str | Path, remote: str = "", max_gb: float = MAX_RESULTS_GB
    ) -> None:
        """Copy a folder back; see `Machine.get`."""
        await asyncio.to_thread(self.machine.get, folder, remote, max_gb)
