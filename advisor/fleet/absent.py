"""A machine that had jobs and that nobody here holds: its jobs wait until it is sure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from advisor.base.errors import AdvisorError
from advisor.base.interrupts import stoppable
from advisor.fleet.board import Board
from advisor.fleet.ending import wait_for_lapse
from advisor.rental.context import RentalContext
from advisor.rental.remote.held_job import LAPSE_MARGIN_S


@dataclass(slots=True)
class Absent:
    """Waits, in a thread of its own, until nothing of a machine's jobs can run.

    Nobody gives it a sign of life, at the latest since this was made.

    Attributes
    ----------
    label : of its rental
    rental : where it was rented
    board : where each job is
    lease_s : seconds that it waits for a sign of life
    ended : told when that is so, or when it is to stop
    error : why nobody can say, None if all is well
    """

    label: str
    rental: RentalContext
    board: Board
    lease_s: float
    ended: Callable[[Absent], None]
    error: BaseException | None = None
    _since: float = field(init=False)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self._since = self.rental.clock.monotonic()

    def start(self) -> None:
        """Begin to wait."""
        self._thread = threading.Thread(target=self._run, name="absent", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Wait no more; its jobs stay where they are."""
        self._stop.set()

    def join(self) -> None:
        """Wait for its end."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            with stoppable(self._stop):
                wait_for_lapse(self.rental, self.board, self.label, self._has_lapsed)
        except (AdvisorError, KeyboardInterrupt) as error:
            self.error = error
        finally:
            self.ended(self)

    def _has_lapsed(self) -> bool:
        passed_s = self.rental.clock.monotonic() - self._since
        return passed_s > self.lease_s + LAPSE_MARGIN_S
