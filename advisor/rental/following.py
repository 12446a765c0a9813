"""A job's command is started on its machine and followed to its end."""

from __future__ import annotations

import shlex
from contextlib import closing
from typing import NamedTuple

from advisor.base.errors import (
    MachineLeftError,
    ReleasedError,
    RemoteError,
    UnreachableError,
)
from advisor.market.lifecycle import Instance
from advisor.rental.context import RentalContext
from advisor.rental.jobs import JobRecord, job_folder
from advisor.rental.labels import read_label
from advisor.rental.launch import Launch
from advisor.rental.machine import WORK
from advisor.rental.outgoing.decide import Outgoing
from advisor.rental.presence import MachineLostError, Presence
from advisor.rental.remote.job import RemoteJob
from advisor.rental.remote.job_log import JobLog
from advisor.rental.remote.sync import prepare, push
from advisor.rental.returning import fetch_one, stop_and_save

_CHECKPOINT_S = 300.0


class Had(NamedTuple):
    """A machine that a job has.

    Attributes
    ----------
    presence : looks at it
    instance : as the market shows it
    job : with what was predicted of it
    outgoing : what goes to it; None: it was decided when it was rented
    """

    presence: Presence
    instance: Instance
    job: JobRecord
    outgoing: Outgoing | None


def followed(launch: Launch, had: Had, remote: RemoteJob, log: JobLog) -> int:
    """Start the command where it was not, and follow it; return its exit code.

    Whatever ends this early, the command is ended and what it has written comes back,
    unless the machine is lost or not ours any more.
    """
    context, presence, job = launch.context, had.presence, had.job
    entry, ssh = presence.entry, remote.ssh
    may_have_written = entry.state == "working"

    def begin() -> None:
        nonlocal may_have_written
        if remote.state().phase == "not_started":
            prepare(ssh)
            outgoing = had.outgoing or launch.outgoing(job)
            push(ssh, outgoing, WORK, presence.look_now_and_then)
            may_have_written = True
            remote.start(job.argv, folder=WORK, env=_variables(job))
            context.notify(f"started: {shlex.join(job.argv)}")

    try:
        presence.patiently(begin)
        if entry.state == "held":
            context.ledger.advance(entry.label, "working", context.now(), "it runs a job")
        _follow(launch, job, presence, remote, log)
        state = presence.patiently(remote.state)
        if state.exit_code is None:
            message = f"the command is {state.phase}"
            raise RemoteError(message)
    except (MachineLostError, MachineLeftError, ReleasedError, UnreachableError):
        raise
    except BaseException as error:
        if may_have_written:
            stop_and_save(launch, job, presence, remote, error)
        raise
    return state.exit_code


def _follow(
    launch: Launch, job: JobRecord, presence: Presence, remote: RemoteJob, log: JobLog
) -> None:
    """Hand on what the command prints; fetch checkpoints and look after the machine."""
    clock, look = launch.context.clock.monotonic, presence.look_now_and_then
    fetched = clock()

    def tick() -> None:
        nonlocal fetched
        look()
        if clock() - fetched >= _CHECKPOINT_S:
            try:
                fetch_one(launch.incoming, remote.ssh, job, job.checkpoints, look)
            except RemoteError as error:
                launch.context.notify(f"no checkpoints this time: {error}")
            fetched = clock()

    with closing(log):
        for piece in remote.follow(log.offset, log.skip):
            if piece:
                log.write(piece)
                launch.output(piece)
            tick()


def _variables(job: JobRecord) -> dict[str, str]:
    return {
        "ADVISOR_JOB": job.name,
        "ADVISOR_RESULTS": job.results,
        "ADVISOR_CHECKPOINTS": job.checkpoints,
    }


def log_of(context: RentalContext, name: str, label: str) -> JobLog:
    """Return the log of a job on one machine: what is in it was handed on already."""
    told = read_label(label)
    token = told.token if told else "log"
    return JobLog(job_folder(context.folder, name) / f"{token}.log", context.notify)
