"""The simulated market on a socket: Starlette on uvicorn, on loopback by default."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import socket
import struct
import threading
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from advisor.base.errors import UsageError
from advisor.base.loopback import (
    LOOPBACK,
    called_in,
    is_address,
    is_loopback,
    listen,
    url_of,
)
from advisor.base.resources import installing
from advisor.base.units import BYTES_PER_MIB
from advisor.simulator.api import Api
from advisor.simulator.calls import Answer, Request, text
from advisor.simulator.world import World

if TYPE_CHECKING:
    import uvicorn
    from starlette.requests import Request as Incoming

_ELSEWHERE = 421  # misdirected request (RFC 9110, 15.5.20)

_MISSING = f"the simulator needs its extra: {installing('simulator')}"
_ENDS_WITHIN_S = 1
_STARTS_WITHIN_S = 30.0
_TICK_S = 1.0
_LONGEST_BODY = 4 * BYTES_PER_MIB

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
    listener = listen(host, port)
    started = threading.Event()
    try:
        server = _server(world, started, host)
    except UsageError:
        listener.close()
        raise
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="simulated-market"
    )
    thread.start()
    stop_ticking = threading.Event()
    ticker = threading.Thread(target=_tick, args=(world, stop_ticking), name="ticker")
    if not world.clock.is_manual:
        ticker.start()
    try:
        if not started.wait(_STARTS_WITHIN_S):
            message = "the simulated market does not start; try another port"
            raise UsageError(message)
        yield Running(url_of(listener), world)
    finally:
        stop_ticking.set()
        server.should_exit = True
        thread.join()
        listener.close()
        if ticker.ident is not None:
            ticker.join()
        world.settle()


def _server(world: World, started: threading.Event, host: str) -> uvicorn.Server:
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
        """A server that reports when it listens."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

    market = _Application(world, transports, host)
    config = uvicorn.Config(
        Starlette(routes=[Mount("/", app=market)]),
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_ENDS_WITHIN_S,
        server_header=False,
        date_header=False,  # `Api.date_unix_s` is sent instead
    )
    return Server(config)


class _Application:
    """The API as an ASGI application.

    Parameters
    ----------
    world : what it answers from
    transports : peer -> connection, for answers that end it
    host : the address that it was asked to listen at
    """

    def __init__(
        self,
        world: World,
        transports: dict[tuple[str, int], asyncio.Transport],
        host: str,
    ) -> None:
        self._api = Api(world)
        self._transports = transports
        self._host = host

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        from starlette.requests import Request as Incoming  # noqa: PLC0415  (an extra)
        from starlette.responses import Response  # noqa: PLC0415

        incoming = Incoming(scope, receive)
        if not _is_here(incoming.headers.get("host"), self._host):
            reply = text("this market answers at its own address alone", _ELSEWHERE)
        else:
            reply = await asyncio.to_thread(
                self._api.handle, await _read(scope, incoming)
            )
        moment = email.utils.formatdate(self._api.date_unix_s, usegmt=True)
        reply = replace(reply, headers={**reply.headers, "Date": moment})
        if reply.manner == "reset":
            await self._reset(scope, receive)
        elif reply.manner == "drip":
            await _drip(reply, receive, send)
        else:
            response = Response(reply.body, reply.status, dict(reply.headers), reply.kind)
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
    named = {
        **reply.headers,
        "content-type": reply.kind,
        "content-length": str(len(reply.body)),
    }
    headers = [(name.lower().encode(), value.encode()) for name, value in named.items()]
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


async def _read(scope: Scope, incoming: Incoming) -> Request:
    """Return a request as the API takes it."""
    return Request(
        method=incoming.method,
        path=incoming.url.path,
        query=dict(incoming.query_params),
        body=(await incoming.body())[: _LONGEST_BODY + 1],
        key=_bearer(incoming.headers.get("authorization")),
        peer=scope["client"][0],
        base_url=str(incoming.base_url).rstrip("/"),
    )


def _is_here(name: str | None, host: str) -> bool:
    """Say whether a request's Host is one that we are reached at.

    See `advisor.base.loopback`.

    Parameters
    ----------
    name : header Host of the request, None without one
    host : the address that we were asked to listen at
    """
    called = called_in(name)
    if called == host.lower() or is_loopback(called):
        return bool(called)
    return not is_loopback(host) and is_address(called)


def _bearer(header: str | None) -> str | None:
    """Return the key of a header Authorization, None where there is none."""
    scheme, _, key = (header or "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def _tick(world: World, stop: threading.Event) -> None:
    """Let the world move on while nobody asks."""
    while not stop.wait(_TICK_S):
        with world.looked_at():
            pass
