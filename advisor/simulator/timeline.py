"""What will happen in a simulated market, in the order of time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable


class Timeline:
    """Actions at moments; those of one moment come in the order they were set.

    Parameters
    ----------
    now : simulated time at the start, seconds since 1970
    """

    def __init__(self, now: float) -> None:
        self.now = now
        self._count = itertools.count()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Let something happen so many seconds from now."""
        self.at(self.now + seconds, action)

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Let something happen at a moment; at once if that is past."""
        entry = (max(moment, self.now), next(self._count), action)
        heapq.heappush(self._heap, entry)

    def run_until(self, moment: float) -> None:
        """Let everything happen up to a moment, which is then now."""
        while self._heap and self._heap[0][0] <= moment:
            self.now, _, action = heapq.heappop(self._heap)
            action()
        self.now = max(self.now, moment)
