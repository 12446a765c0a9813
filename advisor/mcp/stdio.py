"""The server on this process's own pipes, until the client or a signal ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import anyio
from mcp.server.stdio import stdio_server

from advisor.base.errors import AdvisorError
from advisor.mcp.server import Calls

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
_STDIN = 0
_MOST_LINES = 8
"""Lines that are read ahead."""


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
    with _signals_noted() as noted:
        try:
            anyio.run(_serve, calls, noted)
        except* (BrokenPipeError, anyio.BrokenResourceError):  # the client has gone
            pass
        finally:
            calls.leave()
            _join(calls)
    return noted.is_set()


async def _serve(calls: Calls, noted: threading.Event) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_watch, noted, tasks.cancel_scope)
        lines = cast("Any", _Lines(_own_stdin()))
        async with stdio_server(stdin=lines) as (incoming, outgoing):
            server = calls.server()
            await server.run(incoming, outgoing, server.create_initialization_options())
        tasks.cancel_scope.cancel()


async def _watch(noted: threading.Event, scope: anyio.CancelScope) -> None:
    """End the server when a signal has come."""
    while not noted.is_set():
        await anyio.sleep(0.1)
    scope.cancel()


@contextmanager
def _signals_noted() -> Iterator[threading.Event]:
    """Note signals instead of dying of them: machines may have to be released."""
    noted = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: noted.set())
        for name in _SIGNALS
        if (number := getattr(signal, name, None)) is not None
        and signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(_MOST_LINES)
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
        putting = self._queue.put(line)
        asyncio.run_coroutine_threadsafe(putting, self._loop).result()

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield the lines."""
        while (line := await self._queue.get()) is not None:
            yield line
