"""How long a bench may take, how much it may write, and whether it is to end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable


class Budget:
    """Seconds and bytes that are left.

    Parameters
    ----------
    seconds : until it is over
    bytes_ : that may be written
    monotonic : seconds that only rise
    """

    def __init__(
        self,
        seconds: float,
        bytes_: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self.began = monotonic()
        self.ends = self.began + seconds
        self.bytes_left = bytes_
        self.written = 0
        self._parent = os.getppid()
        self._is_over = False

    def left(self) -> float:
        """Return the seconds that are left, 0 at least."""
        return max(self.ends - self._monotonic(), 0.0)

    def passed(self) -> float:
        """Return the seconds since it began."""
        return self._monotonic() - self.began

    def write(self, size: int) -> None:
        """Count what was written."""
        self.written += size
        self.bytes_left -= size

    def end(self) -> None:
        """Have the next check end the bench, wherever what a signal raises gets lost.

        Python drops what is raised in the hooks that it calls when it forks.
        """
        self._is_over = True

    def check(self) -> None:
        """End the bench if it is to end, or if nobody waits for it any more.

        Raises
        ------
        KeyboardInterrupt
            after `end`; and if who started it has ended, unless it was told to outlive
            that (nohup)
        """
        if self._is_over:
            raise KeyboardInterrupt
        outlives = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        if os.getppid() != self._parent and not outlives:
            raise KeyboardInterrupt
