"""A machine gets its jobs: as many as it has slots, and one more where they are short.

What is given is written down first, then what the job has saved elsewhere is sent, then a
task begins it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from advisor.base.errors import RemoteError, UnreachableError
from advisor.fleet.board import Attempt, Board
from advisor.fleet.running import Hands
from advisor.rental.outgoing.decide import Outgoing

AHEAD_BELOW_S = 120.0
"""Seconds that a job takes at most where its slot gets the next one before it has ended:
a second per job is saved, but what is given cannot go elsewhere. An assumption."""

_SPARE_S = 600.0
"""Seconds before a machine's end by which a job must be over: its results come home, and
its launcher begins to give the machine back five minutes before. An assumption."""

_SPARE_SHARE = 1.25


@dataclass(slots=True)
class Pace:
    """How long a job takes on one machine.

    Attributes
    ----------
    planned_s : by the plan; None: nobody has said
    done : jobs that have ended well
    took_s : that they took, all together
    """

    planned_s: float | None = None
    done: int = 0
    took_s: float = 0.0

    @property
    def seconds(self) -> float | None:
        """What a job takes: as was seen, else as was planned; None: nobody knows."""
        return self.took_s / self.done if self.done else self.planned_s

    def add(self, seconds: float) -> None:
        """Take account of one that has ended well."""
        self.done += 1
        self.took_s += seconds


@dataclass(slots=True)
class Feeder:
    """Gives one machine its jobs.

    Attributes
    ----------
    key : number of the machine in the plan
    hands : what it has to do
    board : where each job is
    saved : returns what a job has saved at home, None if nothing
    given : told of each attempt that is given
    refused : told of each attempt that the machine does not take, and why
    """

    key: int
    hands: Hands
    board: Board
    saved: Callable[[Attempt], Outgoing | None]
    given: Callable[[Attempt], None]
    refused: Callable[[Attempt, str], None]
    pace: Pace = field(default_factory=Pace)

    def fill(self) -> None:
        """Give it what it can take.

        Raises
        ------
        StoreError
            if it cannot be written down; it is not given then
        RemoteError
            if the machine cannot be reached: what was given is begun later
        """
        while self.hands.member.worker_names:
            slot, load = self.hands.emptiest()
            if load > self._ahead() or not self.has_time(load):
                return
            attempt = self.board.take(self.key, self.hands.member.label)
            if attempt is None:
                return
            self.given(attempt)
            self.place(attempt, slot)
            if attempt.key not in self.hands.running:  # it was refused
                return

    def place(self, attempt: Attempt, slot: int) -> None:
        """Begin an attempt that the machine was given; also again, where that broke off.

        Raises
        ------
        UnreachableError
            if the machine cannot be reached
        """
        self.hands.hold(attempt, slot)
        try:
            self._bring(attempt)
        except UnreachableError:
            raise
        except RemoteError as error:
            self.refused(attempt, str(error))
            return
        self.hands.running[attempt.key].is_placed = True
        self.hands.begin(attempt.key)

    def _bring(self, attempt: Attempt) -> None:
        """Have the machine have what an attempt begins with, and no more.

        Raises
        ------
        RemoteError
            if that cannot be done, such as where its disk is full
        """
        member = self.hands.member
        if attempt.number > 1:
            member.clear(attempt.job.results)
        if attempt.before != member.label:
            outgoing = self.saved(attempt)
            if outgoing is not None:
                member.send(outgoing)

    def _ahead(self) -> int:
        """Return how many jobs a slot has beside the one that runs, at most."""
        seconds = self.pace.seconds
        return 1 if seconds is not None and seconds < AHEAD_BELOW_S else 0

    def has_time(self, load: int = 0) -> bool:
        """Say whether one more job would be over before the machine must be gone.

        Parameters
        ----------
        load : jobs that its slot has before that
        """
        seconds = (self.pace.seconds or 0.0) * _SPARE_SHARE * (load + 1)
        entry, rental = self.hands.member.entry, self.hands.member.fleet.rental
        return rental.now() + seconds + _SPARE_S < entry.ends_at
