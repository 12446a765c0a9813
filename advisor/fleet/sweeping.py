"""A sweep from here and back to here: begun, gone on with, ended; the use cases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from advisor.app.context import Context
from advisor.app.plan import check_machine, rental_context_of
from advisor.app.sweep import SweepSpec, jobs_of
from advisor.app.sweep_file import SweepFile
from advisor.base.errors import AdvisorError, UsageError
from advisor.fleet.folders import Folders
from advisor.fleet.launching import Face, Launch, SweepResult
from advisor.fleet.plan import plan_sweep
from advisor.rental.context import RentalContext
from advisor.rental.labels import check_job, job_of
from advisor.store.sweeps import StoredSweep, SweepStore

__all__ = ["Face", "SweepResult", "resume_sweep", "run_sweep", "stop_sweep"]


def run_sweep(context: Context, asked: SweepFile, face: Face) -> SweepResult:
    """Begin a sweep and carry it out, by its plan if there is one already.

    Raises
    ------
    AdvisorError
        if it cannot be begun, or jobs are left that no machine can be had for
    """
    check_machine(context)
    name = check_job(asked.spec.name or job_of(asked.spec.job.workload))
    spec = replace(asked.spec, name=name)
    _refuse_begun(context, name)
    jobs = jobs_of(spec)
    asked.check(jobs)
    folders = Folders(context, spec, jobs)
    folders.check(face.listener, begins=True)
    rental = rental_context_of(context, spec.market)
    plan = asked.plan or plan_sweep(context, spec, jobs, with_curve=False)
    if not face.confirms(plan):
        message = "nothing was rented: it was not confirmed"
        raise AdvisorError(message)
    with ExitStack() as stack:
        stack.enter_context(_only_launcher(rental, name))
        _refuse_open(rental, name)
        SweepStore(context.data_folder).begin(
            name,
            spec.to_document(),
            plan.to_document(),
            [one.name for one in jobs],
            rental.now(),
            market=rental.account,
        )
        return Launch(context, spec, jobs, folders, rental, face).run(stack, plan)


def resume_sweep(context: Context, name: str, face: Face) -> SweepResult:
    """Go on with a sweep whose launcher is gone.

    Raises
    ------
    AdvisorError
        as `run_sweep`; if there is none of that name, or another launcher has it
    """
    with ExitStack() as stack:
        launch = _stored(context, name, face, stack)
        SweepStore(context.data_folder).reopen(name)
        return launch.run(stack, None)


def stop_sweep(context: Context, name: str, face: Face) -> SweepResult:
    """End what runs of a sweep whose launcher is gone; bring home what there is.

    Raises
    ------
    AdvisorError
        if there is none of that name, another launcher has it, or a machine cannot be
        given back
    """
    with ExitStack() as stack:
        return _stored(context, name, face, stack).stop(stack)


def _stored(context: Context, name: str, face: Face, stack: ExitStack) -> Launch:
    """Return the launch of a sweep that was begun before, as its only launcher."""
    check_machine(context)
    stored = SweepStore(context.data_folder).load(check_job(name))
    spec = SweepSpec.from_document(stored.spec)
    rental = rental_context_of(context, spec.market)
    _check_ours(stored, rental)
    stack.enter_context(_only_launcher(rental, name))
    jobs = jobs_of(spec)
    return Launch(context, spec, jobs, Folders(context, spec, jobs), rental, face)


def _check_ours(stored: StoredSweep, rental: RentalContext) -> None:
    """Refuse a sweep of another account, or of another computer.

    Raises
    ------
    UsageError
        if it is one
    """
    if stored.market != rental.account:
        message = (
            f"the sweep {stored.name} is of {stored.market}, not of {rental.account}: "
            "go on with that account's key"
        )
        raise UsageError(message)
    if not rental.is_here(stored.place):
        message = (
            f"the sweep {stored.name} was begun on another computer, or with another "
            "data folder: go on with it there"
        )
        raise UsageError(message)


def _refuse_begun(context: Context, name: str) -> None:
    """Refuse the name of another sweep before anybody is asked.

    Raises
    ------
    UsageError
        if there is one
    """
    if any(one.name == name for one in SweepStore(context.data_folder).sweeps()):
        message = (
            f"there is a sweep {name} already: give this one another name, or "
            f"'advisor sweep resume {name}'"
        )
        raise UsageError(message)


def _refuse_open(rental: RentalContext, name: str) -> None:
    """Refuse a name whose rentals would be taken for those of this sweep.

    Raises
    ------
    UsageError
        if there is one
    """
    for entry in rental.ledger.entries(rental.account):
        if entry.job == name and entry.state == "working":
            message = f"{name} has a machine already: give the sweep another name"
            raise UsageError(message)


@contextmanager
def _only_launcher(rental: RentalContext, name: str) -> Iterator[None]:
    """Carry a sweep out as the only process here; a job of its name counts, too.

    Raises
    ------
    AdvisorError
        if another one does, be it that it hangs
    """
    with rental.work_on(f"job:{name}") as alone:
        if not alone:
            message = (
                f"another launcher carries out {name}: wait for its end, or interrupt it"
            )
            raise AdvisorError(message)
        yield
