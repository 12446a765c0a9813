"""How far a sweep has come, from its events alone.

`Tally` hears them; what it says at a moment is a function of what it has heard, so that a
recorded list of events gives the same as the sweep itself did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from advisor.base.units import SECONDS_PER_HOUR
from advisor.fleet.events import (
    Event,
    JobAssigned,
    JobDone,
    JobEnded,
    JobFailed,
    JobMoved,
    JobStarted,
    MachineLost,
    MachineReady,
    MachineReleased,
    MachineRented,
    Spent,
    SweepBegun,
)
from advisor.fleet.view import MachineState, MachineView, SweepView

JobState = Literal["waiting", "assigned", "running", "returning", "done", "failed"]
"""Where a job is; *assigned*: a machine has it, and it does not run yet; *returning*: it
has ended, and its results are not here yet."""


@dataclass(slots=True)
class _Machine:
    """What was heard of a machine.

    Attributes
    ----------
    rented : how it was rented
    billed_from : the time up to which what it bills is counted, seconds since 1970
    state : what it is at
    done, took_s : jobs that have ended well, and the seconds that those took of which it
        is known (`timed`)
    running : job -> when it was started; None: not yet
    """

    rented: MachineRented
    billed_from: float
    state: MachineState = "preparing"
    done: int = 0
    timed: int = 0
    took_s: float = 0.0
    running: dict[str, float | None] = field(default_factory=dict)

    def bills_until(self, at: float) -> float:
        """Return what it bills from where it was counted to a moment, $."""
        seconds = max(at - self.billed_from, 0.0)
        return self.rented.usd_per_hour * seconds / SECONDS_PER_HOUR

    def view(self) -> MachineView:
        """Return what is known of it."""
        own = self.rented
        return MachineView(
            label=own.label,
            instance_id=own.instance_id,
            gpu_name=own.gpu_name,
            num_gpus=own.num_gpus,
            slots=own.slots,
            usd_per_hour=own.usd_per_hour,
            state=self.state,
            running=len(self.running),
            done=self.done,
            predicted_job_s=own.predicted_job_s,
            seen_job_s=self.took_s / self.timed if self.timed else None,
        )


class Tally:
    """Hears the events of a sweep, and says how far it has come.

    An event that comes twice, or late, counts once: a job that is done stays done.
    """

    def __init__(self) -> None:
        self._begun = SweepBegun(at=0.0, sweep="", jobs=0)
        self._states: dict[str, JobState] = {}
        self._counts: Counter[JobState] = Counter()
        self._machines: dict[str, _Machine] = {}
        self._released: set[str] = set()
        self._instances: dict[str, int] = {}
        self._usd = 0.0

    def hear(self, event: Event) -> None:
        """Take account of what has happened."""
        match event:
            case SweepBegun():
                self._begun, self._usd = event, event.usd
            case Spent():
                self._usd = event.usd
                for machine in self._machines.values():
                    machine.billed_from = max(event.at, machine.rented.at)
            case MachineRented() | MachineReady() | MachineLost() | MachineReleased():
                self._hear_machine(event)
            case JobAssigned() | JobStarted() | JobEnded() | JobMoved():
                self._hear_job(event)
            case JobDone() | JobFailed():
                self._hear_end(event)

    def view(self, at: float) -> SweepView:
        """Return how far it has come at a moment, seconds since 1970."""
        counts, begun = self._counts, self._begun
        done = begun.done + counts["done"]
        failed = begun.failed + counts["failed"]
        on_machines = sum(counts[one] for one in ("assigned", "running", "returning"))
        waiting = max(begun.jobs - done - failed - on_machines, 0)
        usd = self._usd + sum(one.bills_until(at) for one in self._machines.values())
        left_s = self._left_s(waiting, at)
        usd_per_hour = sum(one.rented.usd_per_hour for one in self._machines.values())
        coming = None if left_s is None else usd_per_hour * left_s / SECONDS_PER_HOUR
        return SweepView(
            sweep=begun.sweep,
            jobs=begun.jobs,
            waiting=waiting,
            assigned=counts["assigned"],
            running=counts["running"],
            returning=counts["returning"],
            done=done,
            failed=failed,
            machines=tuple(one.view() for one in self._machines.values()),
            released=len(self._released),
            usd=usd,
            budget_usd=begun.budget_usd,
            forecast_usd=None if coming is None else usd + coming,
            left_s=left_s,
        )

    def name_of(self, label: str) -> str:
        """Return what people call a machine: by its instance, where that is known."""
        instance_id = self._instances.get(label)
        return label if instance_id is None else f"instance {instance_id}"

    def spent(self, usd: float, at: float) -> Spent:
        """Return what was spent by the ledger, with the forecast that follows from it."""
        self.hear(Spent(at=at, usd=usd))
        view = self.view(at)
        return Spent(at=at, usd=usd, forecast_usd=view.forecast_usd, left_s=view.left_s)

    def _hear_machine(
        self, event: MachineRented | MachineReady | MachineLost | MachineReleased
    ) -> None:
        machine = self._machines.get(event.label)
        match event:
            case MachineRented():
                self._instances[event.label] = event.instance_id
                if machine is None and event.label not in self._released:
                    self._machines[event.label] = _Machine(event, event.at)
            case MachineReleased():
                self._released.add(event.label)
                if machine is not None:
                    self._usd += machine.bills_until(event.at)
                    del self._machines[event.label]
            case _ if machine is not None:
                ready = isinstance(event, MachineReady)
                machine.state = "ready" if ready else "lost"

    def _hear_job(self, event: JobAssigned | JobStarted | JobEnded | JobMoved) -> None:
        """Take account of a job that is somewhere else now, or waits."""
        if self._states.get(event.job) in ("done", "failed"):
            return
        machine = self._machines.get(event.label)
        match event:
            case JobAssigned():
                self._set_job(event.job, "assigned")
                self._leave(event.job)
                if machine is not None:
                    machine.running[event.job] = None
            case JobStarted():
                self._set_job(event.job, "running")
                if machine is not None:
                    machine.running[event.job] = event.at
            case JobEnded():
                self._set_job(event.job, "returning")
                self._leave(event.job)
            case JobMoved():
                self._set_job(event.job, "waiting")
                self._leave(event.job)

    def _hear_end(self, event: JobDone | JobFailed) -> None:
        if self._states.get(event.job) in ("done", "failed"):
            return
        self._leave(event.job)
        if isinstance(event, JobFailed):
            self._set_job(event.job, "waiting" if event.again else "failed")
            return
        self._set_job(event.job, "done")
        machine = self._machines.get(event.label)
        if machine is not None:
            machine.done += 1
            if event.took_s is not None:
                machine.timed += 1
                machine.took_s += event.took_s

    def _set_job(self, job: str, state: JobState) -> None:
        before = self._states.get(job)
        if before is not None:
            self._counts[before] -= 1
        self._states[job] = state
        self._counts[state] += 1

    def _leave(self, job: str) -> None:
        """Have no machine work on a job."""
        for machine in self._machines.values():
            machine.running.pop(job, None)

    def _left_s(self, waiting: int, at: float) -> float | None:
        """Return the seconds to the end, if the machines that are there do what is left.

        The work that is left over what all slots do per second, and no less than the
        rest of what runs longest; set-up and copying are not in it.
        """
        jobs, per_s, longest = float(waiting), 0.0, 0.0
        for machine in self._machines.values():
            job_s = machine.view().job_s
            if not job_s or machine.state == "lost":
                jobs += len(machine.running)
                continue
            per_s += machine.rented.slots / job_s
            for began in machine.running.values():
                passed = 0.0 if began is None else max(at - began, 0.0)
                rest = max(1.0 - passed / job_s, 0.0)
                jobs += rest
                longest = max(longest, rest * job_s)
        if jobs == 0.0:
            return 0.0
        return max(jobs / per_s, longest) if per_s else None


def view_of(events: Iterable[Event], at: float) -> SweepView:
    """Return how far a sweep has come at a moment, from all that has happened."""
    tally = Tally()
    for event in events:
        tally.hear(event)
    return tally.view(at)
