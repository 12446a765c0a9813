"""What the user has stored, where there is anything; see `advisor.app.stored`.

A command does without it where the user's own file cannot be read, and says so once.
"""

from __future__ import annotations

from advisor.app.context import Context
from advisor.base.errors import AdvisorError
from advisor.cost.job import Job
from advisor.hardware.measured import MeasuredMachine
from advisor.market.filters import Filters
from advisor.market.types import Answer
from advisor.throughput.user_runs import OtherRun, UserRun

_NOT_READ = "{}; no record, block or history counts meanwhile"


def user_runs(
    context: Context, workload: str
) -> tuple[tuple[UserRun, ...], tuple[OtherRun, ...]]:
    """Return the runs of a workload that the user recorded, and those of others."""
    if not context.has_stored_data:
        return (), ()
    from advisor.app import stored  # noqa: PLC0415  (mostly nothing is stored)

    try:
        return stored.user_runs(context, workload)
    except AdvisorError as error:
        context.notify_once(_NOT_READ.format(error))
        return (), ()


def measured_machines(context: Context) -> tuple[MeasuredMachine, ...]:
    """Return the machines that the user measured, the latest of them."""
    if not context.has_stored_data:
        return ()
    from advisor.app import stored  # noqa: PLC0415  (mostly nothing is stored)

    try:
        return stored.measured(context)
    except AdvisorError as error:
        context.notify_once(_NOT_READ.format(error))
        return ()


def with_stored_data(
    context: Context, answer: Answer, job: Job, filters: Filters
) -> tuple[Job, Filters]:
    """Return job and filters with what the user's own file holds."""
    if not context.has_stored_data:
        return job, filters
    from advisor.app import stored  # noqa: PLC0415  (mostly nothing is stored)

    try:
        return stored.with_stored_data(context, answer, job, filters)
    except AdvisorError as error:
        context.notify_once(_NOT_READ.format(error))
        return job, filters
