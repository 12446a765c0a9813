"""What a sweep's machines do is told as events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from advisor.fleet import events
from advisor.fleet.board import Attempt, Moved
from advisor.fleet.feeding import Pace
from advisor.fleet.home import CameHome, Ended
from advisor.fleet.member import Member
from advisor.store.sweeps import Proof


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells of machines and jobs.

    Attributes
    ----------
    told : hears what happens
    now : returns the time, seconds since 1970
    """

    told: Callable[[events.Event], None]
    now: Callable[[], float]

    def rented(self, member: Member, pace: Pace, *, picked_up: bool) -> None:
        """Tell of a machine that is there."""
        entry = member.entry
        self._tell(
            events.MachineRented,
            label=member.label,
            instance_id=entry.instance_id or 0,
            gpu_name=entry.gpu_name,
            num_gpus=entry.num_gpus,
            slots=len(member.slots),
            usd_per_hour=entry.usd_per_hour,
            predicted_job_s=pace.planned_s,
            picked_up=picked_up,
        )

    def ready(self, label: str, setup_s: float) -> None:
        """Tell of a machine that can take jobs."""
        self._tell(events.MachineReady, label=label, setup_s=setup_s)

    def lost(self, label: str, why: str) -> None:
        """Tell of a machine that is lost."""
        self._tell(events.MachineLost, label=label, reason=why)

    def released(self, label: str, why: str) -> None:
        """Tell of a machine that is given back."""
        self._tell(events.MachineReleased, label=label, reason=why)

    def given(self, attempt: Attempt) -> None:
        """Tell of a job that a machine is given."""
        self._tell_of(events.JobAssigned, attempt)

    def started(self, attempt: Attempt) -> None:
        """Tell of a job that has its slot."""
        self._tell_of(events.JobStarted, attempt)

    def ended(self, ended: Ended) -> None:
        """Tell of a command that has ended."""
        self._tell_of(events.JobEnded, ended.attempt, exit_code=ended.exit_code)

    def came(self, came: CameHome) -> None:
        """Tell what has become of a job that has ended."""
        ended = came.ended
        if came.state == "done":
            self._tell_of(events.JobDone, ended.attempt, took_s=ended.took_s)
            return
        self._tell_of(
            events.JobFailed,
            ended.attempt,
            exit_code=ended.exit_code,
            again=came.state == "waiting",
            reason=came.reason,
        )

    def refused(self, attempt: Attempt, reason: str) -> None:
        """Tell of a job that has failed since several machines did not start it."""
        self._tell_of(
            events.JobFailed, attempt, exit_code=None, again=False, reason=reason
        )

    def moved(self, attempt: Attempt, proof: Proof, why: str) -> None:
        """Tell of a job that waits for another machine."""
        self._tell_of(events.JobMoved, attempt, proof=proof, reason=why)

    def all_moved(self, moved: Moved, why: str) -> None:
        """Tell of all jobs that a machine has lost."""
        for attempt in moved.attempts:
            self.moved(attempt, moved.proof, why)

    def _tell_of(self, kind: type[events.Event], attempt: Attempt, **more: Any) -> None:
        told = {"job": attempt.job.name, "attempt": attempt.number, **more}
        self._tell(kind, label=attempt.label, **told)

    def _tell(self, kind: type[events.Event], **more: Any) -> None:
        self.told(kind(at=self.now(), **more))
