"""The program is stopped as a user's Ctrl-C would, so that its own handlers run."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable

_AGAIN_S = 5.0
"""Seconds after which a program that goes on is stopped again."""
_PATIENCE_S = 15.0
"""Seconds that a step may take after the time is over, before it is broken off."""
_FILE = "stop-at-step"
_AHEAD = 2
"""Steps from the decision to stop until all processes do: they are less apart."""


class Stopping:
    """Decides when the program is stopped, and stops it.

    Parameters
    ----------
    steps, seconds : after which; None: not for that
    folder : where processes that train together agree on a step
    stopped : is called before each stop with what it is for
    """

    def __init__(
        self,
        steps: int | None,
        seconds: float | None,
        folder: str,
        stopped: Callable[[str], None],
    ) -> None:
        self._steps, self._seconds = steps, seconds
        self._agreed = Path(folder) / _FILE
        self._stopped = stopped
        self._is_over = False
        self._last: float | None = None
        self.reason: str | None = None

    def begin(self) -> None:
        """Have the time run from now."""
        if self._seconds is not None:
            thread = threading.Thread(target=self._run_out, name="advisor", daemon=True)
            thread.start()

    def _run_out(self) -> None:
        """Wait until the time is over; break off a step that takes too long then."""
        time.sleep(self._seconds or 0.0)
        self._is_over = True
        time.sleep(_PATIENCE_S)
        if self.reason is None:
            self._prepare("seconds")
            _thread.interrupt_main()

    def check(self, steps: int, rank: int, world: int) -> None:
        """Stop the program here, after so many steps, if it is time.

        Raises
        ------
        KeyboardInterrupt
            in the main thread, unless the program handles SIGINT itself: then that runs
        """
        if self._steps is not None and steps >= self._steps:
            self._stop("steps")
        elif world == 1:
            if self._is_over:
                self._stop("seconds")
        elif self._is_agreed(steps, rank):
            self._stop("seconds")

    def _is_agreed(self, steps: int, rank: int) -> bool:
        """Say whether processes that wait for each other all stop at this step."""
        if self._is_over and rank == 0 and not self._agreed.exists():
            part = self._agreed.with_name(f"{_FILE}.part")
            part.write_text(str(steps + _AHEAD), encoding="ascii")
            part.replace(self._agreed)
        try:
            return steps >= int(self._agreed.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return False

    def _prepare(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._last = time.monotonic()
        _end_quietly()
        self._stopped(self.reason)

    def _stop(self, reason: str) -> None:
        again = self._last is not None
        if again and time.monotonic() - (self._last or 0.0) < _AGAIN_S:
            return
        self._prepare(reason)
        if threading.current_thread() is not threading.main_thread():
            _thread.interrupt_main()
            return
        handler = signal.getsignal(signal.SIGINT)
        own = callable(handler) and handler is not signal.default_int_handler
        if own and not again:
            os.kill(os.getpid(), signal.SIGINT)
            return
        raise KeyboardInterrupt


def _end_quietly() -> None:
    """Have our stop, if nothing catches it, end the program silently with status 0."""
    previous = sys.excepthook
    if getattr(previous, "is_advisors", False):
        return

    def excepthook(kind: Any, error: Any, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            raise SystemExit(0)
        previous(kind, error, trace)

    excepthook.is_advisors = True  # type: ignore[attr-defined]
    sys.excepthook = excepthook
