"""The time of a simulated market: a real clock made faster, or one set by hand."""

from __future__ import annotations

import re
import threading
from typing import Self

from advisor.base.clock import Clock
from advisor.base.errors import Given, UsageError

MANUAL = "manual"
FASTEST = 1_000_000.0


class SimClock:
    """Simulated time, in seconds since 1970.

    Parameters
    ----------
    speed : simulated seconds that pass in a real one; 0 for a clock that stands
        still until `advance` moves it
    start_unix_s : simulated time at the start; None for the real time
    clock : the real one

    Attributes
    ----------
    has_own_start : whether it began at a time that was given, so that who asks the
        market keeps that time as well
    """

    def __init__(
        self,
        speed: float = 1.0,
        start_unix_s: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._real = clock or Clock()
        self.speed = speed
        self.has_own_start = start_unix_s is not None
        self._start = (
            self._real.now().timestamp() if start_unix_s is None else start_unix_s
        )
        self._began = self._real.monotonic()
        self._added = 0.0
        self._lock = threading.Lock()

    @classmethod
    def manual(cls, start_unix_s: float | None = None) -> Self:
        """Return a clock that only `advance` moves."""
        return cls(0.0, start_unix_s)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the clock that ``60x`` or ``manual`` asks for.

        Raises
        ------
        UsageError
            if it is neither
        """
        if text.strip() == MANUAL:
            return cls.manual()
        match = re.fullmatch(r"(\d+(?:\.\d+)?)x", text.strip())
        if match is None or not 0 < float(match[1]) <= FASTEST:
            expected = f" {text!r} is no speed: write 1x, 60x or {MANUAL}"
            raise UsageError(Given("clock"), expected)
        return cls(float(match[1]))

    @property
    def is_manual(self) -> bool:
        """Whether time stands still until it is moved."""
        return self.speed == 0

    def now(self) -> float:
        """Return the simulated time, seconds since 1970."""
        passed = (self._real.monotonic() - self._began) * self.speed
        with self._lock:
            return self._start + passed + self._added

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        with self._lock:
            self._added += seconds
