"""Dask's scheduler in the launcher's own process, and the door by which workers come in.

It listens on 127.0.0.1 alone, with TLS: workers reach it through the tunnels of their
machines. No worker is restarted or replaced by Dask, and no work is stolen: which machine
has which job is not Dask's to say.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import dask
from distributed import Client, Scheduler, Security, SpecCluster
from distributed.comm.addressing import get_address_host_port

from advisor.base.errors import RemoteError
from advisor.base.interrupts import window
from advisor.fleet.certificates import Authority, Certificate
from advisor.fleet.guard import SCHEME, Admitted, GuardedScheduler
from advisor.fleet.relays import Relays
from advisor.fleet.tunnel import LOOPBACK, Tunnel

SETTINGS = {
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": "5 minutes",
    "distributed.scheduler.allowed-failures": 1000,
    "distributed.deploy.lost-worker-timeout": "1s",
}
"""Of Dask: a connection that is lost for a while is no reason to start a job elsewhere,
and the deaths of machines say nothing of a task."""

_LAUNCHER = "launcher"
_ANSWERS_WITHIN_S = 120.0
_LOOKS_EVERY_S = 0.05

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Pass:
    """What a member's worker joins with.

    Attributes
    ----------
    name : of the worker
    address : under which the scheduler knows it
    certificate : of its member
    """

    name: str
    address: str
    certificate: Certificate = field(repr=False)


class SchedulerDoor:
    """The way in for the workers of a fleet; safe with several threads.

    Parameters
    ----------
    guarded : whether what workers say is not believed, see `advisor.fleet.guard`

    Attributes
    ----------
    guarded : as it was given
    security : of TLS, for the launcher's side
    """

    def __init__(self, *, guarded: bool) -> None:
        self.guarded = guarded
        self._authority = Authority()
        self._admitted = Admitted()
        self._relays = Relays()
        own = self._authority.certify(_LAUNCHER)
        self.security = Security(
            require_encryption=True,
            tls_ca_file=own.authority,
            tls_client_cert=own.certificate,
            tls_client_key=own.key,
            tls_scheduler_cert=own.certificate,
            tls_scheduler_key=own.key,
        )
        self._scheduler: Any = None

    def spec(self) -> dict[str, Any]:
        """Return the scheduler as `SpecCluster` takes it."""
        options = {
            "security": self.security,
            "port": 0,
            "dashboard": True,
            "dashboard_address": f"{LOOPBACK}:0",
        }
        if not self.guarded:
            protocol = {"protocol": "tls", "host": LOOPBACK}
            return {"cls": Scheduler, "options": {**options, **protocol}}
        protocols = {"protocol": ["inproc", SCHEME], "host": ["", LOOPBACK]}
        guarded = {
            "admitted": self._admitted,
            "blocked_handlers": ["broadcast", "gather", "proxy"],
            **protocols,
        }
        return {"cls": GuardedScheduler, "options": {**options, **guarded}}

    def opened(self, scheduler: Any) -> None:
        """Learn which scheduler runs, once it does."""
        self._scheduler = scheduler

    @property
    def port(self) -> int:
        """Port of this computer's loopback address that workers join at."""
        scheme = SCHEME if self.guarded else "tls"
        addresses = [one.contact_address for one in self._scheduler.listeners]
        (found,) = [one for one in addresses if one.startswith(f"{scheme}://")]
        return int(get_address_host_port(found)[1])

    def admit(self, member: str, name: str, tunnel: Tunnel, port: int) -> Pass:
        """Let a worker of a member join.

        Parameters
        ----------
        member : name of the member
        name : of the worker
        tunnel : to its machine
        port : of the machine that it listens on

        Raises
        ------
        RemoteError
            if workers could not reach one another
        UnreachableError
            if the connection to the machine is lost
        """
        if self.guarded:  # nobody connects to it: its address is a name
            address = f"{SCHEME}://{name}:1"
        else:
            local = self._relays.add(name, member, tunnel, port)
            address = f"tls://{LOOPBACK}:{local}"
        self._admitted.admit(member, name, address)
        return Pass(name, address, self._authority.certify(member))

    def dismiss(self, names: Sequence[str]) -> None:
        """Forget workers, and let them not come again."""
        for name in names:
            self._admitted.dismiss(name)
            self._relays.drop(name)
        self._run(self._forget(names))

    def joined(self, names: Sequence[str]) -> bool:
        """Tell whether all of some workers are there."""

        async def look() -> bool:
            return all(name in self._scheduler.aliases for name in names)

        return self._run(look())

    def wait_for(self, names: Sequence[str], within_s: float) -> bool:
        """Wait until all of some workers are there; False if they do not come."""
        for _ in range(round(within_s / _LOOKS_EVERY_S)):
            if self.joined(names):
                return True
            with window():
                time.sleep(_LOOKS_EVERY_S)  # they start in real time, whatever the clock
        return False

    async def _forget(self, names: Sequence[str]) -> None:
        for name in names:
            address = self._scheduler.aliases.get(name)
            if address is not None:
                await self._scheduler.remove_worker(
                    address, stimulus_id=f"dismissed-{name}"
                )

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what is done in the scheduler's own thread.

        Raises
        ------
        RemoteError
            if it has no time for that, or is gone
        """
        loop = self._scheduler.loop.asyncio_loop
        if not loop.is_running():  # a program that ends without closing it
            work.close()
            message = "Dask's scheduler has ended"
            raise RemoteError(message)
        done = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            with window():
                return done.result(_ANSWERS_WITHIN_S)
        except TimeoutError as error:
            message = f"Dask's scheduler has not answered for {_ANSWERS_WITHIN_S:.0f} s"
            raise RemoteError(message) from error


@dataclass(frozen=True, slots=True)
class FleetScheduler:
    """A scheduler that runs.

    Attributes
    ----------
    door : for workers
    cluster : Dask's, without workers of its own
    client : of it, in this process
    """

    door: SchedulerDoor
    cluster: Any
    client: Any

    @property
    def address(self) -> str:
        """Address for clients."""
        return str(self.cluster.scheduler_address)

    @property
    def dashboard(self) -> str:
        """Address of Dask's page on the cluster, for a browser on this computer."""
        port = self.cluster.scheduler.http_server.port
        return f"http://{LOOPBACK}:{port}/status"


@contextmanager
def open_scheduler(*, guarded: bool) -> Iterator[FleetScheduler]:
    """Run a scheduler in this process while a block runs.

    Parameters
    ----------
    guarded : whether what workers say is not believed, see `advisor.fleet.guard`
    """
    door = SchedulerDoor(guarded=guarded)
    with dask.config.set(SETTINGS):
        cluster = SpecCluster(
            scheduler=door.spec(), security=door.security, silence_logs=logging.CRITICAL
        )
    with cluster:
        door.opened(cluster.scheduler)
        with Client(cluster) as client:
            yield FleetScheduler(door, cluster, client)
