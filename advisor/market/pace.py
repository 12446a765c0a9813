"""How often the market lets one account call each part of its API.

Source: the texts of its own refusals ("endpoint threshold=4.5") and
https://docs.vast.ai (November 2026).
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from advisor.clock import Clock

INTERVALS_S = {
    "search": 6.0,
    "rent": 4.5,
    "show": 2.0,
    "list": 1.0,
    "change": 1.0,
    "destroy": 3.0,
    "bid": 5.5,
    "account": 1.0,
}
"""Least seconds from the end of one call of a kind to the start of the next.

`change` is to start, stop or relabel. Nobody has told of an interval for `account`
(who am I, ssh keys, logs): it has that of a list.
"""


class Pace:
    """The pace of one account; threads that share it wait for one another.

    Parameters
    ----------
    clock : tells when a call may be made, and waits
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at: dict[str, float] = {}

    def wait(self, kind: str, deadline: float = math.inf) -> bool:
        """Wait until a call of a kind may be made, and take that turn.

        Returns False at once, and takes no turn, where the turn would only come at
        the deadline (a moment of the clock, in seconds) or after it.
        """
        with self._lock:
            now = self._clock.monotonic()
            turn = max(now, self._free_at.get(kind, now))
            if turn >= deadline:
                return False
            self._free_at[kind] = turn + INTERVALS_S[kind]
        if turn > now:
            self._clock.sleep(turn - now)
        return True

    def ended(self, kind: str) -> None:
        """Count the interval of a kind from now on: the market has answered."""
        with self._lock:
            free_at = self._clock.monotonic() + INTERVALS_S[kind]
            self._free_at[kind] = max(free_at, self._free_at.get(kind, free_at))


@dataclass(frozen=True, slots=True)
class Turn:
    """The turns of one kind of call (see `INTERVALS_S`)."""

    pace: Pace
    kind: str

    def wait(self, deadline: float) -> bool:
        """Wait for the next turn, see `Pace.wait`."""
        return self.pace.wait(self.kind, deadline)

    def ended(self) -> None:
        """Say that the market has answered, see `Pace.ended`."""
        self.pace.ended(self.kind)
