"""What a job's machine has for its user comes back, or stays there for later."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from advisor.base.errors import RemoteError
from advisor.rental.incoming.copying import Incoming
from advisor.rental.jobs import JobRecord
from advisor.rental.machine import WORK
from advisor.rental.remote.ssh import Ssh

KEEP = '"$HOME/.advisor/keep"'
"""File on a machine, in the shell's words: what it has is the only copy, so that its
watchdog waits for no launcher; its end stays."""

_ASKING_S = 40.0


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


def keep_machine(ssh: Ssh) -> bool:
    """Have a machine stay until its end, whether it hears us or not.

    Returns
    -------
    whether that is so now
    """
    with suppress(RemoteError):
        ssh.ask(f"mkdir -p ~/.advisor && : >{KEEP}", "keeping the machine", _ASKING_S)
        return True
    return False


def let_machine_go(ssh: Ssh) -> None:
    """Have a machine wait for its launcher again, once nothing of it is the only copy."""
    with suppress(RemoteError):
        ssh.ask(f"rm -f {KEEP}", "letting the machine go", _ASKING_S)


def stays_until(*, stays: bool, ends_at: float, now: float, grace_s: float) -> str:
    """Return until when a machine stays whose launcher ends now, in words.

    Parameters
    ----------
    stays : whether it waits for no launcher, see `keep_machine`
    ends_at, now : seconds since 1970
    grace_s : seconds that it waits for a launcher
    """
    alone = now + grace_s
    if stays or alone >= ends_at:
        return f"its end at {moment(ends_at)}"
    return (
        f"{moment(alone)}, when it has heard no launcher for {grace_s / 60:.0f} minutes"
    )


def moment(unix_s: float) -> str:
    """Return a moment, seconds since 1970, for people."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
