"""How far a sweep has come, as people look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from advisor.base.units import SECONDS_PER_HOUR

SPEED_FROM_S = 60.0
"""Seconds that a job must take on average before its machine's speed is told. Of a
shorter one start and copying are a good part, of which the plan's seconds per job have
none: half a second per job was measured, imports take several. An assumption."""

MachineState = Literal["preparing", "ready", "lost"]


@dataclass(frozen=True, slots=True)
class MachineView:
    """One machine of a sweep.

    Attributes
    ----------
    label : of its rental
    instance_id : the market's number of it
    gpu_name, num_gpus, slots, usd_per_hour : as it was rented
    state : what it is at
    running : jobs that it has
    done : jobs that have ended well on it
    predicted_job_s : seconds that a job takes on it by the plan; None: nobody knows
    seen_job_s : seconds that a job took, on average; None: none has ended
    """

    label: str
    instance_id: int
    gpu_name: str
    num_gpus: int
    slots: int
    usd_per_hour: float
    state: MachineState
    running: int
    done: int
    predicted_job_s: float | None
    seen_job_s: float | None

    @property
    def job_s(self) -> float | None:
        """Seconds that a job takes: as was seen, else as was planned."""
        return self.predicted_job_s if self.seen_job_s is None else self.seen_job_s

    @property
    def predicted_jobs_per_hour(self) -> float | None:
        """Jobs per hour of all its slots, by the plan."""
        return _rate(self.slots, self.predicted_job_s)

    @property
    def seen_jobs_per_hour(self) -> float | None:
        """Jobs per hour of all its slots, as was seen."""
        return _rate(self.slots, self.seen_job_s)

    @property
    def speed(self) -> float | None:
        """How fast it is, 1: as predicted, 0.5: half as fast; None: nobody can say.

        Nobody can of jobs that take less than `SPEED_FROM_S`.
        """
        seen_s = self.seen_job_s
        if seen_s is None or seen_s < SPEED_FROM_S or self.predicted_job_s is None:
            return None
        return self.predicted_job_s / seen_s


@dataclass(frozen=True, slots=True)
class SweepView:
    """How far a sweep has come.

    Attributes
    ----------
    sweep : its name
    jobs, waiting, assigned, running, returning, done, failed : jobs, see
        `advisor.fleet.tally.JobState`; the rest add up to the first
    machines : that are rented now
    released : machines that are not any more
    usd : spent so far; since the ledger was asked last, by what the machines bill
    budget_usd : that it may cost; None: nobody has said
    forecast_usd, left_s : at the end, and seconds until then, if all goes on as it does;
        None: nobody can say
    """

    sweep: str
    jobs: int
    waiting: int
    assigned: int
    running: int
    returning: int
    done: int
    failed: int
    machines: tuple[MachineView, ...]
    released: int
    usd: float
    budget_usd: float | None
    forecast_usd: float | None
    left_s: float | None


def _rate(slots: int, job_s: float | None) -> float | None:
    return slots * SECONDS_PER_HOUR / job_s if job_s else None
