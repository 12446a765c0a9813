"""The Python face of renting: what `advisor rent` and `run` do, for a program.

::

    with advisor.rented(workload="resnet50", max_epoch_cost=0.4) as machine:
        machine.put(".")
        machine.run("python train.py --epochs 90")
        machine.get("results", "results")

The machine is released when the block ends, however it ends. Should this process die, the
machine hears from it no more and ends itself; `advisor reconcile` ends it, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from advisor.cli.environment import Environment
from advisor.cli.renting import DEFAULT_MARKET, plan, ssh_to
from advisor.cli.sending import private_of
from advisor.cost.job import RENTALS
from advisor.cost.job import Rental as RentalKind
from advisor.rental import arguments
from advisor.rental.incoming.copying import MAX_RESULTS_GB
from advisor.rental.machine import DEFAULT_GRACE_S, LONGEST_S, Machine, heartbeats
from advisor.rental.outgoing.decide import MAX_SYNC_GB
from advisor.rental.preflight import check_programs
from advisor.rental.release import ended_in_time, released
from advisor.rental.rent import renting
from advisor.rental.request import DEFAULT_ATTEMPTS, MOST_ATTEMPTS, Rental
from advisor.rental.ssh import Completed


class rented:  # noqa: N801  (used as a function)
    """A machine on which a workload is to be trained, for the time of a block.

    Use it with ``with``, which gives a `Machine`, or with ``async with``, which gives an
    `AsyncMachine`. Nobody is asked before money is spent: set `budget` or
    `max_epoch_cost`.

    Parameters
    ----------
    workload : name or path of a profile
    settings : figures of the profile to replace
    epochs, disk_gb : of the job; None: the profile's
    rental : ``"on-demand"`` or ``"interruptible"``
    max_epoch_cost, budget, day_budget : dollars an epoch, the job (its rentals
        together), and all rentals of the account in a day may cost
    deadline_s : seconds that the whole job may take, predicted
    gpus, num_gpus, regions : what will do; empty: anything
    min_reliability, max_price, min_duration_s, verified : see ``advisor rank``
    exclude_gpus : what will not do
    min_ram_gb, min_vram_gb : least memory of the host's share and of each GPU
    datacenter : only machines in data centers
    where : conditions in the market's query language, such as
        ``"cuda_max_good>=12.8 geolocation notin [CN,VN]"``; of several all must hold
    job : name; rentals of one name share a budget. None: a new one
    image : Docker image
    max_lifetime_s : seconds after which the machine is gone; None: from the predicted
        time
    grace_s : seconds without a sign of this process after which the machine ends itself
    attempts, start_timeout_s : offers to try, and seconds that one may take to be ready
    market : where to rent
    environment : the outside world; None: this process's

    Raises
    ------
    advisor.errors.UsageError
        at once, if an argument cannot be right
    advisor.errors.AdvisorError
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
        max_epoch_cost: float | None = None,
        budget: float | None = None,
        day_budget: float | None = None,
        deadline_s: float | None = None,
        gpus: Sequence[str] = (),
        num_gpus: Sequence[int] = (),
        regions: Sequence[str] = (),
        min_reliability: float | None = None,
        max_price: float | None = None,
        min_duration_s: float | None = None,
        verified: bool | None = None,
        exclude_gpus: Sequence[str] = (),
        min_ram_gb: float | None = None,
        min_vram_gb: float | None = None,
        datacenter: bool = False,
        where: str | Sequence[str] = (),
        job: str | None = None,
        image: str | None = None,
        max_lifetime_s: float | None = None,
        grace_s: float = DEFAULT_GRACE_S,
        attempts: int = DEFAULT_ATTEMPTS,
        start_timeout_s: float | None = None,
        market: str = DEFAULT_MARKET,
        environment: Environment | None = None,
    ) -> None:
        for name, dollars in (
            ("max_epoch_cost", max_epoch_cost),
            ("budget", budget),
            ("day_budget", day_budget),
            ("max_price", max_price),
        ):
            arguments.above_zero(name, dollars, "dollars")
        for name, seconds in (
            ("deadline_s", deadline_s),
            ("min_duration_s", min_duration_s),
            ("max_lifetime_s", max_lifetime_s),
            ("grace_s", grace_s),
            ("start_timeout_s", start_timeout_s),
        ):
            arguments.above_zero(name, seconds, "seconds")
        arguments.above_zero("disk_gb", disk_gb, "gigabytes")
        arguments.whole("epochs", epochs)
        arguments.whole("attempts", attempts, MOST_ATTEMPTS)
        arguments.share("min_reliability", min_reliability)
        arguments.one_of("rental", rental, RENTALS)
        arguments.names("gpus", gpus)
        arguments.names("regions", regions)
        arguments.counts("num_gpus", num_gpus)
        self._environment = environment or Environment.of_this_process()
        self._grace_s = grace_s
        self._stack = ExitStack()
        self._options: dict[str, Any] = {
            "workload": workload,
            "settings": tuple(_assignment(*one) for one in (settings or {}).items()),
            "fit_batch": False,
            "epochs": epochs,
            "disk": disk_gb,
            "rental": rental,
            "assumed": (),
            "gpus": tuple(gpus),
            "num_gpus": tuple(num_gpus),
            "min_reliability": min_reliability,
            "max_price": max_price,
            "regions": tuple(regions),
            "verified": verified,
            "min_duration": min_duration_s,
            "exclude_gpus": tuple(exclude_gpus),
            "min_ram": min_ram_gb,
            "min_vram": min_vram_gb,
            "datacenter": datacenter,
            "where": (where,) if isinstance(where, str) else tuple(where),
            "market": market,
            "name": job,
            "max_epoch_cost": max_epoch_cost,
            "deadline": deadline_s,
            "budget": budget,
            "day_budget": day_budget,
            "image": image,
            "max_lifetime": max_lifetime_s,
            "attempts": attempts,
            "start_timeout": start_timeout_s,
            "yes": True,
        }

    def __enter__(self) -> Machine:
        """Rent; return the machine once ssh answers."""
        with ExitStack() as stack:
            check_programs("rsync")
            planned = plan(
                self._environment,
                self._options,
                wait_for_ssh=True,
                heartbeat_s=self._grace_s,
            )
            desk = planned.desk
            rental = stack.enter_context(renting(desk, planned.request))
            stack.enter_context(released(desk, rental.entry))
            stack.enter_context(ended_in_time(desk, rental.entry))
            ssh = ssh_to(self._environment, planned.key_file, rental.instance)
            stack.enter_context(heartbeats(ssh, desk.told, self._grace_s))
            self._stack = stack.pop_all()
        return Machine(rental, ssh, private_of(self._environment), desk.told)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release the machine."""
        self._stack.__exit__(kind, error, traceback)

    async def __aenter__(self) -> AsyncMachine:
        """Rent without keeping the event loop; see `AsyncMachine`."""
        entering = asyncio.ensure_future(asyncio.to_thread(self.__enter__))
        try:
            return AsyncMachine(await asyncio.shield(entering))
        except asyncio.CancelledError as error:
            # The thread goes on and may rent: what it gets is released.
            await asyncio.wait([entering])
            if entering.exception() is None:
                await asyncio.to_thread(self.__exit__, type(error), error, None)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release the machine."""
        leaving = asyncio.ensure_future(
            asyncio.to_thread(self.__exit__, kind, error, traceback)
        )
        try:
            await asyncio.shield(leaving)
        except asyncio.CancelledError:
            await asyncio.wait([leaving])
            raise


def _assignment(name: str, value: object) -> str:
    """Return a figure as the command line has it."""
    return f"{name}={str(value).lower() if isinstance(value, bool) else value}"


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
