"""The server on this process's own pipes, until the client or a signal ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Self, cast

import anyio
from mcp.server.stdio import stdio_server

from advisor.base.errors import AdvisorError
from advisor.mcp.server import Calls

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
_STDIN = 0


def serve(calls: Calls) -> bool:
    """Serve until stdin ends, or a signal comes; return whether it was that.

    What was begun is ended before this returns: machines that nobody waits for are
    released.

    Raises
    ------
    AdvisorError
        if stdin or stdout is closed
    """
    if sys.stdin is None or sys.stdout is None:
        message = "stdin or stdout is closed: an MCP client starts this server"
        raise AdvisorError(message)
    with _Signals() as signals:
        try:
            anyio.run(_serve, calls, signals)
        except* (BrokenPipeError, anyio.BrokenResourceError):  # the client has gone
            pass
        finally:
            calls.leave()
            _join(calls)
    return signals.came


async def _serve(calls: Calls, signals: _Signals) -> None:
    with anyio.CancelScope() as scope:
        signals.cancel(scope)
        lines = cast("Any", _Lines(_own_stdin()))
        async with stdio_server(stdin=lines) as (incoming, outgoing):
            server = calls.server()
            await server.run(incoming, outgoing, server.create_initialization_options())


class _Signals:
    """Signals end the server instead of the process: machines may have to be released.

    Attributes
    ----------
    came : whether one has come
    """

    def __init__(self) -> None:
        self.came = False
        self._wake: Callable[[], object] = lambda: None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Note what comes from here on; what is ignored stays so."""
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Put the earlier handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def cancel(self, scope: anyio.CancelScope) -> None:
        """Have the next one cancel a scope of this loop; one that came does at once."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(scope.cancel)

        self._wake = wake
        if self.came:
            wake()

    def _note(self, *_: object) -> None:
        self.came = True
        self._wake()


def _join(calls: Calls) -> None:
    """Wait until all that was begun is ended."""
    while not calls.join(0.5):
        pass


def _own_stdin() -> int:
    """Return stdin for this server alone: what it starts reads nothing of the client."""
    own = os.dup(_STDIN)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, _STDIN)
    os.close(nowhere)
    return own


class _Lines:
    """The lines of stdin, read by a thread that does not keep the process.

    The SDK's own reader cannot be cancelled while it waits for a line, so that a signal
    would end nothing.

    Parameters
    ----------
    descriptor : of the stream
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def _read(self) -> None:
        with suppress(RuntimeError):  # the loop has ended
            with (
                suppress(OSError),
                os.fdopen(self._descriptor, encoding="utf-8", errors="replace") as stream,
            ):
                for line in stream:
                    self._put(line)
            self._put(None)

    def _put(self, line: str | None) -> None:
        self._loop.call_soon_threadsafe(self._queue.put_nowait, line)

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield the lines."""
        while (line := await self._queue.get()) is not None:
            yield line
