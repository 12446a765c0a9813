"""Time as an argument: what waits and what stamps takes it from here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from advisor.base.interrupts import pieces, window


def utc_now() -> datetime:
    """Return the time of this machine (UTC)."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Three ways to meet time, which a test replaces together.

    Attributes
    ----------
    now : returns the time (UTC), for stamps and for dates that a market names
    monotonic : seconds that only rise, for deadlines
    sleep : waits so many seconds
    """

    now: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def interruptible(clock: Clock) -> Clock:
    """Return the same time, whose waits end early, see `advisor.base.interrupts`."""

    def sleep(seconds: float) -> None:
        with window():
            for piece in pieces(seconds):
                clock.sleep(piece)

    return replace(clock, sleep=sleep)
