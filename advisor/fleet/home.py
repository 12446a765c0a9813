"""What the jobs of one machine have written comes home, while the next ones run there.

A job's results come into a folder of their attempt first, and get their place at once
when all of them are here: what a machine that was lost has sent of them is never mixed
with those of the attempt that ended.
"""

from __future__ import annotations

import queue
import shlex
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from advisor.base.errors import (
    RemoteError,
    ResultsLeftError,
    UnreachableError,
)
from advisor.fleet.board import Attempt, Board
from advisor.fleet.printing import MOST_BYTES, Printer
from advisor.fleet.running import Hands
from advisor.rental.incoming.copying import Incoming
from advisor.rental.machine import WORK
from advisor.rental.remote.job import RemoteJob
from advisor.rental.remote.job_log import JobLog
from advisor.rental.remote.probe import symptom_of_end
from advisor.software.misfit import Symptom

CHECKPOINTS_S = 300.0
"""Seconds between two copies of what running jobs have saved, as for `advisor run`."""

_PAUSE_S = 5.0
_OVER = None


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that has ended on its machine.

    Attributes
    ----------
    attempt : of a job
    exit_code : of its command; None where nobody knows it, as after a restart
    took_s : seconds that it has had its slot; None: an earlier launcher began it
    """

    attempt: Attempt
    exit_code: int | None
    took_s: float | None = None


@dataclass(frozen=True, slots=True)
class CameHome:
    """What became of an attempt that has ended.

    Attributes
    ----------
    ended : the attempt
    state : of its job now: ``"done"``, ``"failed"``, or ``"waiting"`` for another start
    symptom : what shows that its machine could not run it, None if nothing does
    """

    ended: Ended
    state: str
    symptom: Symptom | None = None

    @property
    def reason(self) -> str:
        """Why it failed, for people; ``""``: its exit code and log are all there is."""
        if self.symptom is not None:
            return str(self.symptom)
        is_known = self.ended.exit_code is not None
        return "" if is_known else "nobody knows how it ended, as after a restart"


class Home:
    """Brings home what the jobs of one machine have written, in a thread of its own.

    Parameters
    ----------
    hands : what the machine has to do
    board : where each job is
    folder : here, in which each job's folders are
    logs : folder of their logs
    incoming : returns what takes the folders of one job
    printer : shows what attempts print
    came : told when all of an attempt is here
    """

    def __init__(  # noqa: PLR0917  (each is another thing)
        self,
        hands: Hands,
        board: Board,
        folder: Path,
        logs: Path,
        incoming: Callable[[], Incoming],
        printer: Printer,
        came: Callable[[CameHome], None],
    ) -> None:
        self._hands, self._board = hands, board
        self._folder, self._logs = folder, logs
        self._incoming, self._printer, self._came = incoming, printer, came
        self._waiting: queue.SimpleQueue[Ended | Sequence[Attempt] | None] = (
            queue.SimpleQueue()
        )
        self._left = 0
        self._idle = threading.Condition()
        self._error: BaseException | None = None
        self._gives_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="home", daemon=True)
        self._thread.start()

    @property
    def left(self) -> int:
        """How many attempts have ended and are not here."""
        return self._left

    def bring(self, ended: Ended) -> None:
        """Have what an attempt has written come home, and its job finished."""
        with self._idle:
            self._left += 1
        self._waiting.put(ended)

    def save(self, attempts: Sequence[Attempt]) -> None:
        """Have the checkpoints of attempts that run come home."""
        with self._idle:
            self._left += 1
        self._waiting.put(tuple(attempts))

    def check(self) -> None:
        """Raise what has kept something from coming home, if anything did.

        Raises
        ------
        ResultsLeftError
            if results cannot be written here: they stay on the machine
        UnreachableError, AdvisorError
            if the machine is lost or not ours any more
        """
        if self._error is not None:
            raise self._error

    def finish(self, look: Callable[[], None]) -> None:
        """Wait until all is home.

        Parameters
        ----------
        look : called once a second; raises if the machine is lost

        Raises
        ------
        AdvisorError
            as `check`, or of `look`
        """
        while self._error is None:
            with self._idle:
                if not self._left or self._idle.wait_for(lambda: not self._left, 1.0):
                    break
            look()
        self.check()

    def close(self) -> None:
        """Bring nothing more home."""
        self._gives_up.set()
        self._waiting.put(_OVER)
        self._thread.join()

    def _run(self) -> None:
        try:
            while (found := self._waiting.get()) is not _OVER:
                if self._gives_up.is_set():
                    return
                if isinstance(found, Ended):
                    self._patiently(found)
                elif found is not None:
                    self._save(found)
                with self._idle:
                    self._left -= 1
                    self._idle.notify_all()
        except BaseException as error:
            with self._idle:
                self._error = error
                self._idle.notify_all()

    def _patiently(self, ended: Ended) -> None:
        """Bring an attempt home, again and again where its machine is not reached.

        Who follows the machine finds out whether it is lost, and closes this.
        """
        clock = self._hands.member.fleet.context.clock
        while True:
            try:
                self._bring(ended)
            except (RemoteError, OSError) as error:
                if self._gives_up.is_set():
                    raise
                # rsync does not tell a machine that is away, as one that restarts.
                is_away = isinstance(error, UnreachableError)
                if not is_away and self._hands.member.ssh.answers():
                    message = (
                        f"{ended.attempt.job.name} has ended, but its results cannot be "
                        f"copied: {error}"
                    )
                    raise ResultsLeftError(message) from error
                self._notify(f"{ended.attempt.job.name}: {error}; trying again")
                clock.sleep(_PAUSE_S)
            else:
                return

    def _bring(self, ended: Ended) -> None:
        attempt, job = ended.attempt, ended.attempt.job
        log = self._log(attempt)
        symptom = self._symptom(ended, log)
        state = self._board.verdict(attempt, ended.exit_code, symptom)
        there = self._folders_there(job.results, job.checkpoints)
        incoming = self._incoming()
        if job.checkpoints in there:
            self._pull(incoming, job.checkpoints, self._folder / job.checkpoints)
        if state != "waiting" and job.results in there:
            self._results(incoming, attempt)
        came = CameHome(ended, state, symptom)
        self._board.finish(attempt, state, came.reason)
        self._came(came)

    def _symptom(self, ended: Ended, log: str) -> Symptom | None:
        """Return what shows that the machine could not run an attempt."""
        if ended.exit_code == 0:
            return None
        member = self._hands.member
        remote = RemoteJob(member.ssh, ended.attempt.key)
        return symptom_of_end(remote, member.entry.num_gpus, log)

    def _results(self, incoming: Incoming, attempt: Attempt) -> None:
        """Copy the results of an attempt, and put them in their place when all came."""
        place = self._folder / attempt.job.results
        coming = place.with_name(f".{place.name}.{attempt.number}.coming")
        self._pull(incoming, attempt.job.results, coming)
        put_in_place(coming, place)

    def _save(self, attempts: Sequence[Attempt]) -> None:
        """Copy what running jobs have saved; what cannot be is told, and no error."""
        for attempt in attempts:
            name = attempt.job.checkpoints
            try:
                if self._folders_there(name):
                    self._pull(self._incoming(), name, self._folder / name)
            except (RemoteError, OSError) as error:
                self._notify(f"{attempt.job.name}: no checkpoints this time: {error}")

    def _pull(self, incoming: Incoming, name: str, place: Path) -> None:
        ssh = self._hands.member.ssh
        incoming.pull(ssh, f"{WORK}/{name}", place, self._look)

    def _look(self) -> None:
        """End copying where nobody waits for it any more."""
        if self._gives_up.is_set():
            message = "copying was given up"
            raise UnreachableError(message)

    def _folders_there(self, *names: str) -> frozenset[str]:
        """Return which folders of a job the machine has."""
        lines = "".join(
            f"[ -d {shlex.quote(f'{WORK}/{name}')} ] && echo {number}\n"
            for number, name in enumerate(names)
        )
        said = self._hands.member.ssh.ask(f"{lines}true", "looking for its folders")
        return frozenset(
            name for number, name in enumerate(names) if str(number) in said.split()
        )

    def _log(self, attempt: Attempt) -> str:
        """Copy what an attempt has printed; return the end of it."""
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = JobLog(self._logs / f"{attempt.key}.log", self._notify)
        last = b""
        with closing(log):
            for piece in self._hands.held(attempt).follow(log.offset, log.skip):
                log.write(piece)
                last = (last + piece)[-MOST_BYTES:]
                self._look()
        self._printer.hear(attempt, log.offset - len(last), last)
        self._printer.end(attempt)
        return log.end()

    def _notify(self, line: str) -> None:
        self._hands.member.fleet.rental.notify(line)


def put_in_place(coming: Path, place: Path) -> None:
    """Make what has come the folder of a job, and drop what others have sent for it.

    Parameters
    ----------
    coming : folder beside `place`
    """
    before = place.with_name(f".{place.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    if place.is_dir():  # of this attempt: a launcher was killed right after this
        place.rename(before)
    coming.rename(place)
    shutil.rmtree(before, ignore_errors=True)
    for other in place.parent.glob(f".{_escaped(place.name)}.*.coming"):
        shutil.rmtree(other, ignore_errors=True)


def _escaped(name: str) -> str:
    """Return a name as a pattern of `Path.glob` that is that name alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
