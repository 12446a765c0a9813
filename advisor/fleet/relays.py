"""How the workers of a fleet reach one another, though their machines cannot.

A worker is known by one address, that of its port on the launcher. Each other machine
gets a port of the same number that leads there through its own tunnel: what one worker
fetches from another goes by way of the launcher, twice over its line.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass

from advisor.base.errors import RemoteError, UnreachableError
from advisor.fleet.tunnel import NoPortError, Tunnel

_PORTS_TRIED = 5


@dataclass(frozen=True, slots=True)
class _Worker:
    member: str
    tunnel: Tunnel
    port: int  # of the launcher, and of each other machine
    own: int  # of its machine


class Relays:
    """The ports of a fleet's workers, on the launcher and on each machine.

    Safe with several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._joined: dict[str, Tunnel] = {}
        self._tunnels: dict[str, Tunnel] = {}  # of those that need relays
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
            if a machine does not give a port by which its workers reach others
        UnreachableError
            if the connection to its machine is lost
        """
        with self._lock:
            self._join(member, tunnel)
            for _ in range(_PORTS_TRIED):
                local = tunnel.to_machine(port)
                worker = _Worker(member, tunnel, local, port)
                if all(_leads(one, local) for one in self._others(member)):
                    self._workers[name] = worker
                    return local
                # Where it was given, it leads to the new worker, too: it is taken back.
                self._withdraw(worker)
        message = (
            "another machine gives no port by which its workers would reach those of "
            "this one: try again"
        )
        raise RemoteError(message)

    def drop(self, name: str) -> None:
        """Have no port lead to a worker any more."""
        with self._lock:
            worker = self._workers.pop(name, None)
            if worker is not None:
                self._withdraw(worker)

    def _join(self, member: str, tunnel: Tunnel) -> None:
        """Let a machine reach the workers of all others, once for each connection."""
        if self._joined.get(member) is tunnel:
            return
        if tunnel.shares_loopback():  # it reaches them as we do
            self._tunnels.pop(member, None)
        else:
            for worker in self._workers.values():
                if worker.member != member and not _leads(tunnel, worker.port):
                    message = (
                        f"port {worker.port} of the machine is taken, by which its "
                        "workers would reach those of another one: replace it"
                    )
                    raise RemoteError(message)
            self._tunnels[member] = tunnel
        self._joined[member] = tunnel

    def _others(self, member: str) -> list[Tunnel]:
        """Return the connections that are there to all other machines."""
        others = [one for name, one in self._tunnels.items() if name != member]
        return [one for one in others if one.is_alive()]

    def _withdraw(self, worker: _Worker) -> None:
        for other in self._others(worker.member):
            other.withdraw(worker.port)
        if worker.tunnel.is_alive():
            worker.tunnel.retract(worker.port, worker.own)


def _leads(tunnel: Tunnel, port: int) -> bool:
    """Have a port of a machine lead to the launcher's; False: it is taken there.

    A machine that does not answer is none to wait for: once it is connected anew, it
    joins anew.
    """
    with suppress(UnreachableError):
        try:
            tunnel.to_launcher(port, at=port)
        except NoPortError:
            return False
    return True
