"""A market that is asked in the background, at most so often.

A market may take a minute, or hang. No page waits for it, no page's thread is taken
by it, and the server ends without it: a question changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

_Known = TypeVar("_Known")


class Held(NamedTuple, Generic[_Known]):
    """What is known at one moment, and whether more is being asked for."""

    known: _Known
    is_asked: bool


class Asking(Generic[_Known]):
    """Asks in a thread of its own, and holds what came of it.

    Parameters
    ----------
    known : before anything was asked
    monotonic : seconds of a clock that is never set back
    again_s : seconds in which it is not asked twice
    """

    def __init__(
        self, known: _Known, monotonic: Callable[[], float], again_s: float
    ) -> None:
        self._held = Held(known, is_asked=False)
        self._monotonic = monotonic
        self._again_s = again_s
        self._asked_at: float | None = None
        self._changed = threading.Condition()

    def begin(self, ask: Callable[[_Known], _Known]) -> bool:
        """Begin to ask; return whether that was not done a moment ago.

        Parameters
        ----------
        ask : takes what is known, and returns what is known after that; it never raises
        """
        with self._changed:
            now, last = self._monotonic(), self._asked_at
            if self._held.is_asked or (last is not None and now - last < self._again_s):
                return False
            self._asked_at = now
            self._held = self._held._replace(is_asked=True)
        threading.Thread(
            target=self._ask, args=(ask,), name="asking", daemon=True
        ).start()
        return True

    def wait(self, seconds: float = 0.0) -> Held[_Known]:
        """Return what is known once nothing is being asked, or after a while."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held.is_asked, seconds)
            return self._held

    def _ask(self, ask: Callable[[_Known], _Known]) -> None:
        known = ask(self._held.known)
        with self._changed:
            self._held = Held(known, is_asked=False)
            self._changed.notify_all()
