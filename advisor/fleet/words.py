"""Events of a sweep as lines for people."""

from __future__ import annotations

from collections.abc import Callable

from advisor.base.figures import duration
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
    Replanned,
    SweepBegun,
    SweepEnded,
)
from advisor.fleet.view import SweepView
from advisor.report.answer import money
from advisor.report.cells import LONGEST, clean, cut

_PROOFS = {
    "stopped": "the machine has stopped it",
    "lapsed": "the machine has stopped it by itself, having heard nothing of us",
    "destroyed": "its machine is destroyed",
}


def line_of(event: Event, name_of: Callable[[str], str] = str) -> str | None:
    """Return an event as one line; None: people hear of it by another one.

    Parameters
    ----------
    name_of : what people call a machine, given the label of its rental
    """
    match event:
        case MachineRented() | MachineReady() | MachineLost():
            return _of_machine(event, short(name_of(event.label)))
        case JobStarted(attempt=1) | JobAssigned() | JobEnded() | MachineReleased():
            return None
        case JobDone() | JobFailed() | JobMoved() | JobStarted():
            return _of_job(event, short(name_of(event.label)))
        case _:
            return _of_sweep(event)


def progress_of(view: SweepView) -> str:
    """Return how far a sweep has come, as one line."""
    return f"{jobs_in_words(view)}; {spent_of(view)}"


def jobs_in_words(view: SweepView) -> str:
    """Return where the jobs of a sweep are."""
    parts = [
        f"{view.done} of {view.jobs} jobs done",
        f"{view.running + view.assigned + view.returning} on machines",
        f"{view.waiting} waiting",
    ]
    if view.failed:
        parts.append(f"{view.failed} failed")
    return ", ".join(parts)


def spent_of(view: SweepView) -> str:
    """Return what a sweep has cost so far and may cost, and when it may be over."""
    parts = [f"at most ${money(view.usd)} so far"]
    if view.budget_usd is not None:
        parts[0] += f" of ${money(view.budget_usd)}"
    if view.forecast_usd is not None:
        parts.append(f"${money(view.forecast_usd)} at the end")
    if view.left_s:
        parts.append(f"{duration(view.left_s)} left")
    return ", ".join(parts)


def short(text: str) -> str:
    """Return a text, which may be a stranger's, as a line or a cell may have it."""
    return cut(clean(text), LONGEST)


def _of_sweep(event: Event) -> str | None:
    match event:
        case SweepBegun():
            verb = "goes on" if event.resumed else "begins"
            ended = f", {event.done} of them done before" if event.resumed else ""
            return f"sweep {short(event.sweep)} {verb}: {event.jobs} jobs{ended}"
        case Replanned():
            why = f" ({short(event.reason)})" if event.reason else ""
            more = _counted(event.machines, "more machine")
            return f"the plan is made anew{why}: {more}"
        case SweepEnded():
            why = f"; {short(event.reason)}" if event.reason else ""
            counts = f"{event.done} done, {event.failed} failed, {event.waiting} not run"
            how = "stops, and can be resumed" if event.waiting else "is over"
            return f"the sweep {how}: {counts}; at most ${money(event.usd)}{why}"
    return None


def _of_machine(event: MachineRented | MachineReady | MachineLost, machine: str) -> str:
    match event:
        case MachineRented():
            verb = "picked up again" if event.picked_up else "rented"
            gpus = f"{event.num_gpus} × {short(event.gpu_name)}"
            return f"{machine}: {verb}, {gpus}, ${money(event.usd_per_hour)}/h"
        case MachineReady():
            after = "" if event.setup_s is None else f" after {duration(event.setup_s)}"
            return f"{machine}: ready{after}"
        case MachineLost():
            return f"{machine}: lost: {short(event.reason)}"


def _of_job(event: JobDone | JobFailed | JobMoved | JobStarted, machine: str) -> str:
    job = short(event.job)
    match event:
        case JobStarted():
            return f"{job}: runs on {machine}, attempt {event.attempt}"
        case JobDone():
            after = "" if event.took_s is None else f" after {duration(event.took_s)}"
            return f"{job}: done{after}"
        case JobFailed():
            then = "; it is started again" if event.again else ""
            why = f": {short(event.reason)}" if event.reason else ""
            code = event.exit_code
            how = "" if code is None else f" with exit code {code}"
            return f"{job}: failed on {machine}{how}{why}{then}"
    why = _PROOFS.get(event.proof or "", "")
    said = "; ".join(one for one in (short(event.reason), why) if one)
    return f"{job}: goes on elsewhere than on {machine}{said and f': {said}'}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
