"""Threads for what takes a while, so that no request keeps the others waiting.

Some predictions run at once and some wait; what comes beyond that is refused at once
rather than late. NumPy leaves the interpreter free while it computes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from advisor.base.errors import AdvisorError

_Result = TypeVar("_Result")

_MOST_THREADS = 4
_WAITING_PER_THREAD = 8
"""A prediction takes some 0.2 s: whoever waits longer has turned to another page."""


class BusyError(AdvisorError):
    """More is asked for at once than can be answered."""

    code = "busy"
    hint = "Wait a second, then try again."


class Workers:
    """A few threads, and a queue that does not grow for ever.

    Parameters
    ----------
    threads : that compute at once; None: as many as CPUs, four at most
    """

    def __init__(self, threads: int | None = None) -> None:
        count = threads or min(os.cpu_count() or 1, _MOST_THREADS)
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="page")
        self._most = count * (1 + _WAITING_PER_THREAD)
        self._free = asyncio.Semaphore(count)
        self._at_work = 0

    async def run(
        self,
        work: Callable[[], _Result],
        is_gone: Callable[[], Awaitable[bool]] | None = None,
    ) -> _Result:
        """Return what work comes to, done in a thread.

        Parameters
        ----------
        is_gone : whether nobody waits for it any more, asked when its turn comes:
            a slider that moves on leaves what it asked before; None: somebody does

        Raises
        ------
        BusyError
            if too much waits already, or nobody does
        """
        if self._at_work >= self._most:  # only the event loop counts
            message = f"{self._at_work} answers are being computed: try again in a second"
            raise BusyError(message)
        self._at_work += 1
        try:
            async with self._free:
                if is_gone is not None and await is_gone():
                    message = "nobody waits for this answer any more"
                    raise BusyError(message)
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._at_work -= 1

    def close(self) -> None:
        """Let what has begun end; what waits does not begin."""
        self._pool.shutdown(wait=True, cancel_futures=True)
