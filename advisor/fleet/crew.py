"""One machine of a sweep, from its rental to its end, in a thread of its own.

Whatever ends the thread, the machine is given back, unless it is not ours to end, or has
results that are nowhere else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from advisor.app.plan import Plan
from advisor.base.errors import (
    AdvisorError,
    MachineLeftError,
    NotShownError,
    OverBudgetError,
    ReleasedError,
    RentalStateUnknownError,
    ResultsLeftError,
    UnreachableError,
)
from advisor.base.interrupts import check, stoppable
from advisor.base.units import SECONDS_PER_HOUR
from advisor.fleet import events
from advisor.fleet.board import Attempt, Board, Moved
from advisor.fleet.bring import NoPythonError
from advisor.fleet.ending import give_back, have_kept, wait_out, wind_up
from advisor.fleet.feeding import Feeder, Pace
from advisor.fleet.home import CameHome, Ended, Home
from advisor.fleet.member import Member
from advisor.fleet.outcomes import Outcome, UnfitError, meaning_of, words_of
from advisor.fleet.printing import Printer
from advisor.fleet.refusals import Refusals
from advisor.fleet.running import Hands, Submit
from advisor.fleet.shared import Fleet
from advisor.fleet.telling import Teller
from advisor.fleet.watching import Watcher
from advisor.rental.incoming.copying import Incoming
from advisor.rental.outgoing.decide import Outgoing
from advisor.rental.presence import MachineLostError
from advisor.software.misfit import Symptom
from advisor.store.ledger import Entry

_LOOK_S = 1.0
_OF_THE_JOB = ("host_ram_too_small", "gpu_memory_too_small")


@dataclass(frozen=True, slots=True)
class Work:
    """What the machines of one sweep share.

    Attributes
    ----------
    fleet : the machines
    board : where each job is
    submit : begins tasks of Dask
    folder : here, in which each job's folders are
    logs : folder of their logs
    incoming : returns what takes the folders of one job
    saved : returns what a job has saved at home, None if nothing
    variables : that each job gets beside its own
    resuming : what the user types to go on with the sweep
    told : hears what happens
    """

    fleet: Fleet
    board: Board
    submit: Submit
    folder: Path
    logs: Path
    incoming: Callable[[], Incoming]
    saved: Callable[[Attempt], Outgoing | None]
    variables: Mapping[str, str]
    resuming: str
    told: Callable[[events.Event], None]

    @property
    def now(self) -> float:
        """The time, seconds since 1970."""
        return self.fleet.rental.now()

    @property
    def teller(self) -> Teller:
        """What tells of the machines and their jobs."""
        return Teller(self.told, self.fleet.rental.now)


@dataclass(slots=True)
class Crew:
    """One machine of a sweep.

    Attributes
    ----------
    key : number of it in the plan
    work : what all of them share
    planned : returns its rental; None: it is there already
    entry : of one that is there already
    only_ends : whether it is picked up to be given back
    pace : how long a job takes on it
    is_ending : whether it takes no more jobs, though it may not be gone for long
    outcome : how its thread ended; None before
    error : why, None where nothing was left for it
    """

    key: int
    work: Work
    planned: Callable[[], Plan] | None
    entry: Entry | None = None
    only_ends: bool = False
    pace: Pace = field(default_factory=Pace)
    is_ending: bool = False
    outcome: Outcome | None = None
    error: BaseException | None = None
    member: Member | None = None
    ended: Callable[[Crew], None] = lambda _: None
    _stop: threading.Event = field(default_factory=threading.Event)
    _unfit: str = ""
    _stays: bool = False
    _plan: Plan | None = None
    _thread: threading.Thread | None = None

    @property
    def had(self) -> Entry | None:
        """Its entry in the ledger; None while it is being rented."""
        return self.entry if self.member is None else self.member.entry

    @property
    def is_unfit(self) -> bool:
        """Whether it cannot run the jobs, though it may not have ended what it has."""
        return bool(self._unfit)

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(
            target=self._run, name=f"machine {self.key}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Have it end: its jobs are stopped, what there is comes home, it is released."""
        self._stop.set()

    def join(self) -> None:
        """Wait for its end."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            with stoppable(self._stop):
                self.member = member = self._had_if_any()
                if member is not None:
                    picked_up = self.entry is not None
                    self.work.teller.rented(member, self.pace, picked_up=picked_up)
                    self._with(member)
        except BaseException as error:
            self._end("left", self._at_last(error))
        finally:
            self.work.board.leave(self.key)
            self.ended(self)

    def _had_if_any(self) -> Member | None:
        """Return the machine; None if there is none to work with, see `outcome`."""
        try:
            return self._had()
        except MachineLostError as error:  # it was given back
            if self.entry is not None:
                moved = self.work.board.move_all(self.entry.label, "destroyed")
                self.work.teller.all_moved(moved, words_of(error))
            self._end("lost", error)
        except BaseException as error:
            self._end("not_had" if self.entry is None else "left", error)
        return None

    def _at_last(self, error: BaseException) -> BaseException:
        """Give a machine back after an error of what should have ended it.

        Returns
        -------
        the error, or that of giving it back
        """
        member, board = self.member, self.work.board
        if member is None or self._stays or self.outcome is not None:
            return error
        try:
            give_back(member, board, words_of(error))
        except BaseException as another:
            return another
        return error

    def _had(self) -> Member:
        """Return the machine, rented or picked up."""
        if self.planned is not None:
            self._plan = self.planned()
            return Member.rented(self.work.fleet, self._plan)
        if self.entry is None:
            message = "a machine is rented or picked up"
            raise AdvisorError(message)
        return Member.picked_up(self.work.fleet, self.entry)

    def _with(self, member: Member) -> None:
        """Have a machine work to its end; give it back."""
        work = self.work
        hands = Hands(member, work.fleet.lease_s, work.submit, work.variables)
        printer = Printer(work.fleet.rental.notify)
        home = Home(
            hands, work.board, work.folder, work.logs, work.incoming, printer, self._came
        )
        try:
            try:
                if not self.only_ends:
                    self._made_ready(member)
                self._adopt(hands, home)
                if self.only_ends:
                    raise KeyboardInterrupt
                self._to_its_end(hands, home, printer)
                home.finish(member.look)
            except BaseException as error:
                self._ended_by(hands, home, error)
            else:
                self._given_back(member, "done", "nothing is left for it")
        finally:
            home.close()

    def _made_ready(self, member: Member) -> None:
        begun = self.work.now
        member.prepare()
        check()
        member.presence.patiently(member.connect)
        member.claim()
        self.work.teller.ready(member.label, self.work.now - begun)

    def _adopt(self, hands: Hands, home: Home) -> None:
        """Take on what an earlier launcher has begun on the machine."""
        unplaced = []
        for one in self.work.board.on(hands.member.label):
            attempt = self.work.board.attempt_of(one)
            if one.state == "ended":
                home.bring(Ended(attempt, one.exit_code))
                continue
            if self.only_ends or hands.held(attempt).state().phase == "not_started":
                unplaced.append(attempt)
                continue
            slot = hands.slot_of(attempt)
            hands.hold(attempt, hands.emptiest()[0] if slot is None else slot)
            hands.running[attempt.key].is_placed = True
            hands.begin(attempt.key)
        for attempt in unplaced:  # the watcher begins what has not begun
            slot, _ = hands.emptiest()
            hands.hold(attempt, slot)

    def _to_its_end(self, hands: Hands, home: Home, printer: Printer) -> None:
        """Feed and watch the machine until nothing is left for it."""
        board, teller = self.work.board, self.work.teller
        refusals = Refusals(hands, board, teller)
        feeder = Feeder(
            self.key,
            hands,
            board,
            self.work.saved,
            teller.given,
            refusals.note,
            pace=self.pace,
        )
        watcher = Watcher(
            hands,
            board,
            home,
            self.pace,
            printer,
            moved=teller.moved,
            started=teller.started,
            ended=teller.ended,
            place=feeder.place,
            refused=refusals.note,
        )
        while True:
            check()
            self._price(hands.member)
            if not (self._unfit or refusals.reason):
                try:
                    feeder.fill()
                except UnreachableError as error:
                    hands.member.tell_unreached(error)
            self._unfit = self._unfit or refusals.reason
            if self._unfit:
                self._no_more()
                if not hands.running:
                    message = f"it cannot run the jobs: {self._unfit}"
                    raise UnfitError(message)
            if not (hands.running or home.left):
                if not board.has_for(self.key):
                    return
                if not feeder.has_time():
                    message = "its time does not do for another job"
                    raise OverBudgetError(message)
            watcher.look(_LOOK_S)

    def _price(self, member: Member) -> None:
        """Note what a job costs on the machine."""
        seconds = self.pace.seconds
        if seconds is not None:
            usd = member.usd_per_hour * seconds / SECONDS_PER_HOUR
            self.work.board.price(self.key, usd / len(member.slots))

    def _ended_by(self, hands: Hands, home: Home, error: BaseException) -> None:
        """End the work of a machine that an error has ended."""
        self._no_more()
        self._stays = isinstance(error, MachineLeftError)
        member, board = hands.member, self.work.board
        outcome, can_stop = meaning_of(error)
        why = words_of(error)
        if outcome == "lost" and not isinstance(error, MachineLeftError):
            self.work.teller.lost(member.label, why)
        try:
            if isinstance(error, NoPythonError):
                self._note_misfit(Symptom("image_lacks_python", why))
            if can_stop:
                stopped = Moved(tuple(wind_up(hands, board, home)), "stopped")
                self.work.teller.all_moved(stopped, why)
        except ResultsLeftError as left:
            error = left
        except (MachineLeftError, ReleasedError) as left:
            error = left
        except (AdvisorError, MachineLostError, OSError) as trouble:
            member.fleet.rental.notify(f"{member.name}: {trouble}")
        self._let_go(member, error, outcome, why)

    def _let_go(
        self, member: Member, error: BaseException, outcome: Outcome, why: str
    ) -> None:
        """Give a machine back after an error, or leave it where that is right."""
        board = self.work.board
        self._stays = isinstance(error, MachineLeftError)
        if isinstance(error, ResultsLeftError):
            self._end("left", have_kept(member, error, self.work.resuming))
        elif isinstance(error, NotShownError):
            self.work.teller.all_moved(wait_out(member, board, why), why)
            self._end("lost", error)
        elif isinstance(error, MachineLeftError):
            member.leave()
            self._end("left", error)
        else:
            self._given_back(member, outcome, why, error)

    def _given_back(
        self,
        member: Member,
        outcome: Outcome,
        why: str,
        error: BaseException | None = None,
    ) -> None:
        self._no_more()
        try:
            moved = give_back(member, self.work.board, why)
            self.work.teller.all_moved(moved, why)
        except RentalStateUnknownError as unknown:
            self._end("left", unknown)
        else:
            self._end(outcome, error)
            self.work.teller.released(member.label, why)

    def _no_more(self) -> None:
        """Have its share for whoever has time: it takes no more jobs."""
        self.is_ending = True
        self.work.board.leave(self.key)

    def _came(self, came: CameHome) -> None:
        """Hear what has become of an attempt that has ended."""
        self.work.teller.came(came)
        if came.symptom is None:
            return
        if came.symptom.misfit not in _OF_THE_JOB or not self.pace.done:
            self._unfit = str(came.symptom)
            self._note_misfit(came.symptom)

    def _note_misfit(self, symptom: Symptom) -> None:
        """Remember that the machine could not run a job: none like it is rented."""
        rental = None if self.member is None else self.member.rental
        if self._plan is not None and rental is not None:
            self._plan.request.misfits.add(symptom.misfit, rental.chosen)

    def _end(self, outcome: Outcome, error: BaseException | None = None) -> None:
        if self.outcome is None:
            self.outcome, self.error = outcome, error
