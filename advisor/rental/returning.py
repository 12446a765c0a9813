"""What a job's machine has for its user comes back, or stays there for later."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

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
from advisor.rental.incoming.copying import Incoming
from advisor.rental.jobs import JobRecord
from advisor.rental.launch import Launch
from advisor.rental.machine import WORK
from advisor.rental.presence import Presence
from advisor.rental.remote.job import RemoteJob
from advisor.rental.remote.ssh import Ssh

KEEP = '"$HOME/.advisor/keep"'
"""File on a machine, in the shell's words: what it has is the only copy, so that its
watchdog waits for no launcher; its end stays."""

_ASKING_S = 40.0


def bring_back(launch: Launch, job: JobRecord, presence: Presence, ssh: Ssh) -> None:
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
        presence.patiently(lambda: _fetch(launch, job, presence, ssh))
    except (OverBudgetError, MachineLeftError, ReleasedError):
        raise
    except KeyboardInterrupt as error:
        raise _interrupted(launch, presence, ssh) from error
    except (AdvisorError, OSError) as error:
        why = f"the command has ended, but its results cannot be copied: {error}"
        raise _left(launch, presence, ssh, why, _mend(launch)) from error
    let_go(ssh)


def stop_and_save(
    launch: Launch,
    job: JobRecord,
    presence: Presence,
    remote: RemoteJob,
    because: BaseException,
) -> None:
    """End the command and copy back what there is.

    Where the machine is gone or broken itself, what cannot be copied is told, and lost.

    Parameters
    ----------
    because : why the launcher ends it

    Raises
    ------
    ResultsLeftError
        if it cannot be copied although the machine answers, or is interrupted (again):
        it stays there
    LeaseLostError, ReleasedError
        if the machine is another launcher's by now, or of none: its command is not ended
    """
    notify = launch.context.notify
    presence.renew()
    try:
        try:
            remote.stop()
        except RemoteError as error:
            notify(f"the command could not be ended: {error}")
        _fetch(launch, job, presence, remote.ssh)
    except KeyboardInterrupt as error:
        raise _interrupted(launch, presence, remote.ssh) from error
    except (MachineLeftError, ReleasedError):
        raise
    except (AdvisorError, OSError) as error:
        why = f"what the command wrote could not be copied back: {error}"
        is_lost = isinstance(error, UnreachableError | OverBudgetError)
        if is_lost or isinstance(because, RemoteError | OverBudgetError):
            notify(why)
            return
        raise _left(launch, presence, remote.ssh, why, _mend(launch)) from error


def _fetch(launch: Launch, job: JobRecord, presence: Presence, ssh: Ssh) -> None:
    """Copy back what there is, until the machine must be gone.

    Raises
    ------
    OverBudgetError
        if that comes first: a machine may send without end
    RemoteError
        if it cannot be copied
    """

    def in_time() -> None:
        if launch.context.is_over(presence.entry.ends_at):
            message = "the machine's lifetime is over before its results are here"
            raise OverBudgetError(message)
        presence.renew()

    fetch(launch.incoming, ssh, job, in_time)


def _mend(launch: Launch) -> str:
    return f"mend it and '{launch.resuming}'"


def _interrupted(launch: Launch, presence: Presence, ssh: Ssh) -> ResultsLeftError:
    why = "interrupted before the command's results were here"
    ends = f"'advisor release {presence.entry.instance_id}' gives them up"
    return _left(launch, presence, ssh, why, f"'{launch.resuming}' goes on, {ends}")


def _left(
    launch: Launch, presence: Presence, ssh: Ssh, why: str, advice: str
) -> ResultsLeftError:
    """Have a machine stay with its results; return the error that says so."""
    context, entry = launch.context, presence.entry
    with shielded(f"having instance {entry.instance_id} keep its results"):
        kept = keep(ssh)
    stays = until_when(
        kept=kept, ends_at=entry.ends_at, now=context.now(), grace_s=launch.grace_s
    )
    return ResultsLeftError(
        f"{why}; they stay on instance {entry.instance_id}, which bills, until {stays}: "
        f"{advice}"
    )


def fetch(
    incoming: Incoming,
    ssh: Ssh,
    job: JobRecord,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Copy back the folders of a job, as far as the machine has them.

    Raises
    ------
    advisor.base.errors.AdvisorError
        if that cannot be done, see `Incoming.pull`
    """
    for name in dict.fromkeys((job.checkpoints, job.results)):
        fetch_one(incoming, ssh, job, name, meanwhile)


def fetch_one(
    incoming: Incoming,
    ssh: Ssh,
    job: JobRecord,
    name: str,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Copy a folder of a job back, if the machine has it; as `fetch`."""
    place = shlex.quote(f"{WORK}/{name}")
    look = f"if [ -d {place} ]; then echo yes; else echo no; fi"
    if ssh.ask(look, f"looking for {name}").strip() == "yes":
        incoming.pull(ssh, f"{WORK}/{name}", Path(job.folder) / name, meanwhile)


def keep(ssh: Ssh) -> bool:
    """Have a machine stay until its end, whether it hears us or not.

    Returns
    -------
    whether that is so now
    """
    with suppress(RemoteError):
        ssh.ask(f"mkdir -p ~/.advisor && : >{KEEP}", "keeping the machine", _ASKING_S)
        return True
    return False


def let_go(ssh: Ssh) -> None:
    """Have a machine wait for its launcher again, once nothing of it is the only copy."""
    with suppress(RemoteError):
        ssh.ask(f"rm -f {KEEP}", "letting the machine go", _ASKING_S)


def until_when(*, kept: bool, ends_at: float, now: float, grace_s: float) -> str:
    """Return until when a machine stays whose launcher ends now, in words.

    Parameters
    ----------
    kept : whether it waits for no launcher, see `keep`
    ends_at, now : seconds since 1970
    grace_s : seconds that it waits for a launcher
    """
    alone = now + grace_s
    if kept or alone >= ends_at:
        return f"its end at {moment(ends_at)}"
    return (
        f"{moment(alone)}, when it has heard no launcher for {grace_s / 60:.0f} minutes"
    )


def moment(unix_s: float) -> str:
    """Return a moment, seconds since 1970, for people."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
