"""A command is carried out on the best machine for rent: the use case of `advisor run`.

::

    job = JobSpec("resnet50")
    spec = RunSpec(RentSpec(job, budget_usd=5.0), ("python", "train.py"), "/home/me/net")
    ended = run(Context.of_this_process(), spec)
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from advisor.app.context import Context
from advisor.app.delivered import compare, predicted_of
from advisor.app.listener import Listener
from advisor.app.plan import Plan, check_machine, plan, ssh_to
from advisor.app.private import private_of
from advisor.app.renting import WouldRent, would_rent
from advisor.app.run import RunSpec
from advisor.app.sending import Sender
from advisor.base.errors import AdvisorError, UsageError
from advisor.base.interrupts import deferred
from advisor.base.units import BYTES_PER_GB
from advisor.market.lifecycle import Instance
from advisor.rental.carry_out import carry_out, only_launcher
from advisor.rental.context import RentalContext
from advisor.rental.incoming.copying import Incoming
from advisor.rental.jobs import JobRecord
from advisor.rental.launch import Launch
from advisor.rental.outgoing.command import check_command, stays_here
from advisor.rental.outgoing.decide import Outgoing
from advisor.rental.preflight import (
    check_comes_back,
    check_places,
    check_programs,
    check_room,
)
from advisor.rental.remote.job_log import MOST_LOG_BYTES
from advisor.rental.remote.ssh import Ssh
from advisor.rental.request import Rental
from advisor.rental.run import Ended

VERIFIED_FROM_H = 1.0
"""Hours that a job is predicted to take from which its machine is measured first, where
nobody says otherwise: two minutes are 3 % of that, half speed costs 100 %."""

_AT_WORK: str = "working"
"""State of a machine that a job of `run` has."""


@dataclass(frozen=True, slots=True)
class WouldRun:
    """What a run would do now.

    Attributes
    ----------
    rent : the machine
    outgoing : what would go to it
    """

    rent: WouldRent
    outgoing: Outgoing


def run(
    context: Context,
    spec: RunSpec,
    listener: Listener | None = None,
    resumed: JobRecord | None = None,
) -> Ended:
    """Run a command on the best machine for rent, on another one if that one is lost.

    Parameters
    ----------
    spec : what is run, and how its machine is rented
    listener : who is asked before money is spent; None: nobody
    resumed : a job that is gone on with, see `advisor.app.jobs.load_job`

    Raises
    ------
    AdvisorError
        if nothing can be rented or sent so, or the command has not ended
    """
    made = _made(context, spec, listener or Listener(), resumed)
    planned, name = made.planned, made.planned.request.job
    with ExitStack() as stack:
        alone = only_launcher(planned.rental_context, name, resumes=resumed is not None)
        stack.enter_context(alone)
        job, resuming = made.job, made.listener.resuming(name)
        if resumed is None:
            _refuse_open(planned.rental_context, name, resuming)
            spec = replace(spec, rent=replace(spec.rent, name=name))
            job = replace(job, name=name, spec=spec)
        context.notify(f"job {name}: '{resuming}' goes on with it")
        stack.enter_context(deferred())
        try:
            ended = carry_out(_launch(context, made, spec, resuming), job)
        except AdvisorError as error:
            made.listener.not_ended(job, error)
            raise
        compare(context, ended, spec.rent.job, planned.job.workload)
        made.listener.ended(ended)
    return ended


def would_run(
    context: Context,
    spec: RunSpec,
    listener: Listener | None = None,
    resumed: JobRecord | None = None,
) -> WouldRun:
    """Return what `run` would do now; pay and send nothing.

    Raises
    ------
    AdvisorError
        if it would do nothing
    """
    made = _made(context, spec, listener or Listener(), resumed)
    outgoing = made.sender.outgoing(made.job.asked)
    return WouldRun(would_rent(context, made.planned), outgoing)


@dataclass(frozen=True, slots=True)
class _Made:
    """A run that is thought through; nothing is paid yet."""

    planned: Plan
    job: JobRecord
    sender: Sender
    listener: Listener


def _made(
    context: Context, spec: RunSpec, listener: Listener, resumed: JobRecord | None
) -> _Made:
    """Think a run through.

    Raises
    ------
    AdvisorError
        if it would fail once a machine is paid for
    """
    sender = Sender(context, listener, spec.max_sync_gb)
    job = resumed or _checked(context, sender, JobRecord("", spec))
    _check_here(context, job)
    context.notify(
        f"at most {spec.max_results_gb:g} GB come back "
        f"({context.called('max_results_gb')}), and of the log "
        f"{MOST_LOG_BYTES / BYTES_PER_GB:g} GB"
    )
    goes_on = resumed is not None
    planned = plan(
        context,
        spec.rent,
        wait_for_ssh=True,
        goes_on=goes_on,
        verified_from_h=VERIFIED_FROM_H,
    )
    return _Made(planned, job, sender, listener)


def _checked(context: Context, sender: Sender, job: JobRecord) -> JobRecord:
    """Return a new job with what is there before it, once its command can be run.

    Raises
    ------
    UsageError
        if it cannot, or its folder may not be sent
    """
    check_machine(context)
    outgoing = sender.prepare(job.asked)
    check_command(job.argv, outgoing, context.variables.get("PATH"))
    if not outgoing.files:
        message = (
            f"nothing of {outgoing.folder} would go to the machine: name another "
            f"{context.called('folder')}"
        )
        raise UsageError(message)
    for left in stays_here(job.argv, outgoing):
        context.notify(
            f"the command names {left.path}, which stays here: ignored by {left.why}"
        )
    return replace(job, before=outgoing.before)


def _refuse_open(rental_context: RentalContext, name: str, resuming: str) -> None:
    """Refuse a job that has a machine: it would be taken for this one's, and released.

    What `rent` gave to the user under that name is the user's: it shares the budget.

    Raises
    ------
    UsageError
        if there is one
    """
    for entry in rental_context.ledger.entries(rental_context.account):
        if entry.job == name and entry.state == _AT_WORK:
            message = (
                f"job {name} has a machine: '{resuming}' goes on with it, a job of "
                "another name begins anew"
            )
            raise UsageError(message)


def _check_here(context: Context, job: JobRecord) -> None:
    """Refuse what would fail once a machine is paid for."""
    folder = Path(job.folder)
    check_programs("ssh", "ssh-keygen", "rsync")
    names, own = (job.results, job.checkpoints), private_of(context).folders
    check_comes_back(folder, names)
    check_places(folder, names, own)
    check_room(folder, context.data_folder)


def _launch(context: Context, made: _Made, spec: RunSpec, resuming: str) -> Launch:
    planned, listener = made.planned, made.listener

    def connect(instance: Instance) -> Ssh:
        return ssh_to(context, planned.key_file, instance)

    def predicted(rental: Rental) -> Mapping[str, Any]:
        return predicted_of(context, planned, rental)

    def outgoing(job: JobRecord) -> Outgoing:
        return made.sender.outgoing(job.asked)

    return Launch(
        context=planned.rental_context,
        request=planned.request,
        confirm=listener.confirms,
        ssh_to=connect,
        predicted=predicted,
        output=listener.prints,
        grace_s=spec.grace_s,
        outgoing=outgoing,
        resuming=resuming,
        incoming=Incoming(
            context.notify,
            spec.max_results_gb * BYTES_PER_GB,
            context.called("max_results_gb"),
            progress=context.progress,
        ),
    )
