"""Stands between launchers and the market, and does what is planned to exchanges."""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import struct
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from chaos_parts.faults import Fault, Known, Reply
from chaos_parts.simtime import SimTime

_DROPPED = ("host", "accept-encoding", "connection", "x-launch")


def kind_of(method: str, path: str) -> str:
    """Return the kind of a request, as the market's rate limits know it."""
    plain = urllib.parse.urlsplit(path).path
    if "/bundles" in plain:
        return "search"
    if "/users/current" in plain:
        return "account"
    if method == "PUT" and "/asks/" in plain:
        return "rent"
    if method == "GET" and plain.startswith("/api/v1/instances"):
        return "list"
    if "/instances/" in plain:
        return {"GET": "show", "DELETE": "destroy"}.get(method, "other")
    return "other"


@dataclass(slots=True)
class Passing:
    """One request on its way: what `faults.Exchange` promises."""

    kind: str
    launch: int
    proxy: Proxy
    handler: BaseHTTPRequestHandler
    body: bytes
    forwarded: Callable[[], None] = field(default=lambda: None)

    def forward(self, *, key: str | None = None, path: str | None = None) -> Reply:
        """Let the market have it; return its answer."""
        handler = self.handler
        headers = {
            name: text
            for name, text in handler.headers.items()
            if name.lower() not in _DROPPED
        }
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        reply = self.proxy.ask(handler.command, path or handler.path, headers, self.body)
        if self.kind == "list" and key is None and reply.status == 200:
            self.proxy.lists.append(reply.body)
        self.forwarded()
        return reply

    def answer(self, reply: Reply) -> None:
        """Answer it."""
        self._head(reply)
        self.handler.wfile.write(reply.body)

    def reset(self, sent: Reply | None = None) -> None:
        """Break the connection, after half of an answer if that is given."""
        handler = self.handler
        if sent is not None:
            self._head(sent)
            handler.wfile.write(sent.body[: len(sent.body) // 2])
            handler.wfile.flush()
        handler.close_connection = True
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.connection.close()

    def later(self, seconds: float) -> None:
        """Let the market have it so many simulated seconds from now."""
        handler = self.handler
        command, path, headers = handler.command, handler.path, dict(handler.headers)
        for name in list(headers):
            if name.lower() in _DROPPED:
                del headers[name]
        proxy, body = self.proxy, self.body
        proxy.time.after(seconds, lambda: _quietly(proxy, command, path, headers, body))

    def wait(self, seconds: float) -> None:
        """Let so many simulated seconds pass."""
        self.proxy.time.wait(
            self.proxy.director.lane_of(self.launch), seconds, self.is_left
        )

    def is_left(self) -> bool:
        """Say whether the other end of the connection is gone."""
        return _is_left(self.handler.connection)

    def known(self) -> Known:
        """Return what the proxy knows beside the exchange."""
        return self.proxy.director.knowing(self)

    def _head(self, reply: Reply) -> None:
        handler = self.handler
        handler.send_response_only(reply.status)
        handler.send_header("Content-Type", reply.kind)
        handler.send_header("Content-Length", str(len(reply.body)))
        if reply.date is not None:
            handler.send_header("Date", reply.date)
        handler.end_headers()


class Director(Protocol):
    """Who decides what happens to requests."""

    def decide(self, passing: Passing) -> Fault | None:
        """Return the fault of a request, None to pass it on."""

    def lane_of(self, launch: int) -> int | None:
        """Return the lane of a launch."""

    def knowing(self, passing: Passing) -> Known:
        """Return what the faults need to know."""

    def at_line(self, launch: int) -> None:
        """Hear that a launch has come to the line where it gets a signal."""


class Proxy:
    """A server that launchers take for the market.

    Parameters
    ----------
    target : the market's address
    time : passes when launchers wait
    director : decides what happens

    Attributes
    ----------
    url : its address
    lists : bodies of lists that the market sent
    """

    def __init__(self, target: str, time: SimTime, director: Director) -> None:
        self._target = urllib.parse.urlsplit(target).netloc
        self.time = time
        self.director = director
        self.lists: list[bytes] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.02,), daemon=True).start()

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """Send a request to the market itself."""
        connection = http.client.HTTPConnection(self._target, timeout=60)
        try:
            connection.request(method, path, body or None, headers)
            got = connection.getresponse()
            kind = got.getheader("Content-Type") or "application/json"
            return Reply(got.status, kind, got.read(), got.getheader("Date"))
        finally:
            connection.close()

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Say nothing of launchers that are killed in the middle of a request."""


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    """Return what handles the requests of launchers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, *_: Any) -> None:
            pass

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path in ("/__sleep", "/__signal"):
                self._own(json.loads(body))
                return
            launch = int(self.headers.get("X-Launch") or 0)
            kind = kind_of(self.command, self.path)
            passing = Passing(kind, launch, proxy, self, body)
            fault = proxy.director.decide(passing)
            try:
                if fault is None:
                    passing.answer(passing.forward())
                else:
                    fault(passing)
            except (ConnectionError, TimeoutError):
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815  (theirs)

        def _own(self, asked: dict[str, Any]) -> None:
            """Do what launchers ask of the driver: to let time pass, or a signal."""
            if self.path == "/__signal":
                proxy.director.at_line(asked["launch"])
            else:
                lane = proxy.director.lane_of(asked["launch"]) if asked["main"] else None
                connection = self.connection
                proxy.time.wait(lane, asked["seconds"], lambda: _is_left(connection))
            with contextlib.suppress(OSError):
                self.send_response_only(204)
                self.end_headers()

    return Handler


def _is_left(connection: socket.socket) -> bool:
    """Say whether the other end of a connection is gone."""
    try:
        ready, _, _ = select.select([connection], [], [], 0)
        return bool(ready) and not connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True


def _quietly(
    proxy: Proxy, method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    """Let the market have a request whose answer nobody waits for."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        proxy.ask(method, path, headers, body)
