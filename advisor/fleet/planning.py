"""The plan of a sweep while it is carried out: made once, and anew where that pays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from advisor.app.context import Context
from advisor.app.plan import Plan
from advisor.app.running import VERIFIED_FROM_H
from advisor.app.sweep import SweepJob, SweepSpec
from advisor.app.sweep_plan import PlannedMachine, RunningMachine, SweepPlan
from advisor.base.errors import NothingFitsError, OverBudgetError
from advisor.base.units import SECONDS_PER_HOUR
from advisor.fleet.board import Board
from advisor.fleet.controller import Share
from advisor.fleet.crew import Crew
from advisor.fleet.events import Event, Replanned
from advisor.fleet.plan import plan_sweep, request_for
from advisor.rental.context import RentalContext
from advisor.store.sweeps import StoredSweep, SweepStore

_SEEN_ENOUGH = 3

_LATER = (1.25, 1.5, 2.0, 4.0)
"""Factors for what is left until a deadline that cannot be kept; an assumption."""

_LEAST_SHARE = 0.25
"""Of the whole time, taken to be left at least where that is done; an assumption."""


@dataclass(slots=True)
class Planning:
    """Plans the jobs of one sweep that wait.

    Attributes
    ----------
    context : the outside world
    spec : what is asked for; it has a name
    jobs : all of them
    board : where each job is
    rental : where machines are rented
    told : hears what happens
    spent_usd : returns what the sweep has cost so far, $
    """

    context: Context
    spec: SweepSpec
    jobs: Sequence[SweepJob]
    board: Board
    rental: RentalContext
    told: Callable[[Event], None]
    spent_usd: Callable[[], float]
    _planned: dict[int, PlannedMachine] = field(default_factory=dict)
    _earlier: dict[int, PlannedMachine] = field(default_factory=dict)

    def knows(self, stored: StoredSweep) -> None:
        """Take over what an earlier launcher has planned, by the machines' ids."""
        plan = SweepPlan.from_document(stored.plan)
        self._earlier = {one.machine_id: one for one in plan.machines}

    def shares_of(self, plan: SweepPlan) -> list[Share]:
        """Return the shares of a plan, of which nothing is there yet."""
        return [self._new(one, is_first=at == 0) for at, one in enumerate(plan.machines)]

    def __call__(self, without: Collection[int], crews: Sequence[Crew]) -> list[Share]:
        """Return the shares of the jobs that wait, over what is there and what pays.

        Raises
        ------
        NothingFitsError
            if no machine runs them
        OverBudgetError
            if what is left of the budget does not do
        AdvisorError
            if the market cannot be asked
        """
        waiting = self.board.waiting()
        working = [one for one in crews if not one.is_ending]
        running = {one.key: self._running(one) for one in working}
        there = [one for one in running.values() if one is not None]
        others = len(crews) - len(there) + len(self._absent(crews))
        plan = self._anew(waiting, without, there, others)
        labels = {str(key): key for key in running}
        shares = []
        for one in plan.machines:
            if one.label:
                key = labels[one.label]
                shares.append(Share(one.jobs, _job_s(one), key))
            else:
                shares.append(self._new(one))
        store = SweepStore(self.context.data_folder)
        store.replan(self.spec.name or "", plan.to_document(), self.rental.now())
        new = sum(1 for one in shares if one.key is None)
        self.told(
            Replanned(
                at=self.rental.now(),
                machines=new,
                planned_usd=plan.usd,
                planned_hours=plan.hours,
                reason=f"{len(waiting)} jobs wait",
            )
        )
        return shares

    def _absent(self, crews: Sequence[Crew]) -> frozenset[str]:
        """Return the machines that nobody here holds, and that may still run jobs."""
        return self.board.labels() - {one.had.label for one in crews if one.had}

    def _anew(
        self,
        waiting: Sequence[SweepJob],
        without: Collection[int],
        there: Sequence[RunningMachine],
        others: int,
    ) -> SweepPlan:
        """Plan what waits with what is left of time, money and machines.

        Where the deadline cannot be kept any more the jobs are done all the same, and
        no later than has to be.

        Parameters
        ----------
        others : machines that are there, too, and that the plan does not count on
        """
        most = self.spec.max_machines
        if most is not None and others >= most:
            message = f"{others} machines are there, as many as there may be"
            raise NothingFitsError(message)
        budget_usd, deadline_s = self.spec.budget_usd, self.spec.deadline_s
        if budget_usd is not None:
            budget_usd = max(budget_usd - self.spent_usd(), 0.01)
        if deadline_s is not None:
            begun_at = SweepStore(self.context.data_folder).load(self.spec.name or "")
            deadline_s -= self.rental.now() - begun_at.begun_at
        spec = replace(
            self.spec,
            budget_usd=budget_usd,
            deadline_s=None,
            max_machines=None if most is None else most - others,
        )

        def planned(of: SweepSpec) -> SweepPlan:
            return plan_sweep(
                self.context,
                of,
                waiting,
                without=without,
                running=there,
                with_curve=False,
            )

        for left_s in _deadlines_s(self.spec.deadline_s, deadline_s):
            try:
                return planned(replace(spec, deadline_s=left_s))
            except (NothingFitsError, OverBudgetError):
                self.context.notify_once("the deadline cannot be kept any more")
        return planned(spec)

    def _new(self, planned: PlannedMachine, *, is_first: bool = False) -> Share:
        rental: Callable[[], Plan] = partial(
            request_for,
            self.context,
            self.spec,
            planned,
            jobs=self.jobs,
            goes_on=not is_first,
            verified_from_h=VERIFIED_FROM_H,
        )

        def had(key: int) -> None:
            self._planned[key] = planned

        return Share(
            planned.jobs,
            _job_s(planned),
            rental=rental,
            machine_id=planned.machine_id,
            had=had,
        )

    def _running(self, crew: Crew) -> RunningMachine | None:
        """Return a machine that is there as the plan has it; None: it is in no plan."""
        planned = self._planned.get(crew.key)
        if planned is None and crew.entry is not None:
            planned = self._earlier.get(crew.entry.machine_id)
        if planned is None:
            return None
        planned = replace(planned, label=str(crew.key))
        pace = crew.pace
        seconds = pace.seconds
        if pace.done >= _SEEN_ENOUGH and pace.planned_s and seconds is not None:
            planned = _at_rate(planned, seconds / pace.planned_s)
        entry = crew.had
        if entry is None:  # it is being rented
            return RunningMachine(planned, planned.lifetime_h, planned.setup_h)
        left_h = (entry.ends_at - self.rental.now()) / SECONDS_PER_HOUR
        busy_s = (seconds or 0.0) * len(self.board.on(entry.label)) / planned.slots
        return RunningMachine(planned, max(left_h, 0.0), busy_s / SECONDS_PER_HOUR)


def _at_rate(planned: PlannedMachine, slower: float) -> PlannedMachine:
    """Return a machine whose jobs take so many times as long as was planned."""
    rates = tuple(
        replace(one, hours=one.hours * slower, usd=one.usd * slower)
        for one in planned.rates
    )
    return replace(planned, rates=rates)


def _job_s(planned: PlannedMachine) -> float | None:
    """Return how long a job takes on a planned machine, s; None: it has none."""
    if not planned.jobs:
        return None
    hours = max(planned.hours - planned.setup_h, 0.0)
    return hours * SECONDS_PER_HOUR * planned.slots / len(planned.jobs)


def _deadlines_s(whole_s: float | None, left_s: float | None) -> Iterator[float]:
    """Yield what is left until a deadline, s, then what may be taken instead.

    Parameters
    ----------
    whole_s, left_s : what there was at the start, and is left; None: there is none
    """
    if whole_s is None or left_s is None:
        return
    yield max(left_s, 1.0)
    later_s = max(left_s, whole_s * _LEAST_SHARE)
    yield from (later_s * factor for factor in _LATER)
