"""How a machine is done with: what it runs is ended, what it has comes home, it goes.

A job leaves a machine by one of three proofs that it does not run there: the machine has
confirmed its end, the market has confirmed the machine's, or the machine must have ended
it itself, since it has heard nothing of us for longer than it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from advisor.base.errors import (
    RentalStateUnknownError,
    ResultsLeftError,
    UnreachableError,
)
from advisor.base.interrupts import shielded
from advisor.fleet.board import Attempt, Board, Moved
from advisor.fleet.home import Ended, Home
from advisor.fleet.member import Member
from advisor.fleet.running import Hands
from advisor.rental.context import RentalContext
from advisor.rental.presence import LAST_CHANCE_S, PAUSE_S
from advisor.rental.release import note_state
from advisor.rental.returning import keep_machine, moment

Result = TypeVar("Result")

_AGAIN_S = 30.0
_GONE = frozenset({"released", "refused"})


def wind_up(hands: Hands, board: Board, home: Home) -> Sequence[Attempt]:
    """End what a machine runs and bring home what it has; return what was ended.

    Its workers are ended first, so that no task begins anything after that. A machine
    that cannot be reached is tried again for as long as one has at its end, also after
    Ctrl-C: what it has was paid for (`advisor.rental.presence.LAST_CHANCE_S`).

    Raises
    ------
    ResultsLeftError
        if results cannot be written here: they stay on the machine
    AdvisorError
        if the machine is lost or not ours any more
    """
    with shielded(f"bringing home what {hands.member.name} has"):
        hands.member.disconnect()
        hands.forget_tasks()
        last_chance = _LastChance(hands.member)
        stopped = []
        for one in list(hands.running.values()):
            attempt, held = one.attempt, hands.held(one.attempt)
            state = last_chance.patiently(held.state)
            if state.phase == "ended":
                board.end(attempt, state.exit_code)
                home.bring(Ended(attempt, state.exit_code))
            elif last_chance.patiently(partial(hands.stop, attempt)):
                stopped.append(attempt)
            hands.drop(attempt.key)
        home.save(stopped)
        home.finish(last_chance.look)
        for attempt in stopped:
            board.move(attempt, "stopped")
    return stopped


class _LastChance:
    """The time that a machine has to answer while it is wound up.

    Parameters
    ----------
    member : the machine
    """

    def __init__(self, member: Member) -> None:
        self._member, self._rental = member, member.fleet.rental
        self._until = self._rental.clock.monotonic() + LAST_CHANCE_S

    def patiently(self, call: Callable[[], Result]) -> Result:
        """Call what may be called again, until the machine is reached.

        Raises
        ------
        UnreachableError
            if it was not in all that time
        AdvisorError
            as `advisor.fleet.member.Member.look_at_last`
        """
        while True:
            try:
                return call()
            except UnreachableError as error:
                if self._rental.clock.monotonic() >= self._until:
                    raise
                self._member.tell_unreached(error)
            self._member.look_at_last()
            self._rental.sleep(PAUSE_S, "waiting to try again")

    def look(self) -> None:
        """Look after it while what it has comes home.

        Raises
        ------
        UnreachableError
            if it was not reached in all that time, whatever the market says: it may be
            our own network, for which nobody waits at the end
        AdvisorError
            as `advisor.fleet.member.Member.look_at_last`
        """
        self._member.look_at_last()
        is_over = self._rental.clock.monotonic() >= self._until
        if is_over and self._member.silent_s >= LAST_CHANCE_S:
            message = f"{self._member.name} is not reached"
            raise UnreachableError(message)


def give_back(member: Member, board: Board, why: str) -> Moved:
    """Give a machine back; return the jobs that it takes along, which wait again.

    As long as nobody can say whether it is gone its jobs are no other machine's, unless
    it must have ended them itself by then.

    Raises
    ------
    RentalStateUnknownError
        if it has ended its jobs, and nobody can say whether it is gone itself
    """
    rental = member.fleet.rental
    while True:
        try:
            member.release(why)
        except RentalStateUnknownError as error:
            if not board.on(member.label):
                member.leave()
                raise
            rental.notify(str(error))
        else:
            return board.move_all(member.label, "destroyed")
        if member.has_lapsed:
            rental.notify(f"{member.name} has heard nothing of us: its jobs have ended")
            member.leave()  # `reconcile` goes on with it
            return board.move_all(member.label, "lapsed")
        rental.sleep(_AGAIN_S, f"waiting for the end of {member.name}")


def wait_out(member: Member, board: Board, why: str) -> Moved:
    """Wait until a machine that the market does not show has ended its jobs itself.

    It is not ended: nobody can say that it is gone. It is once it shows again.
    """
    rental = member.fleet.rental
    member.hush()
    note_state(rental, member.entry, "gone", why, member.entry.instance_id)
    moved = wait_for_lapse(rental, board, member.label, lambda: member.has_lapsed)
    member.leave()
    return moved


def wait_for_lapse(
    rental: RentalContext, board: Board, label: str, has_lapsed: Callable[[], bool]
) -> Moved:
    """Wait until nothing of a machine's jobs runs; return them, which wait again.

    Parameters
    ----------
    has_lapsed : says whether the machine must have ended them itself
    """
    while not has_lapsed():
        if _is_gone(rental, label):
            return board.move_all(label, "destroyed")
        rental.sleep(_AGAIN_S, "waiting until a machine has surely ended its jobs")
    return board.move_all(label, "lapsed")


def _is_gone(rental: RentalContext, label: str) -> bool:
    """Say whether the ledger has a machine as gone; one that it lacks is not."""
    entries = rental.ledger.entries(rental.account)
    return any(one.label == label and one.state in _GONE for one in entries)


def have_kept(member: Member, error: ResultsLeftError, resuming: str) -> ResultsLeftError:
    """Have a machine stay with results that cannot be copied; return the error of it."""
    stays = keep_machine(member.ssh)
    until = moment(member.entry.ends_at) if stays else "its launcher is missed for long"
    member.leave()
    return ResultsLeftError(
        f"{error}; they stay on {member.name}, which bills, until {until}: mend it and "
        f"'{resuming}'"
    )
