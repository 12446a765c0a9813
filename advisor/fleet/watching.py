"""A machine's jobs are watched: which have ended, which go on, which nobody knows of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from advisor.base.errors import RemoteError, UnreachableError
from advisor.fleet.board import Attempt, Board
from advisor.fleet.feeding import Pace
from advisor.fleet.home import CHECKPOINTS_S, Ended, Home
from advisor.fleet.printing import LOOK_S, Printer, look
from advisor.fleet.refusals import TRIES
from advisor.fleet.running import Hands, Running
from advisor.rental.remote.held_job import HeldState
from advisor.store.sweeps import Proof

_RECONNECT_S = 10.0


@dataclass(slots=True)
class Watcher:
    """Watches what one machine has to do.

    Attributes
    ----------
    hands : what it has to do
    board : where each job is
    home : brings home what has ended
    pace : how long a job takes on it
    printer : shows what attempts print
    moved : told of each job that it stopped for want of us
    started : told of each attempt that has its slot
    ended : told of each attempt that has ended, before it comes home
    place : begins an attempt on a slot, with all that it begins with
    refused : told of each attempt that the machine does not start, and why
    """

    hands: Hands
    board: Board
    home: Home
    pace: Pace
    printer: Printer
    moved: Callable[[Attempt, Proof, str], None]
    started: Callable[[Attempt], None]
    ended: Callable[[Ended], None]
    place: Callable[[Attempt, int], None]
    refused: Callable[[Attempt, str], None]
    _saved_at: float = 0.0
    _tried_at: float = float("-inf")
    _printed_at: float = float("-inf")

    def __post_init__(self) -> None:
        self._saved_at = self.hands.now

    def look(self, within_s: float) -> None:
        """Learn what has ended, waiting for the first; keep the machine connected.

        Raises
        ------
        UnreachableError, AdvisorError
            if the machine is lost, or not ours any more
        """
        member = self.hands.member
        for attempt in self.hands.newly_first():
            self.started(attempt)
        over = self.hands.over(within_s)
        self.home.check()
        member.look()
        try:
            self._connect()
            for one, state in self.hands.states(over):
                self._learn(one, state)
        except UnreachableError as error:
            member.tell_unreached(error)
        if self.hands.now - self._printed_at >= LOOK_S:
            self._printed_at = self.hands.now
            look(self.hands, self.printer)
        if self.hands.now - self._saved_at >= CHECKPOINTS_S:
            self._saved_at = self.hands.now
            self.home.save([one.attempt for one in self.hands.running.values()])

    def _connect(self) -> None:
        """Connect the machine again where that is lost; its jobs get new tasks.

        Raises
        ------
        UnreachableError
            if it cannot be reached
        RemoteError
            if its workers do not start
        """
        member = self.hands.member
        if member.is_connected and member.worker_names:
            return
        if self.hands.now - self._tried_at < _RECONNECT_S:
            return
        self._tried_at = self.hands.now
        self.hands.forget_tasks()
        member.connect()
        for key, one in list(self.hands.running.items()):
            if one.is_placed:
                self.hands.begin(key)

    def _learn(self, one: Running, state: HeldState) -> None:
        """Act on what the machine says of an attempt."""
        attempt, key = one.attempt, one.attempt.key
        if state.phase == "ended":
            self._end(one, state.exit_code)
        elif state.phase == "lapsed":
            self.hands.drop(key)
            self.board.move(attempt, "lapsed")
            self.moved(attempt, "lapsed", "the machine heard nothing of us and ended it")
        elif state.phase == "lost":
            self._end(one, None)
        elif state.phase == "orphaned":
            if self.hands.stop(attempt):
                self._end(one, None)
        else:
            if state.reason:
                self.hands.member.fleet.rental.notify(
                    f"{attempt.job.name}: {state.reason}"
                )
            if state.phase == "not_started" and not one.is_placed:
                self.place(attempt, one.slot)
            elif self.hands.lacks_task(one):
                self._begin_again(one, has_begun=state.phase != "not_started")

    def _begin_again(self, one: Running, *, has_begun: bool) -> None:
        """Give an attempt another task; the last try is our own, which says why.

        Tasks do not tell why the machine does not start it, and may be over for reasons
        of their own. What waits for its slot is begun by tasks alone: they wait there.
        """
        key = one.attempt.key
        one.tries = one.tries + 1 if one.is_first and not has_begun else 0
        if one.tries >= TRIES:
            try:
                self.hands.start(key)
            except UnreachableError:
                raise
            except RemoteError as error:
                self.refused(one.attempt, str(error))
                return
        self.hands.begin(key)

    def _end(self, one: Running, exit_code: int | None) -> None:
        """Have an attempt that has ended come home."""
        self.board.end(one.attempt, exit_code)
        took_s = self.hands.took_s(one)
        if exit_code == 0:
            self.pace.add(took_s)
        self.hands.drop(one.attempt.key)
        ended = Ended(one.attempt, exit_code, took_s)
        self.ended(ended)
        self.home.bring(ended)
