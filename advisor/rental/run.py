"""A command is carried out on a rented machine, on another one if that one is lost.

Rent, copy the folder, start, follow, copy back, release. The machine hears from its
launcher all the while; if it does not for long, it ends itself (see `watchdog`).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from advisor.errors import (
    AdvisorError,
    KeyRefusedError,
    MarketError,
    NothingFitsError,
    OverBudgetError,
    RemoteError,
    ResultsLeftError,
    UnreachableError,
)
from advisor.market.lifecycle import Instance
from advisor.rental.beats import silent_for_s
from advisor.rental.desk import Desk
from advisor.rental.hold import Hold
from advisor.rental.incoming.copying import Incoming
from advisor.rental.job_log import JobLog
from advisor.rental.jobs import JobRecord, job_folder, save_job
from advisor.rental.labels import read_label
from advisor.rental.machine import WORK, heartbeats
from advisor.rental.outgoing.decide import Outgoing
from advisor.rental.presence import MachineLostError, Presence
from advisor.rental.probe import symptom_of_end
from advisor.rental.release import released
from advisor.rental.remote_job import RemoteJob
from advisor.rental.rent import Confirm, renting
from advisor.rental.request import Rental, RentRequest
from advisor.rental.returning import fetch, fetch_one, keep, let_go, until_when
from advisor.rental.ssh import Ssh
from advisor.rental.strays import look_for_strays
from advisor.rental.sync import prepare, push
from advisor.software.misfit import Symptom
from advisor.store.ledger import Entry

Result = TypeVar("Result")

MACHINES = 5
"""Machines that one launch may use up, one after the other."""

_LOOK_S = 60.0
_CHECKPOINT_S = 300.0
_PATIENCE_S = 300.0
_PAUSE_S = 5.0
_HEARD_S = 180.0  # three heartbeats
_LAST_CHANCE_S = 300.0  # before the end, for copying back


@dataclass(frozen=True, slots=True)
class Ended:
    """How the command ended.

    Attributes
    ----------
    log : file here of all that it printed on its last machine
    job : with what was predicted of that machine, and the command's exit code
    symptom : what shows that the machine could not run it, None if nothing does
    """

    log: Path
    job: JobRecord
    symptom: Symptom | None = None


class MisfitError(Exception):
    """The machine could not run the command, by no fault of its own.

    Attributes
    ----------
    symptom : what shows it
    ended : how the command ended
    """

    def __init__(self, symptom: Symptom, ended: Ended) -> None:
        super().__init__(str(symptom))
        self.symptom = symptom
        self.ended = ended


@dataclass(frozen=True, slots=True)
class Launch:
    """What carrying out a job needs beside the job.

    Attributes
    ----------
    desk : where machines are rented
    request : how
    confirm : asked before each payment; None: nobody is asked
    ssh_to : connects to an instance
    predicted : what to keep of a machine's prediction
    output : takes what the command prints
    grace_s : seconds that a machine waits for a sign of life of ours
    outgoing : returns what goes to the next machine of a job; called before that is
        paid for
    resuming : what the user types to go on with it
    incoming : takes what comes back from the machines
    """

    desk: Desk
    request: RentRequest
    confirm: Confirm | None
    ssh_to: Callable[[Instance], Ssh]
    predicted: Callable[[Rental], Mapping[str, Any]]
    output: Callable[[bytes], None]
    grace_s: float
    outgoing: Callable[[JobRecord], Outgoing]
    resuming: str
    incoming: Incoming


def carry_out(launch: Launch, job: JobRecord) -> Ended:
    """Carry out a job, picking it up where it is.

    A command that fails as if its machine could not run it gets one other machine. If it
    fails so again, or there is no other one, that is how it ended.

    Raises
    ------
    advisor.errors.AdvisorError
        if no machine can be had, or none of several ended it
    """
    told = launch.desk.told
    job = replace(job, exit_code=None)
    save_job(launch.desk.folder, job)
    failed: Ended | None = None
    for _ in range(MACHINES):
        try:
            with _machine(launch, job) as (entry, instance, known, outgoing):
                return _work(launch, known, entry, instance, outgoing)
        except MisfitError as error:
            if failed is not None:
                return error.ended
            failed = error.ended
            told(f"{error}; the job goes to a machine that fits")
        except NothingFitsError as error:
            if failed is None:
                raise
            told(f"there is no other machine for it: {error}")
            return failed
        except MachineLostError as error:
            told(f"machine lost: {error}; the job goes to another one")
    message = f"{MACHINES} machines were lost: '{launch.resuming}' goes on"
    raise NothingFitsError(message)


@contextmanager
def _machine(
    launch: Launch, job: JobRecord
) -> Iterator[tuple[Entry, Instance, JobRecord, Outgoing | None]]:
    """Yield the machine that has the job already, else a new one; release it at last.

    Whatever ends the block, the machine is released: nobody else would. What goes to a
    new one is decided before it is rented.
    """
    desk, misfits = launch.desk, launch.request.misfits
    entry = _at_work(desk, job.name)
    if entry is not None:
        with desk.work_on(entry.label) as alone:
            if not alone:
                message = f"another launcher follows {job.name}: it is not picked up"
                raise AdvisorError(message)
            hold = Hold(desk, entry.label)
            hold.succeed(entry)
            with released(desk, entry, ResultsLeftError), hold.kept():
                instance = _picked_up(launch, entry)
                desk.told(f"instance {instance.instance_id}: picked up again")
                try:
                    yield entry, instance, job, None
                except MisfitError as error:
                    misfits.add_machine(error.symptom.misfit, entry)
                    raise
        return
    outgoing = launch.outgoing(job)
    with (
        renting(desk, launch.request, launch.confirm) as rental,
        released(desk, rental.entry, ResultsLeftError),
    ):
        known = job.with_prediction(launch.predicted(rental))
        save_job(desk.folder, known)
        try:
            yield rental.entry, rental.instance, known, outgoing
        except MisfitError as error:
            misfits.add(error.symptom.misfit, rental.chosen)
            raise


def _at_work(desk: Desk, name: str) -> Entry | None:
    """Return the machine that a job works on; what its user has is none of these."""
    for entry in desk.ledger.entries(desk.account):
        if entry.job == name and entry.state == "working":
            return entry
    return None


def _picked_up(launch: Launch, entry: Entry) -> Instance:
    """Return the instance of a job whose launcher is gone, once it is known to run.

    Raises
    ------
    MachineLostError
        if it does not, and another one is to be rented
    ResultsLeftError
        if it is not ours to follow, or to end: its launcher on another computer lives,
        or the user has given it another label
    """
    desk = launch.desk
    presence = Presence(desk, entry)
    while (instance := presence.instance()) is None:
        desk.sleep(_PAUSE_S)
    if instance.label != entry.label:
        message = (
            f"instance {instance.instance_id} is called {instance.label!r} by now: give "
            f"it back its label {entry.label} to go on, or end it in the market's console"
        )
        raise ResultsLeftError(message)
    if not desk.is_here(entry.place) and _is_heard(launch, instance):
        message = (
            f"job {entry.job} is followed from another computer: end its launcher there, "
            "or release the job"
        )
        raise ResultsLeftError(message)
    return instance


def _is_heard(launch: Launch, instance: Instance) -> bool:
    """Say whether a machine has heard a launcher, who is not this one, of late."""
    silence_s = silent_for_s(launch.ssh_to(instance))
    return silence_s is not None and silence_s < _HEARD_S


def _work(
    launch: Launch,
    job: JobRecord,
    entry: Entry,
    instance: Instance,
    outgoing: Outgoing | None,
) -> Ended:
    """Run the command on a machine to its end."""
    desk = launch.desk
    presence = Presence(desk, entry)
    ssh = launch.ssh_to(instance)
    remote = RemoteJob(ssh, job.name)
    log = _log_of(desk, job.name, entry.label)

    look = _now_and_then(desk, lambda: _look_after(presence))

    def begin() -> None:
        if remote.state().phase == "not_started":
            prepare(ssh)
            push(ssh, outgoing or launch.outgoing(job), WORK, look)
            remote.start(job.argv, folder=WORK, env=_variables(job))
            desk.told(f"started: {shlex.join(job.argv)}")

    try:
        with heartbeats(ssh, desk.told, launch.grace_s):
            _patiently(presence, begin)
            if entry.state == "held":
                desk.ledger.advance(entry.label, "working", desk.now(), "it runs a job")
            try:
                _follow(launch, job, presence, remote, log)
            except (KeyboardInterrupt, OverBudgetError):
                _stop(launch, job, entry, remote)
                raise
            state = _patiently(presence, remote.state)
            if state.exit_code is None:
                raise MachineLostError(f"the command is {state.phase}")
            _fetch_at_last(launch, job, presence, ssh)
            job = replace(job, exit_code=state.exit_code)
            save_job(desk.folder, job)
            symptom = None
            if state.exit_code != 0:
                symptom = symptom_of_end(remote, entry.num_gpus, log.end())
    except ResultsLeftError:
        raise
    except RemoteError as error:
        raise MachineLostError(str(error)) from error
    ended = Ended(log.path, job, symptom)
    if symptom is not None:
        raise MisfitError(symptom, ended)
    return ended


def _stop(launch: Launch, job: JobRecord, entry: Entry, remote: RemoteJob) -> None:
    """End the command and copy back what there is; the machine may be gone by now."""
    try:
        remote.stop()
    except RemoteError as error:
        launch.desk.told(f"the command could not be ended: {error}")
    _save(launch, job, entry, remote.ssh)


def _save(launch: Launch, job: JobRecord, entry: Entry, ssh: Ssh) -> None:
    """Copy back what there is, if that can be had."""
    try:
        _fetch(launch, job, entry, ssh)
    except (RemoteError, OverBudgetError) as error:
        launch.desk.told(f"what the command wrote could not be copied back: {error}")


def _fetch(launch: Launch, job: JobRecord, entry: Entry, ssh: Ssh) -> None:
    """Copy back what there is, until the machine must be gone.

    Raises
    ------
    OverBudgetError
        if that comes first: a machine may send without end
    RemoteError
        if it cannot be copied
    """

    def in_time() -> None:
        if launch.desk.now() > entry.ends_at:
            message = "the machine's lifetime is over before its results are here"
            raise OverBudgetError(message)

    fetch(launch.incoming, ssh, job, in_time)


def _patiently(presence: Presence, call: Callable[[], Result]) -> Result:
    """Call what may be called again, until the machine can be reached or is lost."""
    desk = presence.desk
    begun = desk.clock.monotonic()
    while True:
        try:
            return call()
        except UnreachableError as error:
            if desk.clock.monotonic() - begun > _PATIENCE_S:
                raise
            desk.told(f"{error}; trying again")
        _look_after(presence)
        desk.sleep(_PAUSE_S)


def _fetch_at_last(launch: Launch, job: JobRecord, presence: Presence, ssh: Ssh) -> None:
    """Copy the results back; where that fails, leave the machine with them."""
    desk, entry = launch.desk, presence.entry
    try:
        _patiently(presence, lambda: _fetch(launch, job, entry, ssh))
    except OverBudgetError:
        raise
    except (AdvisorError, OSError) as error:
        stays = until_when(
            kept=keep(ssh),
            ends_at=entry.ends_at,
            now=desk.now(),
            grace_s=launch.grace_s,
        )
        message = (
            f"the command has ended, but its results cannot be copied: {error}; they "
            f"stay on instance {entry.instance_id}, which bills, until {stays}: mend it "
            f"and '{launch.resuming}'"
        )
        raise ResultsLeftError(message) from error
    let_go(ssh)


def _follow(
    launch: Launch, job: JobRecord, presence: Presence, remote: RemoteJob, log: JobLog
) -> None:
    """Hand on what the command prints; fetch checkpoints and look after the machine."""
    desk = launch.desk
    clock = desk.clock.monotonic
    fetched = clock()
    look = _now_and_then(desk, lambda: _look_after(presence))

    def tick() -> None:
        nonlocal fetched
        look()
        if clock() - fetched >= _CHECKPOINT_S:
            try:
                fetch_one(launch.incoming, remote.ssh, job, job.checkpoints, look)
            except RemoteError as error:
                desk.told(f"no checkpoints this time: {error}")
            fetched = clock()

    with closing(log):
        for piece in remote.follow(log.offset, log.skip):
            if piece:
                log.write(piece)
                launch.output(piece)
            tick()


def _now_and_then(desk: Desk, call: Callable[[], None]) -> Callable[[], None]:
    """Return what may be called at any time, and calls once in a while."""
    called = desk.clock.monotonic()

    def when_due() -> None:
        nonlocal called
        if desk.clock.monotonic() - called >= _LOOK_S:
            called = desk.clock.monotonic()
            call()

    return when_due


def _look_after(presence: Presence) -> None:
    """Raise if the machine is lost, or its time is over."""
    desk, entry = presence.desk, presence.entry
    if desk.now() > entry.ends_at - _LAST_CHANCE_S:
        message = "the machine's lifetime is over before the job is done: resume it"
        raise OverBudgetError(message)
    look_for_strays(desk)
    try:
        presence.instance()
    except KeyRefusedError:
        raise
    except MarketError as error:  # the command runs all the same
        desk.told(f"{error}; the job goes on")


def _variables(job: JobRecord) -> dict[str, str]:
    return {
        "ADVISOR_JOB": job.name,
        "ADVISOR_RESULTS": job.results,
        "ADVISOR_CHECKPOINTS": job.checkpoints,
    }


def _log_of(desk: Desk, name: str, label: str) -> JobLog:
    """Return the log of a job on one machine: what is in it was handed on already."""
    told = read_label(label)
    token = told.token if told else "log"
    return JobLog(job_folder(desk.folder, name) / f"{token}.log", desk.told)
