"""A command on a rented machine that lives on when the connection, or we, are gone.

Everything about it is in a folder on the machine, ``~/.advisor/jobs/NAME``:

========== ======================================================================
keeper     the script that runs the command and notes how it ends
command    the command, its variables and its folder, as a shell script
kills      processes that were killed for want of memory before it began
owner      who runs it: boot of the machine, process id, when that began. Made as a
           hard link, so that of two who start the same command one does
log        what the command prints; when that is much, the first of it is dropped
gone       bytes of it that were dropped: what was printed is counted on; and how many of
           these the file begins after, where no hole could be made in it
exit       its exit code, once it has ended
========== ======================================================================
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from advisor.base.errors import RemoteError, UnreachableError, UsageError
from advisor.base.units import BYTES_PER_GIB
from advisor.rental.labels import JOB_NAME
from advisor.rental.remote import job_scripts as scripts
from advisor.rental.remote.ssh import Ssh

Phase = Literal["not_started", "running", "ended", "lost"]

_PHASES: Mapping[str, Phase] = {
    "not_started": "not_started",
    "running": "running",
    "lost": "lost",
}

LONGEST_SILENCE_S = 300.0
"""Seconds without a connection after which `RemoteJob.follow` gives up."""

MOST_LOG_BYTES = BYTES_PER_GIB
"""Of a log on the machine, or a quarter of what is free there; an assumption."""

_LOOK_EVERY_S = 0.3
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 5.0
_STOP_AFTER_S = 10
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COUNT = re.compile(r"[0-9]{1,9}")
_BYTES = re.compile(r"[0-9]{1,18}")
_OFFSET = re.compile(rb"[0-9]{1,18}")
_CODE = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class JobState:
    """Where a command stands.

    Attributes
    ----------
    phase : *lost*: it is gone and nobody knows how it ended, as after a restart
    exit_code : once it has ended
    """

    phase: Phase
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """One command on one machine.

    Attributes
    ----------
    ssh : the way to the machine
    name : letters, digits, ``.``, ``_``, ``-``; a machine runs one command of a name,
        once
    most_log_bytes : that its log may have there
    """

    ssh: Ssh
    name: str
    most_log_bytes: int = MOST_LOG_BYTES

    def __post_init__(self) -> None:
        if not JOB_NAME.fullmatch(self.name):
            message = (
                f"{self.name[:40]!r} cannot name a command on a machine: use letters, "
                "digits, '.', '_' and '-'"
            )
            raise UsageError(message)

    def start(
        self, argv: Sequence[str], *, folder: str, env: Mapping[str, str] | None = None
    ) -> None:
        """Start the command; if it was started before, nothing happens.

        Parameters
        ----------
        argv : program and arguments, handed over as they are
        folder : where it runs, relative to the home folder; it is made
        env : variables that it gets, beside the container's own

        Raises
        ------
        UsageError
            if no process can have such arguments or variables
        RemoteError
            if the machine cannot be reached or cannot start it
        """
        command = command_script(argv, folder, env or {})
        keeper = scripts.KEEPER.replace("@MOST@", str(self.most_log_bytes))
        start = scripts.START.format(
            command=shlex.quote(command), keeper=shlex.quote(keeper)
        )
        self.ssh.ask(self._folder() + scripts.KILLS + start, "starting the command")

    def state(self) -> JobState:
        """Return where the command stands.

        Raises
        ------
        RemoteError
            if the machine cannot be reached, or says what makes no sense
        """
        output = self.ssh.ask(
            self._folder() + scripts.STATE, "asking how the command does"
        )
        match output.split():
            case [phase] if phase in _PHASES:
                return JobState(_PHASES[phase])
            case ["ended", code] if _CODE.fullmatch(code):
                return JobState("ended", int(code))
        message = f"the machine does not say how the command {self.name} does"
        raise RemoteError(message)

    def follow(
        self, offset: int = 0, skipped: Callable[[int], None] = lambda _: None
    ) -> Iterator[bytes]:
        """Yield what the command prints, as it comes, until it has ended or is lost.

        Where the connection breaks it is made again, and goes on at the byte where it
        broke off. When nothing is printed or nothing heard, ``b""`` is yielded every few
        seconds. Nothing is yielded of a command that was not started.

        Parameters
        ----------
        offset : bytes of what was printed that are known already
        skipped : told how many bytes are left out before what is yielded next, where the
            machine has dropped them

        Raises
        ------
        UnreachableError
            if there is no connection for `LONGEST_SILENCE_S`
        RemoteError
            if the log cannot be read
        """
        clock = self.ssh.clock
        begun, pause = clock.monotonic(), _FIRST_PAUSE_S
        while True:
            try:
                for piece in self.ssh.stream(self._follow_script(offset)):
                    offset += len(piece)
                    yield piece
                    if piece:
                        pause = _FIRST_PAUSE_S
                dropped = self._dropped()
            except UnreachableError:
                heard_at = max(begun, self.ssh.heard_at)
                if clock.monotonic() - heard_at > LONGEST_SILENCE_S:
                    raise
                yield b""
                clock.sleep(pause)
                pause = min(2.0 * pause, _LONGEST_PAUSE_S)
            else:
                if dropped <= offset:
                    return
                skipped(dropped - offset)
                offset = dropped
                yield b""

    def printed(self, offset: int, most_bytes: int) -> tuple[int, bytes]:
        """Return the last of what the command has printed, without waiting.

        Parameters
        ----------
        offset : bytes of what was printed that are known already
        most_bytes : that are returned

        Returns
        -------
        offset of what is returned, later than the one asked for where there is more than
        that, or the machine has dropped it; and what was printed

        Raises
        ------
        RemoteError
            if the machine cannot be reached, or says what makes no sense
        """
        script = scripts.PRINTED.replace("@AT@", str(offset))
        done = self.ssh.run(self._folder() + script.replace("@MOST@", str(most_bytes)))
        first, found, rest = done.stdout.partition(b"\n")
        at = int(first) if found and _OFFSET.fullmatch(first) else -1
        if at < offset:
            message = f"the machine does not say what the command {self.name} printed"
            raise RemoteError(message)
        return at, rest[:most_bytes]

    def _dropped(self) -> int:
        """Return how many of the first bytes of what was printed are gone.

        Raises
        ------
        RemoteError
            if the machine cannot be reached
        """
        output = self.ssh.ask(
            self._folder() + scripts.DROPPED, "asking what the log begins with"
        )
        return int(output) if _BYTES.fullmatch(output.strip()) else 0

    def memory_kills(self) -> int | None:
        """Return how many processes were killed for want of memory since the start.

        None where the machine does not count them.

        Raises
        ------
        RemoteError
            if the machine cannot be reached
        """
        output = self.ssh.ask(
            self._folder() + scripts.KILLED, "asking who was killed"
        ).strip()
        return int(output) if _COUNT.fullmatch(output) else None

    def stop(self) -> None:
        """End the command and all that it started: asked first, killed after that.

        Raises
        ------
        RemoteError
            if the machine cannot be reached
        """
        script = scripts.STOP.replace("@TRIES@", str(5 * _STOP_AFTER_S))
        self.ssh.ask(self._folder() + script, "ending the command")

    def _follow_script(self, offset: int) -> str:
        script = scripts.FOLLOW.replace("@AT@", str(offset))
        return self._folder() + script.replace("@EVERY@", str(_LOOK_EVERY_S))

    def _folder(self) -> str:
        return scripts.FOLDER.format(name=self.name)


def command_script(argv: Sequence[str], folder: str, env: Mapping[str, str]) -> str:
    """Return the shell script that becomes a command.

    Raises
    ------
    UsageError
        if no process can have such arguments or variables
    """
    if not argv or not argv[0]:
        message = "there is no command to run"
        raise UsageError(message)
    for name in env:
        if not _VARIABLE.fullmatch(name) or name.startswith("_ADVISOR"):
            message = f"{name!r} cannot name an environment variable"
            raise UsageError(message)
    if any("\0" in text for text in (*argv, folder, *env.values())):
        message = "a command, its folder and its variables cannot hold a NUL character"
        raise UsageError(message)
    exports = "".join(f"export {name}={shlex.quote(env[name])}\n" for name in env)
    return scripts.COMMAND.format(
        exports=exports, folder=shlex.quote(folder), words=shlex.join(argv)
    )
