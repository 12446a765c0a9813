"""A Dask cluster whose workers are rented machines: `advisor.Cluster`.

::

    with advisor.Cluster(
        "resnet50", epochs=1, deadline_s=86400, budget_usd=60
    ) as cluster:
        cluster.scale(4)
        losses = Client(cluster).map(train, [0.1, 0.03, 0.01, 0.003])

The scheduler runs in this process. Each machine is a place of its own (`Place`), whose
thread rents it, looks after it, and replaces it.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import logging
import math
from collections.abc import Awaitable, Collection
from typing import Any

import dask.config
from distributed.core import Status
from distributed.deploy import Adaptive, SpecCluster
from distributed.deploy import Cluster as DaskCluster
from distributed.utils import NoOpAwaitable

from advisor.app.context import Context
from advisor.app.plan import Plan, plan
from advisor.app.rented import rented
from advisor.base.errors import RentalStateUnknownError, UsageError
from advisor.base.interrupts import deferred, shielded
from advisor.fleet.adapting import (
    PAUSE_S,
    SAY_HOW_MANY,
    USUAL,
    WORTH_S,
    RentedAdaptive,
    most_of,
)
from advisor.fleet.busy import when_not_busy
from advisor.fleet.lifetimes import Lifetimes
from advisor.fleet.member import Member
from advisor.fleet.place import Place
from advisor.fleet.scheduler import SchedulerDoor
from advisor.fleet.shared import Fleet
from advisor.rental import arguments

MAX_MACHINES = 8

_AT_ONCE_S = 0.001
_LOOK_S = 0.2
_RETIRE_S = 60.0  # for handing on; what takes longer is computed anew
_SETTINGS = {"distributed.scheduler.unknown-task-duration": WORTH_S}
_ENDING = (Status.closing, Status.closed)
_ASKED = (*inspect.signature(rented).parameters, "max_machines", "asynchronous")


class Cluster(SpecCluster):
    """A Dask cluster whose workers are rented machines.

    It begins without any: `scale` says how many there shall be, or `adapt` lets Dask
    say. A machine is one worker, which runs one task at a time and sees all GPUs of the
    machine. One that is lost is replaced. All are given back when the cluster is closed;
    should this process die, each machine hears from it no more and ends itself, and
    ``advisor reconcile`` ends it, too. Use it with ``with`` or, if asynchronous, with
    ``async with``.

    What tasks return is unpickled here: a machine can run code on this computer by it.
    Dask may run a task twice, as where a connection breaks: ``advisor sweep`` does not.

    Parameters
    ----------
    workload : name or path of a profile: what a task trains, by which machines are chosen
    deadline_s : seconds after which every machine is gone, which must be given; only
        those are rented that are predicted to train the workload in what is left of it
    max_machines : most that there are at a time
    asynchronous : whether it is used in a running event loop
    context : the outside world; None: this process's
    asked : what else `advisor.rented` takes, such as `budget_usd`, which holds for all
        machines together: each counts with its whole lifetime until it is given back.
        `max_lifetime_s` is that of one machine

    Attributes
    ----------
    spec : all of it as plain data, checked
    max_machines : most that there are at a time

    Raises
    ------
    advisor.base.errors.UsageError
        at once, if an argument cannot be right
    advisor.base.errors.AdvisorError
        at once, if nothing can be rented so, such as where the market refuses the key;
        when it is closed, if nobody can say that every machine is gone
        (`RentalStateUnknownError`)
    """

    def __init__(
        self,
        workload: str,
        *,
        deadline_s: float | None = None,
        max_machines: int = MAX_MACHINES,
        asynchronous: bool = False,
        context: Context | None = None,
        **asked: Any,
    ) -> None:
        self._context = context or Context.of_this_process()
        arguments.only_known(asked, _ASKED)
        if deadline_s is None:
            message = "deadline_s is missing: seconds after which every machine is gone"
            raise UsageError(message)
        block = rented(workload, deadline_s=deadline_s, context=self._context, **asked)
        self.spec = block.spec
        arguments.whole("max_machines", max_machines)
        now = self._context.now().timestamp()
        self._lifetimes = Lifetimes.until(self.spec, float(deadline_s), now)
        self.max_machines = max_machines
        self._paused_until = -math.inf
        self._refusal: BaseException | None = None
        self._left: list[str] = []
        self._fleet: Fleet | None = None
        self._job = self.spec.name
        self._door = SchedulerDoor(guarded=False)
        try:
            super().__init__(
                scheduler=self._door.spec(),
                worker={"cls": Place, "options": {"owner": self}},
                security=self._door.security,
                asynchronous=asynchronous,
                silence_logs=logging.WARNING,
            )
        except BaseException:
            self.close()
            raise

    async def _start(self) -> None:
        """Think the first rental through, which finds what cannot be; then start."""
        if self._fleet is not None:
            return
        first = await asyncio.to_thread(self._plan)
        self._job = self.name = first.request.job
        with dask.config.set(_SETTINGS):
            await super()._start()
        self._door.opened(self.scheduler)
        lease_s = self.spec.lease_s
        assert lease_s is not None  # noqa: S101  (`rented` takes no other)
        self._fleet = Fleet(
            self._context, first.rental_context, first.key_file, self._door, lease_s
        )
        atexit.register(self._end_at_exit)

    def _plan(self) -> Plan:
        """Return the rental of one more machine, as long as there is time for one.

        Raises
        ------
        AdvisorError
            if none can be made
        """
        # By the clock: a laptop may have slept.
        now = self._context.now().timestamp()
        spec = self._lifetimes.begun_at(now, self._job)
        goes_on = self._fleet is not None
        return plan(self._context, spec, wait_for_ssh=True, goes_on=goes_on)

    def scale(
        self, n: int = 0, memory: object = None, cores: object = None
    ) -> Awaitable[None] | None:
        """Have so many machines; return at once.

        What is too many goes first where it has no worker yet, then where it does least.
        See `wait_for_workers`.

        Parameters
        ----------
        n : how many
        memory, cores : Dask's other clusters take them; no machine is like another here

        Raises
        ------
        advisor.base.errors.UsageError
            if it is no number from 0 to `max_machines`
        """
        if memory is not None or cores is not None:
            raise UsageError(SAY_HOW_MANY)
        if n != 0:
            arguments.whole("n", n, self.max_machines)
        for name in sorted(self.worker_spec, key=self._load)[: -n or None]:
            self.worker_spec.pop(name, None)  # a place may have been given up meanwhile
        while len(self.worker_spec) < n and self.status not in _ENDING:
            self.worker_spec.update(self.new_worker_spec())
        if n > 0:
            self._refusal, self._paused_until = None, -math.inf
        self._let_tasks_wait()
        self.loop.add_callback(self._correct_state)
        return NoOpAwaitable() if self.asynchronous else None

    def adapt(
        self, minimum: int = 0, maximum: int | None = None, **more: Any
    ) -> Adaptive:
        """Let Dask say how many machines there shall be, by the tasks that wait.

        A task whose duration nobody knows yet is worth a machine. One that was idle for a
        minute is given back. What could not be had is asked for again after five.

        Parameters
        ----------
        minimum, maximum : machines; no more than `max_machines`
        more : see `distributed.deploy.Adaptive`

        Raises
        ------
        advisor.base.errors.UsageError
            if there can never be so few or so many
        """
        most = most_of(minimum, maximum, self.max_machines, more)
        return DaskCluster.adapt(
            self, RentedAdaptive, minimum=minimum, maximum=most, **{**USUAL, **more}
        )

    def close(self, timeout: float | None = None) -> Awaitable[None] | None:
        """Give all machines back, and return once the market has confirmed their end.

        Parameters
        ----------
        timeout : Dask passes some seconds when a program ends; a machine that bills is
            waited for all the same

        Raises
        ------
        advisor.base.errors.RentalStateUnknownError
            if nobody can say that all are gone
        """
        del timeout
        try:
            with deferred(hand_on=True), shielded("releasing the machines"):
                closing: Awaitable[None] | None = super().close()
                return closing
        finally:
            if not self.asynchronous:
                self._loop_runner.stop()

    async def __aexit__(self, *_raised: object) -> None:
        """Give all machines back, also if this is cancelled."""
        closing = asyncio.ensure_future(self._close())
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await asyncio.wait([closing])
            raise

    def _end_at_exit(self) -> None:
        """Give back what is there; Dask does so only while the event loop is there."""
        places = list(self._created)
        with deferred(hand_on=True), shielded("releasing the machines"):
            for place in places:
                place.stop()
            for place in places:
                place.join()

    async def _close(self) -> None:
        await super()._close()
        atexit.unregister(self._end_at_exit)
        if self._left:
            words = "; ".join(self._left)
            self._left.clear()
            raise RentalStateUnknownError(words)

    @property
    def pauses(self) -> bool:
        """Whether a machine could not be had a short while ago."""
        return bool(self._context.clock.monotonic() < self._paused_until)

    # What Dask asks a cluster, where the names of workers are not those of places: a
    # place has another worker with each machine.

    @property
    def observed(self) -> set[str]:
        """The places whose worker has joined."""
        joined = self.joined()
        return {
            name
            for name, place in list(self.workers.items())
            if place.worker_names and set(place.worker_names) <= joined
        }

    def new_worker_spec(self) -> dict[str, Any]:
        """Return one more place; no two have the same name."""
        self._i += 1
        return {f"machine-{self._i}": self.new_spec}

    async def scale_down(self, workers: Collection[str]) -> None:
        """Close places, by their names or those of their workers."""
        asked = set(workers)
        for name in list(self.worker_spec):
            place = self.workers.get(name)
            if name in asked or (place and asked & set(place.worker_names)):
                self.worker_spec.pop(name, None)
        await self

    def _update_worker_status(self, op: str, msg: Any) -> None:
        """Note who joins and leaves; a place sees to its worker itself."""
        DaskCluster._update_worker_status(self, op, msg)  # noqa: SLF001  (not our base's)

    async def _wait_for_workers(
        self, n_workers: int = 0, timeout: float | None = None
    ) -> None:
        """Wait for workers, as long as so many may come."""
        there = asyncio.ensure_future(super()._wait_for_workers(n_workers, timeout))
        try:
            while not there.done():
                if self._refusal is not None and len(self.worker_spec) < n_workers:
                    raise self._refusal
                await asyncio.wait([there], timeout=_LOOK_S)
        finally:
            there.cancel()
        there.result()

    # What a place calls.

    def rent(self) -> Member:
        """Rent a machine, once the market has time for that."""
        fleet = self._fleet
        assert fleet is not None  # noqa: S101  (places are opened after the start)
        return when_not_busy(fleet.rental, lambda: Member.rented(fleet, self._plan()))

    def notify(self, line: str) -> None:
        """Take a line for people."""
        self._context.notify(line)

    def joined(self) -> set[str]:
        """Return the names of the workers that the scheduler has."""
        return {str(one.name) for one in list(self.scheduler.workers.values())}

    def gave_up(self, place: Place, error: BaseException) -> None:
        """Hear that a place has no machine, and gets none any more."""
        self.notify(f"one machine fewer: {error or type(error).__name__}")
        self.loop.add_callback(self._forget, place, error)

    def left(self, words: str) -> None:
        """Hear what may still be there and bill."""
        self.notify(words)
        self._left.append(words)

    async def retire(self, workers: Collection[str]) -> None:
        """Have workers hand on what they hold, and get no more tasks."""
        if self.status == Status.running:  # else nobody is left to hand it to
            retiring = self.scheduler.retire_workers(names=list(workers))
            try:
                await asyncio.wait_for(retiring, _RETIRE_S)
            except Exception as error:  # what they hold is computed anew
                self.notify(
                    f"{', '.join(workers)}: {str(error) or 'busy'}; not handed on"
                )

    def _forget(self, place: Place, error: BaseException) -> None:
        """Go on without a place."""
        self.workers.pop(place.name, None)
        self.worker_spec.pop(place.name, None)
        place.status = Status.closed
        self._refusal = error
        self._paused_until = self._context.clock.monotonic() + PAUSE_S
        self._let_tasks_wait()

    def _let_tasks_wait(self) -> None:
        """Have tasks wait for a worker, unless none could be had and none is to come."""
        if self.scheduler is not None:
            waits = self._refusal is None or bool(self.worker_spec)
            self.scheduler.no_workers_timeout = None if waits else _AT_ONCE_S

    def _load(self, name: str) -> int:
        """Return how much would be lost with a place."""
        place = self.workers.get(name)
        names = place.worker_names if place else ()
        workers = [] if self.scheduler is None else list(self.scheduler.workers.values())
        return sum(1 + len(one.processing) for one in workers if one.name in names)
