"""A command is carried out on a rented machine, on another one if that one is lost.

Rent, run the command there to its end (see `run`), release. A machine whose launcher is
gone, or hangs, is picked up by the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from advisor.base.errors import (
    AdvisorError,
    MachineLeftError,
    NothingFitsError,
    NotShownError,
    ReleasedError,
)
from advisor.rental.context import RentalContext
from advisor.rental.jobs import JobRecord, save_job
from advisor.rental.launch import Launch
from advisor.rental.presence import MachineLostError, Presence
from advisor.rental.release import note_state, release_found_again, released
from advisor.rental.rent import renting
from advisor.rental.run import Ended, MisfitError, Run
from advisor.rental.succession import picked_up, succeeded
from advisor.store.ledger import Entry

MACHINES = 5
"""Machines that one launch may use up, one after the other."""


@contextmanager
def only_launcher(context: RentalContext, name: str, *, resumes: bool) -> Iterator[None]:
    """Carry out a job as the only process here, from before it is written down.

    A launcher that hangs on the job's machine may be succeeded, see `carry_out`.

    Raises
    ------
    AdvisorError
        if another one carries it out
    """
    with context.work_on(f"job:{name}") as alone:
        if not alone and not (resumes and _at_work(context, name)):
            message = (
                f"another launcher carries out job {name}: wait for its end, end it, or "
                "give this one another name"
            )
            raise AdvisorError(message)
        yield


def carry_out(launch: Launch, job: JobRecord) -> Ended:
    """Carry out a job, picking it up where it is; see `only_launcher`.

    A command that fails as if its machine could not run it gets one other machine. If it
    fails so again, or there is no other one, that is how it ended.

    Raises
    ------
    advisor.base.errors.AdvisorError
        if no machine can be had, or none of several ended it
    """
    ended = _carried_out(launch, replace(job, exit_code=None))
    release_found_again(launch.context, job.name)
    return ended


def _carried_out(launch: Launch, job: JobRecord) -> Ended:
    """Carry out a job on one machine after the other; as `carry_out`."""
    notify, words = launch.context.notify, launch.context.words
    failed: Ended | None = None
    for _ in range(MACHINES):
        try:
            with _machine(launch, job) as run:
                return run.to_its_end()
        except MisfitError as error:
            if failed is not None:
                return error.ended
            failed = error.ended
            notify(f"{error}; the job goes to a machine that fits")
        except NothingFitsError as error:
            if failed is None:
                raise
            notify(f"there is no other machine for it: {words(error)}")
            return failed
        except MachineLostError as error:
            notify(f"machine lost: {error}; the job goes to another one")
    message = f"{MACHINES} machines were lost: '{launch.resuming}' goes on"
    raise NothingFitsError(message)


@contextmanager
def _machine(launch: Launch, job: JobRecord) -> Iterator[Run]:
    """Yield the run on the machine that has the job, else on a new one; release that.

    Whatever ends the block, the machine is released: nobody else would. What goes to a
    new one is decided before it is rented.
    """
    context, misfits = launch.context, launch.request.misfits
    entry = _at_work(context, job.name)
    if entry is not None:
        with succeeded(context, entry) as hold:
            save_job(context.folder, job)
            presence = Presence(context, entry, hold)
            instance = picked_up(presence, launch.ssh_to)
            with _released(launch, presence):
                context.notify(f"instance {instance.instance_id}: picked up again")
                try:
                    yield Run.on(launch, job, presence, instance)
                except MisfitError as error:
                    misfits.add_machine(error.symptom.misfit, entry)
                    raise
        return
    save_job(context.folder, job)
    outgoing = launch.outgoing(job)
    with renting(context, launch.request, launch.confirm) as rental:
        presence = Presence(context, rental.entry, rental.hold)
        with _released(launch, presence):
            known = job.with_prediction(launch.predicted(rental))
            save_job(context.folder, known)
            try:
                yield Run.on(
                    launch,
                    known,
                    presence,
                    rental.instance,
                    outgoing,
                    measured=rental.measured,
                )
            except MisfitError as error:
                misfits.add(error.symptom.misfit, rental.chosen)
                raise


def _at_work(context: RentalContext, name: str) -> Entry | None:
    """Return the machine that a job works on; what its user has is none of these.

    Of several, one of which the market had lost and shows again, the last one.
    """
    for entry in reversed(context.ledger.entries(context.account)):
        if entry.job == name and entry.state == "working":
            return entry
    return None


@contextmanager
def _released(launch: Launch, presence: Presence) -> Iterator[None]:
    """Release a job's machine at the end of a block, where that is ours to do.

    Who has slept through its lease finds out before it ends another one's machine.
    """
    context, entry = launch.context, presence.entry
    with released(context, entry, MachineLeftError):
        try:
            yield
        except NotShownError as error:
            note_state(context, entry, "gone", str(error), entry.instance_id)
            message = (
                f"{error}; it was perhaps ended elsewhere: '{launch.resuming}' goes on "
                "on another machine"
            )
            raise NotShownError(message) from error
        except (MachineLeftError, ReleasedError):
            raise
        except BaseException:
            with suppress(ReleasedError):
                presence.renew()
            raise
        with suppress(ReleasedError):
            presence.renew()
