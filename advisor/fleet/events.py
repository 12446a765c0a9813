"""What happens in a sweep, one event at a time: for programs, for people, for the view.

With ``--json`` each is one line of JSON. Names and keys stay; new ones may come.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from advisor.report.cells import clean, cut
from advisor.report.formats import to_json_line

SCHEMA_VERSION = 1

_LONGEST_TEXT = 300
"""Cells of a text; what a machine says is as long as it likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that has happened.

    Attributes
    ----------
    at : when, seconds since 1970
    """

    name: ClassVar[str]
    at: float

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON has it: ``event`` is its name, ``at`` the moment (UTC)."""
        own = {one.name: _plain(getattr(self, one.name)) for one in fields(self)}
        moment = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        at = moment.replace("+00:00", "Z")
        return {"schema_version": SCHEMA_VERSION, "event": self.name, **own, "at": at}


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepBegun(Event):
    """A launcher begins with a sweep, or goes on with it.

    Attributes
    ----------
    sweep : its name
    jobs, done, failed : all jobs, and those that have ended in an earlier launcher
    budget_usd : that it may cost, None: nobody has said
    usd : that it has cost so far at most
    planned_usd, planned_hours : of the plan for what is left
    resumed : whether an earlier launcher has begun it
    """

    name: ClassVar[str] = "sweep_begun"
    sweep: str
    jobs: int
    done: int = 0
    failed: int = 0
    budget_usd: float | None = None
    usd: float = 0.0
    planned_usd: float | None = None
    planned_hours: float | None = None
    resumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfMachine(Event):
    """Something that has happened with a machine.

    Attributes
    ----------
    label : of its rental
    """

    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRented(_OfMachine):
    """A machine is rented and answers, or is picked up from an earlier launcher.

    Attributes
    ----------
    instance_id : the market's number of it
    gpu_name, num_gpus : its GPUs
    slots : jobs that it runs at once
    usd_per_hour : that it bills
    predicted_job_s : seconds that a job takes on it by the plan; None: nobody knows
    picked_up : whether an earlier launcher has rented it
    """

    name: ClassVar[str] = "machine_rented"
    instance_id: int
    gpu_name: str
    num_gpus: int
    slots: int
    usd_per_hour: float
    predicted_job_s: float | None = None
    picked_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReady(_OfMachine):
    """A machine has Python, Dask and the folder, and may be given jobs.

    Attributes
    ----------
    setup_s : seconds since it was rented
    """

    name: ClassVar[str] = "machine_ready"
    setup_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineLost(_OfMachine):
    """A machine is gone, or was given up.

    Attributes
    ----------
    reason : for people
    """

    name: ClassVar[str] = "machine_lost"
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReleased(_OfMachine):
    """The market confirms that a machine is rented no more, and bills no more.

    Attributes
    ----------
    reason : for people
    """

    name: ClassVar[str] = "machine_released"
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfJob(Event):
    """Something that has happened with a job.

    Attributes
    ----------
    job : its name
    label : of the rental of the machine that has it, or had it
    attempt : which of its starts this is, from 1 on
    """

    job: str
    label: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAssigned(_OfJob):
    """A machine is given a job; it does not run yet."""

    name: ClassVar[str] = "job_assigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted(_OfJob):
    """A job runs."""

    name: ClassVar[str] = "job_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnded(_OfJob):
    """A job's command has ended; its results are still on the machine.

    Attributes
    ----------
    exit_code : of the command; None: nobody knows it, as after a restart
    """

    name: ClassVar[str] = "job_ended"
    exit_code: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDone(_OfJob):
    """A job has ended well, and its results are here.

    Attributes
    ----------
    took_s : seconds from its start to its end; None: nobody knows
    """

    name: ClassVar[str] = "job_done"
    took_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailed(_OfJob):
    """A job's command has failed.

    Attributes
    ----------
    exit_code : of the command; None: nobody knows it, as after a restart
    again : whether it is started once more
    reason : for people
    """

    name: ClassVar[str] = "job_failed"
    exit_code: int | None
    again: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMoved(_OfJob):
    """A job surely runs no more on a machine, and waits for another one.

    Attributes
    ----------
    proof : how that is known: the machine has stopped it, has stopped it by itself for
        want of a sign of ours, or is destroyed; None: it has never run
    reason : for people
    """

    name: ClassVar[str] = "job_moved"
    proof: Literal["stopped", "lapsed", "destroyed"] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replanned(Event):
    """The plan was made anew for the jobs that are left.

    Attributes
    ----------
    machines : that are wanted beside those that are there
    planned_usd, planned_hours : for what is left
    reason : for people
    """

    name: ClassVar[str] = "replanned"
    machines: int
    planned_usd: float | None = None
    planned_hours: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent(Event):
    """What the sweep has cost so far, and may cost in the end.

    Attributes
    ----------
    usd : so far at most, by the ledger: all traffic that a machine may have had counts
    forecast_usd : at the end; None: nobody can say
    left_s : seconds to the end; None: nobody can say
    """

    name: ClassVar[str] = "spent"
    usd: float
    forecast_usd: float | None = None
    left_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepEnded(Event):
    """A launcher has no more to do for a sweep.

    Attributes
    ----------
    done, failed, waiting : jobs; *waiting*: they have not ended, and no machine has them
    usd : that the sweep has cost at most, by the ledger
    reason : for people, where it is not that all jobs have ended
    """

    name: ClassVar[str] = "sweep_ended"
    done: int
    failed: int
    waiting: int
    usd: float
    reason: str = ""


def to_line(event: Event) -> str:
    """Return an event as one line of JSON: nothing but ASCII, no NaN."""
    return to_json_line(event.to_document())


def _plain(value: object) -> object:
    """Return a value as JSON may have it; a text may be a stranger's."""
    if isinstance(value, str):
        return cut(clean(value), _LONGEST_TEXT)
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
