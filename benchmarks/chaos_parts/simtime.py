"""Simulated time that passes when all who could do something wait for it.

Lanes are threads that do one thing after the other, such as launchers of a schedule. As
long as one of them is at work, time stands still; once each waits, is stopped or has
ended, the clock goes to the next moment that anybody waits for. So a launcher's minute is
a minute for all others, too, and a schedule plays the same on a slow computer.
"""

from __future__ import annotations

import heapq
import itertools
import mmap
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from advisor.simulator.world import World

_LONGEST_NAP_S = 0.5


@dataclass(slots=True)
class _Wait:
    """A lane that waits for a moment."""

    lane: int | None
    come: threading.Event = field(default_factory=threading.Event)
    is_over: bool = False


class SimTime:
    """The time of a world, see the module.

    Parameters
    ----------
    world : whose clock is set by hand
    file : gets the time, 8 bytes, for other processes
    """

    def __init__(self, world: World, file: Path) -> None:
        self._world = world
        file.write_bytes(struct.pack("d", world.clock.now()))
        with file.open("r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), 8)
        self._changed = threading.Condition()
        self._count = itertools.count()
        self._moments: list[tuple[float, int, _Wait | Callable[[], None]]] = []
        self._waiting: dict[int, int] = {}
        self._stopped: set[int] = set()
        self._still_until = 0.0
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self._world.clock.now()

    def begin(self, lane: int) -> None:
        """Let time stand still from now on while a lane is at work."""
        with self._changed:
            self._waiting[lane] = 0

    def end(self, lane: int) -> None:
        """Let a lane have ended."""
        with self._changed:
            self._waiting.pop(lane, None)
            self._stopped.discard(lane)
            self._changed.notify_all()

    def wait(
        self,
        lane: int | None,
        seconds: float,
        is_given_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wait until so many seconds have passed.

        Parameters
        ----------
        lane : that waits; None for one that others do not wait for
        is_given_up : asked now and then; whether nobody waits any more
        """
        if seconds <= 0:
            return
        waiter = _Wait(lane)
        with self._changed:
            heapq.heappush(self._moments, (self.now + seconds, next(self._count), waiter))
            if lane in self._waiting:
                self._waiting[lane] += 1
            self._changed.notify_all()
        while not waiter.come.wait(0.02):
            if self._closed or is_given_up():
                break
        with self._changed:
            self._end(waiter)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Let something happen, before time moves on from that moment."""
        with self._changed:
            moment = (self.now + seconds, next(self._count), action)
            heapq.heappush(self._moments, moment)
            self._changed.notify_all()

    def stop(self, lane: int, seconds: float, go_on: Callable[[], None]) -> None:
        """Let a lane stand still for so many seconds, then let it go on."""
        with self._changed:
            self._stopped.add(lane)
            self._changed.notify_all()

        def resume() -> None:
            with self._changed:
                self._stopped.discard(lane)
            go_on()

        self.after(seconds, resume)

    def hold(self, real_s: float) -> None:
        """Let no time pass for so many real seconds: a signal is on its way."""
        with self._changed:
            self._still_until = max(self._still_until, time.monotonic() + real_s)

    def pass_all(self) -> None:
        """Wait until nothing is left that was to happen, such as late requests."""
        with self._changed:
            self._changed.wait_for(lambda: not self._moments, 30.0)

    def advance(self, seconds: float) -> None:
        """Let time pass, where no lane is at work."""
        self._world.advance(seconds)
        self._memory[:8] = struct.pack("d", self.now)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self._memory.close()

    def _end(self, waiter: _Wait) -> None:
        if waiter.is_over:
            return
        waiter.is_over = True
        if waiter.lane in self._waiting:
            self._waiting[waiter.lane] -= 1

    def _is_still(self) -> bool:
        """Say whether time may not pass now."""
        at_work = any(
            not count and lane not in self._stopped
            for lane, count in self._waiting.items()
        )
        return at_work or time.monotonic() < self._still_until or not self._moments

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and self._is_still():
                    left = self._still_until - time.monotonic()
                    self._changed.wait(left if left > 0 else _LONGEST_NAP_S)
                if self._closed:
                    return
                moment, _, happens = heapq.heappop(self._moments)
                if isinstance(happens, _Wait) and happens.is_over:
                    continue
            if moment > self.now:
                self.advance(moment - self.now)
            if isinstance(happens, _Wait):
                with self._changed:
                    self._end(happens)
                happens.come.set()
            else:
                happens()
                with self._changed:
                    self._changed.notify_all()
