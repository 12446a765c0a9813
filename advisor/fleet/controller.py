"""A sweep is carried out: machines by the plan, replaced where that pays, all given back.

Each machine has a thread of its own (`advisor.fleet.crew`), which takes its jobs from the
board. Here is decided which machines there are.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import count

from advisor.app.plan import Plan
from advisor.base.errors import (
    AdvisorError,
    CreditError,
    KeyRefusedError,
    MarketError,
    NothingFitsError,
    OverBudgetError,
    RentalStateUnknownError,
    ResultsLeftError,
)
from advisor.base.interrupts import shielded, window
from advisor.fleet.absent import Absent
from advisor.fleet.crew import Crew, Work
from advisor.fleet.feeding import Pace
from advisor.fleet.outcomes import Outcome
from advisor.store.ledger import Entry

LOST_AT_LEAST = 5
"""Machines that a launch may lose, one after the other, however small its plan: as many
as `advisor run` may use up."""

SLOW = 1.5
"""Times the planned seconds of a job from which a machine is slow, so that the plan is
made anew: beyond what the 90 % interval of a prediction spans; an assumption."""

SILENT_S = 600.0
"""Seconds for which the market may be silent while no machine is there, before jobs are
left: an outage of minutes is none of theirs; an assumption."""

_SEEN_ENOUGH = 3
_LOOK_S = 1.0
_AGAIN_S = 60.0
_HURT: frozenset[Outcome] = frozenset({"not_had", "lost", "unfit"})
_FOR_ALL = (RentalStateUnknownError, KeyRefusedError, CreditError)
"""Errors of one rental that hold for each other one, too."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one machine is to do.

    Attributes
    ----------
    jobs : names, in order
    job_s : seconds that each takes there by the plan; None: the plan does not say
    key : number of a machine that is there; None: it is to be rented
    rental : returns how; None for one that is there
    machine_id : the market's id of the one that is to be rented, -1 if nobody knows it
    had : told the number that a new one gets
    """

    jobs: tuple[str, ...]
    job_s: float | None
    key: int | None = None
    rental: Callable[[], Plan] | None = None
    machine_id: int = -1
    had: Callable[[int], None] = lambda _: None


Planner = Callable[[Collection[int], Sequence[Crew]], Sequence[Share]]
"""Plans the jobs that wait: given ids of machines that are not to be rented, and the ones
that are there, returns the share of each."""


@dataclass(slots=True)
class Controller:
    """Carries out one sweep.

    Attributes
    ----------
    work : what its machines share
    planner : plans the jobs that wait
    tick : called about once a second
    """

    work: Work
    planner: Planner
    tick: Callable[[], None] = lambda: None
    _keys: count[int] = field(default_factory=count)
    _crews: dict[int, Crew] = field(default_factory=dict)
    _absent: list[Absent] = field(default_factory=list)
    _over: queue.SimpleQueue[Crew | Absent] = field(default_factory=queue.SimpleQueue)
    _wanted: dict[int, int] = field(default_factory=dict)
    _bad: set[int] = field(default_factory=set)
    _slow: set[int] = field(default_factory=set)
    _ending: set[int] = field(default_factory=set)
    _silent_since: float | None = None
    _again_at: float | None = None
    _lost: int = 0
    _most_lost: int = LOST_AT_LEAST
    _may_rent: bool = True
    _error: BaseException | None = None
    _refused: AdvisorError | None = None

    def run(
        self,
        entries: Sequence[Entry] = (),
        absent: Sequence[str] = (),
        first: Sequence[Share] | None = None,
    ) -> None:
        """Carry the sweep out until each job is over and each machine is given back.

        Parameters
        ----------
        entries : machines of an earlier launcher, which are picked up
        absent : labels of machines that had jobs and that nobody can pick up
        first : the plan's shares; None: it is made

        Raises
        ------
        AdvisorError
            if something keeps jobs from being done: the rest was carried out
        KeyboardInterrupt
            if a signal came: what ran was stopped and has come home
        """
        try:
            for label in absent:
                self._wait_for(label)
            is_over = self.work.board.counts.is_over
            for entry in entries:
                key = next(self._keys)
                self._begin(Crew(key, self.work, None, entry, only_ends=is_over))
            if first is not None:
                self._have(first)
            elif self.work.board.counts.waiting:
                self._plan_anew()
            while self._crews or self._absent or self._again_at is not None:
                self._next()
        except BaseException:
            self._stop_all()
            raise
        if self._error is not None:
            raise self._error
        if not self.work.board.counts.is_over:
            raise self._refused or NothingFitsError("no machine is left for its jobs")

    def stop(self, entries: Sequence[Entry]) -> None:
        """Pick up machines and end them: jobs are stopped, what there is comes home.

        Raises
        ------
        AdvisorError
            if one cannot be ended
        """
        self._may_rent = False
        for entry in entries:
            crew = Crew(next(self._keys), self.work, None, entry, only_ends=True)
            self._begin(crew)
        try:
            while self._crews:
                self._next()
        except BaseException:
            self._stop_all()
            raise
        if self._error is not None:
            raise self._error

    def _next(self) -> None:
        """Act on the next machine that is done with, or on what is seen of others."""
        self.tick()
        if not (self._crews or self._absent):
            self._plan_later()
            return
        try:
            with window():
                over = self._over.get(timeout=_LOOK_S)
        except queue.Empty:
            if self._has_changed():
                self._plan_anew()
            return
        over.join()
        if isinstance(over, Absent):
            self._absent.remove(over)
            self._error = self._error or over.error
        else:
            del self._crews[over.key]
            self.work.board.leave(over.key)  # a plan may have counted on it meanwhile
            self._learn(over)
        if self._again_at is None and self._has_need():
            self._plan_anew()

    def _learn(self, crew: Crew) -> None:
        """Learn how a machine has ended."""
        error, entry = crew.error, crew.had
        if crew.outcome == "left" or isinstance(error, _FOR_ALL):
            self._error = self._error or error
        elif isinstance(error, AdvisorError):
            if crew.outcome != "over":  # its own time, not the sweep's money
                self._refused = error
            self.work.fleet.rental.notify(self.work.fleet.rental.words(error))
        elif error is not None and crew.outcome == "not_had":
            self._error = self._error or error
        if crew.outcome in _HURT or (crew.outcome == "over" and not crew.pace.done):
            self._lost += 1
        if entry and crew.outcome in ("lost", "unfit"):
            self._bad.add(entry.machine_id)
        if crew.outcome == "not_had" and isinstance(error, NothingFitsError):
            self._bad.add(self._wanted[crew.key])
        if crew.outcome == "not_had" and isinstance(error, MarketError):
            self._again_at = self._now() + _AGAIN_S
        if crew.outcome == "released":  # who has ended one machine wants no other one
            self._may_rent = False

    def _has_need(self) -> bool:
        """Say whether jobs wait that no machine is there for, and one may be rented."""
        if self._error is not None or not self._may_rent:
            return False
        if not self.work.board.counts.waiting:
            return False
        if not self._crews:
            return True
        is_spent = isinstance(self._refused, OverBudgetError)
        return bool(self.work.board.unshared()) and not is_spent

    def _has_changed(self) -> bool:
        """Say whether the plan is to be made anew though each machine is there still.

        That is so once for each that is slower than planned, for each that only waits
        for its own end, and when the market, which was silent, is to be asked again.
        """
        slow = {key for key, crew in self._crews.items() if _is_slow(crew.pace)}
        ending = {key for key, crew in self._crews.items() if crew.is_ending}
        is_slow, is_ending = slow - self._slow, ending - self._ending
        self._slow |= slow
        self._ending |= ending
        if self._again_at is not None:
            return self._now() >= self._again_at and self._has_need()
        if is_slow and self._may_rent and self._error is None:
            return bool(self.work.board.counts.waiting)
        return bool(is_ending) and self._has_need()

    def _plan_later(self) -> None:
        """Plan anew, where no machine is there, once the market is to be asked again."""
        again_at, self._again_at = self._again_at, None
        if again_at is not None and self._has_need():
            pause_s = max(again_at - self._now(), 0.0)
            self.work.fleet.rental.sleep(pause_s, "waiting for the market")
            self._plan_anew()

    def _plan_anew(self) -> None:
        """Plan the jobs that wait, and have what is planned.

        Where nothing can be had, those that are there do what they can.
        """
        self._again_at = None
        if self._lost > self._most_lost:
            message = f"{self._lost} machines were lost: '{self.work.resuming}' goes on"
            self._give_up(NothingFitsError(message))
            return
        crews = list(self._crews.values())
        unfit = {one.had.machine_id for one in crews if one.is_unfit and one.had}
        try:
            shares = self.planner(self._bad | unfit, crews)
        except (NothingFitsError, OverBudgetError, *_FOR_ALL) as error:
            self._give_up(error)
            return
        except MarketError as error:
            self._try_again(error)
            return
        self._silent_since = None
        self._have(shares)

    def _give_up(self, error: AdvisorError) -> None:
        """Rent nothing more; that is an error only once no machine is there."""
        self._refused = error
        if not self._crews and not self._absent:
            raise error
        self.work.fleet.rental.notify(self.work.fleet.rental.words(error))

    def _try_again(self, error: MarketError) -> None:
        """Plan again in a while: what runs goes on, and our own network may be down."""
        now = self._now()
        if self._silent_since is None:
            self._silent_since = now
        if now - self._silent_since >= SILENT_S:
            self._give_up(error)
        else:
            self.work.fleet.rental.notify(f"{error}; the plan is made later")
        self._again_at = now + _AGAIN_S

    def _now(self) -> float:
        """Return the time by the monotonic clock, s."""
        return self.work.fleet.rental.clock.monotonic()

    def _have(self, shares: Sequence[Share]) -> None:
        """Share the jobs out, and begin with the machines that are new."""
        keyed: dict[int, tuple[str, ...]] = {}
        new = []
        for share in shares:
            key = share.key
            if key is None:
                key = next(self._keys)
                share.had(key)
                pace = Pace(share.job_s)
                new.append(Crew(key, self.work, share.rental, pace=pace))
                self._wanted[key] = share.machine_id
            keyed[key] = share.jobs
        self._most_lost = max(self._most_lost, 2 * len(keyed))
        self.work.board.share(keyed)
        for key in keyed.keys() & self._crews.keys():
            if self._crews[key].is_ending:  # since the plan was made
                self.work.board.leave(key)
        for crew in new:
            self._begin(crew)

    def _begin(self, crew: Crew) -> None:
        crew.ended = self._over.put
        self._crews[crew.key] = crew
        crew.start()

    def _wait_for(self, label: str) -> None:
        fleet, board = self.work.fleet, self.work.board
        absent = Absent(label, fleet.rental, board, fleet.lease_s, self._over.put)
        self._absent.append(absent)
        absent.start()

    def _stop_all(self) -> None:
        """Stop all that runs, bring home what there is, give all machines back."""
        if self._crews:
            self.work.fleet.rental.notify(
                "stopping: jobs are ended, what they have comes home, machines are given "
                "back"
            )
        with shielded("giving the machines of the sweep back"):
            all_of_them: list[Crew | Absent] = [*self._crews.values(), *self._absent]
            for one in all_of_them:
                one.stop()
            for one in all_of_them:
                one.join()
        for crew in self._crews.values():
            if isinstance(crew.error, RentalStateUnknownError | ResultsLeftError):
                raise crew.error


def _is_slow(pace: Pace) -> bool:
    planned_s, seconds = pace.planned_s, pace.seconds
    if planned_s is None or seconds is None or pace.done < _SEEN_ENOUGH:
        return False
    return seconds > SLOW * planned_s
