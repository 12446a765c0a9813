"""What a rented machine sends to the scheduler is a stranger's, and is never believed.

Dask trusts its workers: their messages hold pickles, and a worker's connection may do
all that a client's may. Here neither holds. A connection that comes from a machine is of
a scheme of its own, ``guarded``: TLS, whose messages are read without pickle, bounded,
and made anew of the few fields that a worker must tell. What it may do is to register
under the name and the address that it was given, to be alive, and to say that a task
ended. No connection is made to a machine.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from distributed import Scheduler
from distributed.comm.core import CommClosedError
from distributed.comm.registry import backends
from distributed.comm.tcp import TLS, TLSBackend, TLSListener
from distributed.versions import get_versions
from tornado.iostream import StreamClosedError

from advisor.base.log import detail
from advisor.fleet.messages import RefusedError, call, decoded, handshake, report

SCHEME = "guarded"
"""Of the addresses of guarded workers, and of the scheduler's for them."""

MOST_BYTES = 1 << 18
"""Longest message that is read: 256 KiB; those of Dask's own worker have some kilobytes.
The worst of that length, of empty maps, holds up the scheduler for 0.2 s, measured."""

_NUMBER = struct.Struct("Q")


class GuardedComm(TLS):
    """A connection from a rented machine."""

    _has_shaken_hands = False

    @property
    def member(self) -> str:
        """Who it is, by the certificate that the authority made."""
        certificate = self.extra_info.get("peercert") or {}
        names = [value for part in certificate["subject"] for _, value in part]
        return str(names[0])

    async def read(self, deserializers: object = None) -> Any:  # noqa: ARG002  (Dask's)
        """Return the next message, made anew; whoever sends another one is cut off."""
        try:
            return self._cleaned(decoded(await self._message()))
        except RefusedError as error:
            self.abort()
            detail("fleet", "%s is cut off: %s", self.peer_address, error)
            raise CommClosedError(str(error)) from error

    def _cleaned(self, message: object) -> Any:
        if not self._has_shaken_hands:
            self._has_shaken_hands = True
            return handshake(message)
        if isinstance(message, Mapping):
            return call(message)
        if isinstance(message, tuple):
            return [one for one in map(report, message) if one is not None]
        what = "neither a message nor a stream of them"
        raise RefusedError(what)

    async def _message(self) -> bytes:
        """Return the next message without the frames that hold pickles."""
        stream = self.stream  # that of the connection is None once it is closed
        if stream is None:
            raise CommClosedError
        try:
            (size,) = _NUMBER.unpack(await stream.read_bytes(_NUMBER.size))
            _bound(size)
            body: bytes = await stream.read_bytes(size)
            begin, lengths = _frames(body)
            rest = begin + sum(lengths) - size
            _bound(rest)
            await stream.read_bytes(rest)
        except (StreamClosedError, OSError) as error:
            self.abort()
            raise CommClosedError(str(error)) from error
        except BaseException:  # nobody knows what was read of a message
            self.abort()
            raise
        return body[begin : begin + lengths[0]]


def _bound(size: int) -> None:
    if not 0 <= size <= MOST_BYTES:
        what = f"a message of {size} bytes"
        raise RefusedError(what)


def _frames(body: bytes) -> tuple[int, tuple[int, ...]]:
    """Return where the frames of a message begin, and how long each is."""
    count = _NUMBER.unpack_from(body)[0] if len(body) >= _NUMBER.size else 0
    begin = _NUMBER.size * (1 + count)
    if count == 0 or begin > len(body):
        what = "a message without its frames"
        raise RefusedError(what)
    lengths = struct.unpack_from(f"{count}Q", body, _NUMBER.size)
    if begin + lengths[0] > len(body):
        what = "a message that is cut"
        raise RefusedError(what)
    return begin, lengths


class _Listener(TLSListener):
    prefix = f"{SCHEME}://"
    comm_class = GuardedComm


class _Backend(TLSBackend):
    """The scheme ``guarded``; nobody is connected to by it."""

    _listener_class = _Listener

    def get_connector(self) -> Any:
        """Refuse to connect.

        Raises
        ------
        CommClosedError
            always
        """
        message = "no connection is made to a guarded machine"
        raise CommClosedError(message)

    def resolve_address(self, loc: str) -> str:
        """Return an address as it is: it is a name."""
        return loc


backends[SCHEME] = _Backend()


class Admitted:
    """Which workers may register: name -> address, and the member that they are of."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}

    def admit(self, member: str, name: str, address: str) -> None:
        """Let a member's machine register a worker."""
        self._known[name] = (member, address)

    def dismiss(self, name: str) -> None:
        """Let nobody register a worker any more."""
        self._known.pop(name, None)

    def allows(self, member: str, name: str, address: str) -> bool:
        """Tell whether a member's machine may register a worker so."""
        return self._known.get(name) == (member, address)

    def owns(self, member: str, address: str) -> bool:
        """Tell whether the worker of an address is a member's."""
        return (member, address) in self._known.values()


class GuardedScheduler(Scheduler):
    """Dask's scheduler, for workers that are not believed.

    Parameters
    ----------
    admitted : who may register
    options : Dask's own
    """

    def __init__(self, admitted: Admitted, **options: Any) -> None:
        super().__init__(**options)
        self._admitted = admitted
        self._believed = {
            name: self.handlers[name] for name in ("heartbeat_worker", "unregister")
        }
        self.handlers["heartbeat_worker"] = self._hear
        self.handlers["unregister"] = self._let_go

    async def add_worker(self, comm: Any, **told: Any) -> None:
        """Take a worker in if it is who it was to be, as what it was to be."""
        name, address = told["name"], told["address"]
        member = self._member(comm)
        if not self._admitted.allows(member, name, address):
            await comm.write({"status": "error", "message": "no such worker", "time": 0})
            comm.abort()
            return
        with suppress(CommClosedError):
            await super().add_worker(
                comm,
                address=address,
                status=told["status"],
                server_id=name,
                nthreads=1,
                name=name,
                now=0.0,
                resources={member: 1.0},
                memory_limit=None,
                metrics=told["metrics"],
                services={},
                local_directory="",
                versions=get_versions(),
                nanny="",
                extra={},
                stimulus_id=f"worker-connect-{name}",
            )

    def handle_task_finished(
        self, key: str, worker: str, stimulus_id: str, **told: Any
    ) -> None:
        """Note the end of a task that its own worker tells."""
        if self._works_on(worker, key):
            super().handle_task_finished(key, worker, stimulus_id, **told)

    def handle_task_erred(
        self, key: str, stimulus_id: str, *, worker: str, **told: Any
    ) -> None:
        """Note the failure of a task that its own worker tells."""
        if self._works_on(worker, key):
            super().handle_task_erred(key, stimulus_id, worker=worker, **told)

    def _works_on(self, worker: str, key: str) -> bool:
        task = self.tasks.get(key)
        at_work = task.processing_on if task is not None else None
        return at_work is not None and at_work.address == worker

    async def _hear(self, comm: Any, address: str, metrics: dict[str, Any]) -> Any:
        """Hear that a worker is alive, from its own machine only."""
        self._own(comm, address)
        return self._believed["heartbeat_worker"](address=address, metrics=metrics)

    async def _let_go(self, comm: Any, address: str) -> Any:
        """Let a worker go that says so itself."""
        self._own(comm, address)
        return await self._believed["unregister"](
            address=address, stimulus_id=f"unregister-{address}"
        )

    def _own(self, comm: Any, address: str) -> None:
        if not self._admitted.owns(self._member(comm), address):
            comm.abort()
            message = "a machine speaks for another one"
            raise CommClosedError(message)

    @staticmethod
    def _member(comm: Any) -> str:
        return comm.member if isinstance(comm, GuardedComm) else ""
