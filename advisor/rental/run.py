"""A job's command on one machine: started, followed to its end, its results brought back.

The machine hears from its launcher all the while; if it does not for long, it ends itself
(see `watchdog`).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from advisor.base.errors import (
    AdvisorError,
    MachineLeftError,
    OverBudgetError,
    ReleasedError,
    RemoteError,
    ResultsLeftError,
    UnreachableError,
)
from advisor.base.interrupts import shielded
from advisor.market.lifecycle import Instance
from advisor.rental.context import RentalContext
from advisor.rental.jobs import JobRecord, job_folder, save_job
from advisor.rental.labels import read_label
from advisor.rental.launch import Launch
from advisor.rental.machine import WORK, heartbeats
from advisor.rental.outgoing.decide import Outgoing
from advisor.rental.presence import MachineLostError, Presence
from advisor.rental.remote.job import RemoteJob
from advisor.rental.remote.job_log import JobLog
from advisor.rental.remote.probe import symptom_of_end
from advisor.rental.remote.sync import prepare, push
from advisor.rental.returning import (
    fetch,
    fetch_one,
    keep_machine,
    let_machine_go,
    stays_until,
)
from advisor.software.misfit import Symptom

_CHECKPOINT_S = 300.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How the command ended.

    Attributes
    ----------
    log : file here of all that it printed on its last machine
    job : with what was predicted of that machine, and the command's exit code
    symptom : what shows that the machine could not run it, None if nothing does
    measured : what was measured of its last machine, as JSON has it; None: nothing was
    """

    log: Path
    job: JobRecord
    symptom: Symptom | None = None
    measured: Mapping[str, Any] | None = None


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


@dataclass(slots=True)
class Run:
    """One run of a job's command, on one machine.

    Attributes
    ----------
    launch : what carrying out the job needs
    job : with what was predicted of the machine
    presence : looks at the machine
    remote : the command there
    log : of what it prints, here
    outgoing : what goes to the machine; None: that is decided when it is sent
    measured : what was measured of the machine, as JSON has it; None: nothing was
    """

    launch: Launch
    job: JobRecord
    presence: Presence
    remote: RemoteJob
    log: JobLog
    outgoing: Outgoing | None = None
    measured: Mapping[str, Any] | None = None
    _may_have_written: bool = field(init=False)

    def __post_init__(self) -> None:
        """Take what an earlier launcher has begun to have written something."""
        self._may_have_written = self.presence.entry.state == "working"

    @classmethod
    def on(
        cls,
        launch: Launch,
        job: JobRecord,
        presence: Presence,
        instance: Instance,
        outgoing: Outgoing | None = None,
        *,
        measured: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return the run of a job on an instance.

        Raises
        ------
        RemoteError
            if the market's address of it is none
        """
        presence.ssh = launch.ssh_to(instance)
        remote = RemoteJob(presence.ssh, job.name)
        log = _log_of(launch.context, job.name, presence.entry.label)
        return cls(launch, job, presence, remote, log, outgoing, measured)

    def to_its_end(self) -> Ended:
        """Run the command to its end; return how that was.

        Raises
        ------
        MisfitError
            if the machine could not run it
        MachineLostError
            if the machine is of no more use: another one is to be rented
        AdvisorError
            if the command is not to be run any more
        """
        context, entry = self.launch.context, self.presence.entry
        symptom = None
        try:
            with heartbeats(self.remote.ssh, context.notify, self.launch.grace_s):
                exit_code = self._followed()
                self._bring_back()
                self.job = replace(self.job, exit_code=exit_code)
                save_job(context.folder, self.job)
                if exit_code != 0:
                    symptom = symptom_of_end(self.remote, entry.num_gpus, self.log.end())
        except MachineLeftError:
            raise
        except RemoteError as error:
            raise MachineLostError(str(error)) from error
        ended = Ended(self.log.path, self.job, symptom, self.measured)
        if symptom is not None:
            raise MisfitError(symptom, ended)
        return ended

    def _followed(self) -> int:
        """Start the command where it was not, and follow it; return its exit code.

        Whatever ends this early, the command is ended and what it has written comes back,
        unless the machine is lost or not ours any more.
        """
        context, entry = self.launch.context, self.presence.entry
        try:
            self.presence.patiently(self._begin)
            if entry.state == "held":
                reason = "it runs a job"
                context.ledger.advance(entry.label, "working", context.now(), reason)
            self._follow()
            state = self.presence.patiently(self.remote.state)
            if state.exit_code is None:
                message = f"the command is {state.phase}"
                raise RemoteError(message)
        except (MachineLostError, MachineLeftError, ReleasedError, UnreachableError):
            raise
        except BaseException as error:
            if self._may_have_written:
                self._stop_and_save(error)
            raise
        return state.exit_code

    def _begin(self) -> None:
        """Send what the command needs and start it, if it was not started."""
        if self.remote.state().phase != "not_started":
            return
        ssh, progress = self.remote.ssh, self.launch.context.progress
        prepare(ssh, progress)
        outgoing = self.outgoing or self.launch.outgoing(self.job)
        push(ssh, outgoing, WORK, self.presence.look_now_and_then, progress)
        self._may_have_written = True
        self.remote.start(self.job.argv, folder=WORK, env=_variables(self.job))
        self.launch.context.notify(f"started: {shlex.join(self.job.argv)}")

    def _follow(self) -> None:
        """Hand on what the command prints; fetch checkpoints, look after the machine."""
        clock, look = (
            self.launch.context.clock.monotonic,
            self.presence.look_now_and_then,
        )
        fetched = clock()
        with closing(self.log):
            for piece in self.remote.follow(self.log.offset, self.log.skip):
                if piece:
                    self.log.write(piece)
                    self.launch.output(piece)
                look()
                if clock() - fetched >= _CHECKPOINT_S:
                    self._fetch_checkpoints()
                    fetched = clock()

    def _fetch_checkpoints(self) -> None:
        """Copy back what the command has saved; what cannot be is told, and no error."""
        launch, job, look = self.launch, self.job, self.presence.look_now_and_then
        try:
            fetch_one(launch.incoming, self.remote.ssh, job, job.checkpoints, look)
        except RemoteError as error:
            launch.context.notify(f"no checkpoints this time: {error}")

    def _bring_back(self) -> None:
        """Copy back the results of a command that has ended.

        Raises
        ------
        ResultsLeftError
            if that fails or is interrupted: they stay on the machine
        OverBudgetError
            if the machine's end comes first
        UnreachableError, advisor.rental.presence.MachineLostError, AdvisorError
            if the machine is lost or not ours any more
        """
        try:
            self.presence.patiently(self._fetch)
        except (OverBudgetError, MachineLeftError, ReleasedError):
            raise
        except KeyboardInterrupt as error:
            raise self._interrupted() from error
        except (AdvisorError, OSError) as error:
            why = f"the command has ended, but its results cannot be copied: {error}"
            raise self._left(why, self._mend) from error
        let_machine_go(self.remote.ssh)

    def _stop_and_save(self, because: BaseException) -> None:
        """End the command and copy back what there is.

        Where the machine is gone or broken itself, what cannot be copied is told, and
        lost.

        Parameters
        ----------
        because : why the launcher ends it

        Raises
        ------
        ResultsLeftError
            if it cannot be copied although the machine answers, or is interrupted
            (again): it stays there
        LeaseLostError, ReleasedError
            if the machine is another launcher's by now, or of none: its command is not
            ended
        """
        notify = self.launch.context.notify
        self.presence.renew()
        try:
            try:
                self.remote.stop()
            except RemoteError as error:
                notify(f"the command could not be ended: {error}")
            self._fetch()
        except KeyboardInterrupt as error:
            raise self._interrupted() from error
        except (MachineLeftError, ReleasedError):
            raise
        except (AdvisorError, OSError) as error:
            why = f"what the command wrote could not be copied back: {error}"
            is_lost = isinstance(error, UnreachableError | OverBudgetError)
            if is_lost or isinstance(because, RemoteError | OverBudgetError):
                notify(why)
                return
            raise self._left(why, self._mend) from error

    def _fetch(self) -> None:
        """Copy back what there is, until the machine must be gone.

        Raises
        ------
        OverBudgetError
            if that comes first: a machine may send without end
        RemoteError
            if it cannot be copied
        """

        def in_time() -> None:
            if self.launch.context.is_over(self.presence.entry.ends_at):
                message = "the machine's lifetime is over before its results are here"
                raise OverBudgetError(message)
            self.presence.renew()

        fetch(self.launch.incoming, self.remote.ssh, self.job, in_time)

    @property
    def _mend(self) -> str:
        return f"mend it and '{self.launch.resuming}'"

    def _interrupted(self) -> ResultsLeftError:
        why = "interrupted before the command's results were here"
        ends = f"'advisor release {self.presence.entry.instance_id}' gives them up"
        return self._left(why, f"'{self.launch.resuming}' goes on, {ends}")

    def _left(self, why: str, advice: str) -> ResultsLeftError:
        """Have the machine stay with its results; return the error that says so."""
        context, entry = self.launch.context, self.presence.entry
        with shielded(f"having instance {entry.instance_id} keep its results"):
            stays = keep_machine(self.remote.ssh)
        moment = stays_until(
            stays=stays,
            ends_at=entry.ends_at,
            now=context.now(),
            grace_s=self.launch.grace_s,
        )
        return ResultsLeftError(
            f"{why}; they stay on instance {entry.instance_id}, which bills, until "
            f"{moment}: {advice}"
        )


def _variables(job: JobRecord) -> dict[str, str]:
    return {
        "ADVISOR_JOB": job.name,
        "ADVISOR_RESULTS": job.results,
        "ADVISOR_CHECKPOINTS": job.checkpoints,
    }


def _log_of(context: RentalContext, name: str, label: str) -> JobLog:
    """Return the log of a job on one machine: what is in it was handed on already."""
    read = read_label(label)
    token = read.token if read else "log"
    return JobLog(job_folder(context.folder, name) / f"{token}.log", context.notify)
