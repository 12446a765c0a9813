"""A machine that does not start a job, such as where its disk is full.

It gets a few tries. Then the job goes to another machine, and this one gets no more. A
job that several machines do not start has failed: it is the job's own fault.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.fleet.board import Attempt, Board
from advisor.fleet.running import Hands
from advisor.fleet.telling import Teller
from advisor.rental.remote.held_scripts import EARLIER

TRIES = 3
"""How often a machine is asked to start an attempt, five seconds apart or more, before it
counts as one that does not: what passes by itself has passed by then. An assumption."""


@dataclass(slots=True)
class Refusals:
    """Notes what one machine does not start.

    Attributes
    ----------
    hands : what it has to do
    board : where each job is
    teller : tells of it
    reason : why it starts nothing, for people; ``""``: it does
    """

    hands: Hands
    board: Board
    teller: Teller
    reason: str = ""

    def note(self, attempt: Attempt, reason: str) -> None:
        """Have a job go elsewhere, once nothing of it can begin here any more.

        Where that is not sure, or an earlier attempt of it still runs here, it goes once
        the machine is gone.

        Raises
        ------
        UnreachableError
            if the machine does not answer: nothing is noted, and it is asked again
        """
        is_over = self.hands.stop(attempt) and EARLIER not in reason
        self.reason = reason
        self.hands.drop(attempt.key)
        state = self.board.refuse(attempt, reason, is_over=is_over)
        if state == "failed":
            self.teller.refused(attempt, reason)
        elif state == "waiting":
            self.teller.moved(attempt, "stopped", reason)
