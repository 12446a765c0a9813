"""The application on a socket of this machine: Starlette on uvicorn."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import uvicorn

from advisor.base.errors import Given, UsageError
from advisor.base.loopback import is_loopback, listen

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_ENDS_WITHIN_S = 2
_STARTS_WITHIN_S = 30.0


def listen_here(host: str, port: int) -> socket.socket:
    """Return a socket that only this machine reaches.

    Raises
    ------
    UsageError
        if the address is another one, or cannot be had
    """
    refusal = UsageError(
        *(Given("host", host), " is not this machine's own address: others could look "),
        "and write there; keep 127.0.0.1, and forward a port with 'ssh -L' to look from "
        "elsewhere",
    )
    if not is_loopback(host):
        raise refusal
    listener = listen(host, port)
    if not is_loopback(listener.getsockname()[0]):  # what a name stands for here
        listener.close()
        raise refusal
    return listener


@contextlib.contextmanager
def running(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """Answer requests in another thread, as long as the context lasts.

    Parameters
    ----------
    listener : listens already; it is closed at the end

    Raises
    ------
    UsageError
        if the server does not start
    """
    started = threading.Event()

    class Server(uvicorn.Server):
        """A server that reports when it listens."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # what it logs of others' requests is not worth a line
        access_log=False,
        timeout_graceful_shutdown=_ENDS_WITHIN_S,
        server_header=False,
    )
    server = Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="page-server"
    )
    thread.start()
    try:
        if not started.wait(_STARTS_WITHIN_S):
            message = "the server does not start; try another port"
            raise UsageError(message)
        yield
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
