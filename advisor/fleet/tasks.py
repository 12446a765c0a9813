"""Tasks of Dask for the jobs of a sweep: each pinned to one worker of one machine."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

import cloudpickle

from advisor.fleet import task
from advisor.fleet.running import Submit, Task

EVERY_S = 2.0
"""Most seconds between two looks of a task at its job."""


def submitter(client: Any) -> Submit:
    """Return what begins a task of a client.

    Each gets a name of its own, also where a job is attached to anew: what Dask has
    forgotten may still be under way.
    """
    cloudpickle.register_pickle_by_value(task)  # the machines have no advisor
    numbers = count()

    def submit(worker: str, name: str, scripts: Mapping[str, str]) -> Task:
        member = worker.rpartition("-")[0]
        future: Task = client.submit(
            task.run_job,
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
