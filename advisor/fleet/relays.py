"""How the workers of a fleet reach one another, though their machines cannot.

A worker is known by one address, that of its port on the launcher. Each other machine
gets a port of the same number that leads there through its own tunnel: what one worker
fetches from another goes by way of the launcher, twice over its line.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from advisor.base.errors import RemoteError, UnreachableError
from advisor.fleet.tunnel import Tunnel

_PORTS_TRIED = 5


@dataclass(frozen=True, slots=True)
class _Worker:
    member: str
    port: int


class Relays:
    """The ports of a fleet's workers, on the launcher and on each machine.

    Safe with several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tunnels: dict[str, Tunnel] = {}
        self._workers: dict[str, _Worker] = {}

    def add(self, name: str, member: str, tunnel: Tunnel, port: int) -> int:
        """Make a worker reachable from the launcher and from each other machine.

        Parameters
        ----------
        name : of the worker
        member : name of its member
        tunnel : to its machine
        port : of the machine that it listens on

        Returns
        -------
        its port, of the launcher and of each other machine

        Raises
        ------
        RemoteError
            if a machine does not give the port of that number
        UnreachableError
            if the connection to its machine is lost
        """
        with self._lock:
            self._join(member, tunnel)
            for _ in range(_PORTS_TRIED):
                local = tunnel.to_machine(port)
                refused = [one for one in self._others(member) if not _lead(one, local)]
                if not refused:
                    self._workers[name] = _Worker(member, local)
                    return local
                # What was given meanwhile leads to the new worker, too: it is taken back.
                self._withdraw(member, local)
        place = refused[0].ssh.endpoint
        message = (
            f"{place.host} port {place.port} gives no port by which its workers would "
            "reach those of another machine: replace it"
        )
        raise RemoteError(message)

    def drop(self, name: str) -> None:
        """Have no port of any other machine lead to a worker any more."""
        with self._lock:
            worker = self._workers.pop(name, None)
            if worker is not None:
                self._withdraw(worker.member, worker.port)

    def _join(self, member: str, tunnel: Tunnel) -> None:
        """Let a machine reach the workers of all others, once for each connection."""
        if self._tunnels.get(member) is tunnel:
            return
        for worker in self._workers.values():
            if worker.member != member and not _lead(tunnel, worker.port):
                message = (
                    f"port {worker.port} of the machine is taken, by which its workers "
                    "would reach those of another one: replace it"
                )
                raise RemoteError(message)
        self._tunnels[member] = tunnel

    def _others(self, member: str) -> list[Tunnel]:
        """Return the connections to all other machines; those that are lost are gone."""
        self._tunnels = {
            name: one
            for name, one in self._tunnels.items()
            if one.is_alive() or name == member
        }
        return [one for name, one in self._tunnels.items() if name != member]

    def _withdraw(self, member: str, port: int) -> None:
        for other in self._others(member):
            other.withdraw(port)


def _lead(tunnel: Tunnel, port: int) -> bool:
    """Have a port of a machine lead to the launcher's; False: it is taken there.

    Raises
    ------
    UnreachableError
        if the connection is lost
    """
    try:
        tunnel.to_launcher(port, at=port)
    except UnreachableError:
        return tunnel.shares_loopback()  # what is ours is not to be had again
    return True
