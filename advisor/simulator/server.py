"""The simulated market on a socket: Starlette on uvicorn, on loopback unless told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from advisor.errors import UsageError
from advisor.resources import installing
from advisor.simulator.api import Api
from advisor.simulator.calls import Answer, Request
from advisor.simulator.world import World

if TYPE_CHECKING:
    import uvicorn

LOOPBACK = "127.0.0.1"

_MISSING = f"the simulator needs its extra: {installing('simulator')}"
_BACKLOG = 2048
_ENDS_WITHIN_S = 1
_STARTS_WITHIN_S = 30.0
_TICK_S = 1.0
_LONGEST_BODY = 4 * 1024 * 1024

Scope = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers.

    Attributes
    ----------
    url : where, without a slash at the end
    world : what it answers from
    """

    url: str
    world: World


@contextlib.contextmanager
def serve(world: World, host: str = LOOPBACK, port: int = 0) -> Iterator[Running]:
    """Answer requests in another thread, as long as the context lasts.

    Parameters
    ----------
    host, port : where to listen; port 0 for any that is free

    Raises
    ------
    UsageError
        if the extra is not installed or the port cannot be had
    """
    listener = _listen(host, port)
    started = threading.Event()
    try:
        server = _server(world, started)
    except UsageError:
        listener.close()
        raise
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="simulated-market"
    )
    name, number = listener.getsockname()[:2]
    thread.start()
    stop_ticking = threading.Event()
    ticker = threading.Thread(target=_tick, args=(world, stop_ticking), name="ticker")
    if not world.clock.is_manual:
        ticker.start()
    try:
        if not started.wait(_STARTS_WITHIN_S):
            message = "the simulated market does not start; try another port"
            raise UsageError(message)
        yield Running(f"http://{_bracketed(name)}:{number}", world)
    finally:
        stop_ticking.set()
        server.should_exit = True
        thread.join()
        listener.close()
        if ticker.ident is not None:
            ticker.join()
        world.settle()


def _server(world: World, started: threading.Event) -> uvicorn.Server:
    """Return a server that is not running yet."""
    try:
        import uvicorn  # noqa: PLC0415  (an extra)
        from starlette.applications import Starlette  # noqa: PLC0415
        from starlette.routing import Mount  # noqa: PLC0415
        from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(_MISSING) from error
    transports: dict[tuple[str, int], asyncio.Transport] = {}

    class Protocol(H11Protocol):
        """HTTP/1.1 that lets the application reach the connection."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.peer = transport.get_extra_info("peername")[:2]
            transports[self.peer] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            transports.pop(self.peer, None)
            super().connection_lost(exc)

    class Server(uvicorn.Server):
        """A server that tells when it listens."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

    market = _Application(Api(world), transports)
    config = uvicorn.Config(
        Starlette(routes=[Mount("/", app=market)]),
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_ENDS_WITHIN_S,
        server_header=False,
        date_header=False,
    )
    return Server(config)


class _Application:
    """The API as an ASGI application.

    Parameters
    ----------
    api : answers
    transports : peer -> connection, for answers that end it
    """

    def __init__(
        self, api: Api, transports: dict[tuple[str, int], asyncio.Transport]
    ) -> None:
        self._api = api
        self._transports = transports

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        from starlette.requests import Request as Incoming  # noqa: PLC0415  (an extra)
        from starlette.responses import Response  # noqa: PLC0415

        incoming = Incoming(scope, receive)
        request = Request(
            method=incoming.method,
            path=incoming.url.path,
            query=dict(incoming.query_params),
            body=(await incoming.body())[: _LONGEST_BODY + 1],
            key=_bearer(incoming.headers.get("authorization")),
            peer=scope["client"][0],
            base_url=str(incoming.base_url).rstrip("/"),
        )
        reply = await asyncio.to_thread(self._api.handle, request)
        if reply.manner == "reset":
            await self._reset(scope, receive)
        elif reply.manner == "drip":
            await _drip(reply, receive, send)
        else:
            headers = {"Date": formatdate(self._api.date_unix_s, usegmt=True)}
            headers.update(reply.headers)
            response = Response(reply.body, reply.status, headers, reply.kind)
            await response(scope, receive, send)

    async def _reset(self, scope: Scope, receive: Any) -> None:
        """End the connection with RST: what a crash at the other end looks like."""
        transport = self._transports.get(tuple(scope["client"][:2]))
        if transport is None:  # the client was quicker
            return
        linger = struct.pack("ii", 1, 0)
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass


async def _drip(reply: Answer, receive: Any, send: Any) -> None:
    """Send an answer byte by byte, until the client has enough of it."""
    headers = [
        (b"content-type", reply.kind.encode()),
        (b"content-length", str(len(reply.body)).encode()),
    ]
    await send(
        {"type": "http.response.start", "status": reply.status, "headers": headers}
    )
    for position in range(len(reply.body)):
        byte = reply.body[position : position + 1]
        await send({"type": "http.response.body", "body": byte, "more_body": True})
        with contextlib.suppress(TimeoutError):
            message = await asyncio.wait_for(receive(), reply.pause_s)
            if message["type"] == "http.disconnect":
                return
    await send({"type": "http.response.body", "body": b""})


def _bearer(header: str | None) -> str | None:
    """Return the key of a header Authorization, None where there is none."""
    scheme, _, key = (header or "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises
    ------
    UsageError
        if it cannot
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # With the protocol named asyncio sends at once (TCP_NODELAY): 40 ms an answer.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        message = f"cannot listen at {host}: {error.strerror}; name another --host"
        raise UsageError(message) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        message = f"cannot listen at {host}:{port}: {error.strerror}; try --port 0"
        raise UsageError(message) from error
    return listener


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _tick(world: World, stop: threading.Event) -> None:
    """Let the world move on while nobody asks."""
    while not stop.wait(_TICK_S):
        with world.looked_at():
            pass
