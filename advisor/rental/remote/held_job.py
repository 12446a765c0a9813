"""A command on a rented machine that runs once at a time, and only while we are heard.

A job may be started more than once, on this machine or on another one: each start is an
*attempt*. No two may live at once, whatever breaks, so an attempt is held by two things:

- a **lock** on the machine, which all attempts of a job share and all that an attempt
  starts inherits: none begins while anything of an earlier one lives there;
- a **lease**: the machine ends the attempt itself when no launcher has been heard for so
  long (`advisor.rental.remote.beats.beat`), and begins none that was asked for longer ago
  than that. It is counted by the machine's uptime; no clock is believed.

When a command has ended, what it left behind is ended too, and only then its end is told.
What has cleared its variables, closed its files and left its session, all three, cannot
be seen. A machine that its host stops in time, as a virtual one can be, and lets go on
later than the launcher waits for it, runs on until it notices.

Beside the files of `advisor.rental.remote.job`, ``~/.advisor/jobs/NAME`` holds:

========== ======================================================================
warden     the script that counts how long no launcher was heard
heard      when one was heard last: uptime (s), and the time of the heartbeat then
child      the session of the command: boot, process id, when that began. All that is
           started inherits it, open
lapsed     there once the warden has begun to end it, ``unlapsed`` until then
refused    why it did not begin
========== ======================================================================

``~/.advisor/locks/LOCK`` is the lock; in it is the ``child`` of who had it last.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from advisor.base.errors import RemoteError, UsageError
from advisor.rental.labels import check_job
from advisor.rental.remote import held_scripts as scripts
from advisor.rental.remote.channel import last_line
from advisor.rental.remote.job import MOST_LOG_BYTES, RemoteJob, command_script
from advisor.rental.remote.job_scripts import FOLDER
from advisor.rental.remote.ssh import Ssh

HeldPhase = Literal["not_started", "running", "ended", "lapsed", "orphaned", "lost"]

LAPSE_MARGIN_S = 300.0
"""Seconds beyond its lease after which an attempt on a machine that cannot be reached has
surely been ended there: a look (5 s), being asked and being killed (20 s), and a sign of
life that was under way when it was given up (two minutes of TCP, tcp(7),
``tcp_orphan_retries``); the rest is an assumption."""

_PHASES: Mapping[str, HeldPhase] = {
    "running": "running",
    "lapsed": "lapsed",
    "orphaned": "orphaned",
    "lost": "lost",
}
_LONGEST_LOOK_S = 5.0
_SHORTEST_LOOK_S = 0.2
_LOOKS_A_LEASE = 8.0
_STOP_TIMEOUT_S = 60.0
_CODE = re.compile(r"[0-9]{1,3}")
_MOMENT = re.compile(r"([0-9a-f-]{1,64}) ([0-9]{1,12}) (/[^\n\0]{0,4095})\n")


@dataclass(frozen=True, slots=True)
class HeldState:
    """Where an attempt stands.

    Attributes
    ----------
    phase : *lapsed*: the machine ended it for want of a launcher; *orphaned*: nobody will
        know how it ends, but something of it lives; *lost*: nobody will know, and nothing
        of it lives
    exit_code : once it has ended
    reason : why it has not begun, as the machine says
    """

    phase: HeldPhase
    exit_code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TaskScripts:
    """The texts by which a machine starts an attempt and asks for it by itself.

    For a POSIX shell, whatever its variables are.

    Attributes
    ----------
    start : starts it unless it was started or stopped before; fails where it may not
        begin, and once it is older than the lease
    state : prints where it stands
    """

    start: str
    state: str


@dataclass(frozen=True, slots=True)
class HeldJob:
    """One attempt at a job on one machine.

    Attributes
    ----------
    ssh : the way to the machine
    name : of the attempt; no other one has it, see `advisor.rental.remote.job`
    lock : of the job: its attempts share it
    lease_s : seconds without a launcher after which the machine ends it
    most_log_bytes : that its log may have there
    """

    ssh: Ssh
    name: str
    lock: str
    lease_s: float
    most_log_bytes: int = MOST_LOG_BYTES

    def __post_init__(self) -> None:
        check_job(self.name)
        check_job(self.lock)
        if not 1.0 <= self.lease_s < math.inf:
            message = f"a lease of {self.lease_s:g} s is none: give it a second or more"
            raise UsageError(message)

    def start(
        self, argv: Sequence[str], *, folder: str, env: Mapping[str, str] | None = None
    ) -> None:
        """Start it; if it was started or stopped before, nothing happens.

        Parameters
        ----------
        argv, folder, env : as `advisor.rental.remote.job.RemoteJob.start` has them

        Raises
        ------
        UsageError
            if no process can have such arguments or variables
        RemoteError
            if the machine cannot be reached, or an earlier attempt lives there
        """
        texts = self.task_scripts(argv, folder=folder, env=env)
        self.ssh.ask(texts.start, "starting the command")

    def task_scripts(
        self, argv: Sequence[str], *, folder: str, env: Mapping[str, str] | None = None
    ) -> TaskScripts:
        """Return the texts that start it and ask for it, to be run on the machine.

        They begin nothing later than a lease from now, however late they are run: who
        counts a lease from this call counts it for them, too.

        Raises
        ------
        UsageError, RemoteError
            as `start`
        """
        command = command_script(argv, folder, env or {})
        output = self.ssh.ask(scripts.MOMENT, "asking how long the machine is up")
        moment = _MOMENT.fullmatch(output)
        if moment is None:
            message = "the machine does not say how long it is up"
            raise RemoteError(message)
        lease = math.ceil(self.lease_s)
        every = self.lease_s / _LOOKS_A_LEASE
        every = max(min(every, _LONGEST_LOOK_S), _SHORTEST_LOOK_S)
        asked = f"asked_boot={moment[1]}\nasked={moment[2]}\n"
        keeper = scripts.KEEPER.replace("@MOST@", str(self.most_log_bytes))
        keeper = f"{self._names()}lease={lease}\n{asked}{keeper}"
        warden = f"{self._names()}lease={lease}\nevery={every:.3f}\n{scripts.WARDEN}"
        texts = {"command": scripts.ENTER + command, "keeper": keeper, "warden": warden}
        said = "".join(f"{name}={shlex.quote(text)}\n" for name, text in texts.items())
        names = f"export HOME={shlex.quote(moment[3])}\n{self._names()}"
        return TaskScripts(names + said + scripts.START, names + scripts.STATE)

    def state(self) -> HeldState:
        """Return where it stands.

        Raises
        ------
        RemoteError
            if the machine cannot be reached, or says what makes no sense
        """
        what = "asking how the command does"
        output = self.ssh.ask(self._names() + scripts.STATE, what)
        match output.split():
            case [phase] if phase in _PHASES:
                return HeldState(_PHASES[phase])
            case ["ended", code] if _CODE.fullmatch(code):
                return HeldState("ended", int(code))
            case ["not_started", *why]:
                return HeldState("not_started", reason=last_line(" ".join(why).encode()))
        message = f"the machine does not say how the command {self.name} does"
        raise RemoteError(message)

    def follow(
        self, offset: int = 0, skipped: Callable[[int], None] = lambda _: None
    ) -> Iterator[bytes]:
        """Yield what it prints, as `advisor.rental.remote.job.RemoteJob.follow` does.

        Raises
        ------
        RemoteError
            as there
        """
        return self._log().follow(offset, skipped)

    def printed(self, offset: int, most_bytes: int) -> tuple[int, bytes]:
        """Return what it has printed, as `advisor.rental.remote.job.RemoteJob.printed`.

        Raises
        ------
        RemoteError
            as there
        """
        return self._log().printed(offset, most_bytes)

    def memory_kills(self) -> int | None:
        """Return how many processes were killed for want of memory since the start.

        None where the machine does not count them.

        Raises
        ------
        RemoteError
            if the machine cannot be reached
        """
        return self._log().memory_kills()

    def stop(self) -> None:
        """End it and all that it started, for good: it is never started after this.

        When this returns, nothing of it lives.

        Raises
        ------
        RemoteError
            if the machine cannot be reached, or some of it cannot be killed
        """
        self.ssh.ask(self._names() + scripts.STOP, "ending the command", _STOP_TIMEOUT_S)

    def _log(self) -> RemoteJob:
        return RemoteJob(self.ssh, self.name, self.most_log_bytes)

    def _names(self) -> str:
        return FOLDER.format(name=self.name) + scripts.LOCK.format(lock=self.lock)
