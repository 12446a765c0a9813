"""Tasks of Dask for the jobs of a sweep: each pinned to one worker of one machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from types import FunctionType
from typing import Any

from advisor.fleet.running import Submit, Task
from advisor.fleet.task import run_job

EVERY_S = 2.0
"""Most seconds between two looks of a task at its job."""


def submitter(client: Any) -> Submit:
    """Return what begins a task of a client.

    Each gets a name of its own, also where a job is attached to anew: what Dask has
    forgotten may still be under way.
    """
    numbers, job = count(), _by_value()

    def submit(worker: str, name: str, scripts: Mapping[str, str]) -> Task:
        member = worker.rpartition("-")[0]
        future: Task = client.submit(
            job,
            dict(scripts),
            EVERY_S,
            key=f"{name}-{next(numbers)}",
            workers=[worker],
            resources={member: 1},
            allow_other_workers=False,
            pure=False,
        )
        return future

    return submit


def _by_value() -> Callable[..., Any]:
    """Return the task as something that goes to a machine whole: that has no advisor.

    Dask ships by its name what is found under that name in a module here, and by value
    what claims to be of the main one and is not.
    """
    names = {"__builtins__": __builtins__, "__name__": "__main__"}
    shipped = FunctionType(run_job.__code__, names, run_job.__name__)
    shipped.__module__ = "__main__"
    return shipped
