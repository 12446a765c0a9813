"""A training is run unchanged, with the hooks, and its end awaited."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from advisor.base.errors import AdvisorError, UsageError
from advisor.measure.hooks import SITE
from advisor.measure.hooks.observation import (
    FOLDER,
    REDIRECT,
    SECONDS,
    STEPS,
    Observation,
)
from advisor.measure.observed import read_observations, trainer_of

HOOKED = (
    "steps of every optimizer of torch.optim and of what derives from it",
    "torch.utils.data.DataLoader and its workers: batches, waiting, CPU time, reads",
    "calls of the net, backward passes, torch.autocast, torch.amp.GradScaler",
    "operators of a few steps, counted as they are dispatched",
    "scaled_dot_product_attention, torch.utils.checkpoint, torch.compile",
    "torch.distributed, DistributedDataParallel, FSDP, DataParallel",
    "copies to the GPU, and calls that ask for CUDA where there is none",
)
"""What is hooked once the program imports PyTorch, for people."""

_PATH = "PYTHONPATH"
_SITE_FILE = "sitecustomize.py"

_LOOKS_S = 0.5
"""Between two looks at whether the program has ended."""

_PATIENCE_S = 60.0
"""What a program has to end by itself once it was stopped, until it is sent SIGTERM: it
may write a checkpoint."""

_DIES_S = 10.0
"""And from then until it is killed."""

_ENDS = tuple(
    one
    for one in (signal.SIGTERM, getattr(signal, "SIGHUP", None))  # Windows has no SIGHUP
    if one is not None
)

_WITHOUT_PATH, _WITHOUT_SITE = "EI", "SI"
"""Letters of Python's options that let it ignore ``PYTHONPATH``, or ``sitecustomize``."""

_LAST, _TAKES = "cm", "WX"
"""Letters of those that end the options, and of the others that take a value."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How a training is watched.

    Attributes
    ----------
    argv : its command
    steps, seconds : after which it is stopped, the seconds from its first batch on; None:
        it is not for that
    redirect_cuda : what asks for CUDA runs on the CPU where there is none
    patience_s : seconds that it has to end by itself once it was stopped
    """

    argv: tuple[str, ...]
    steps: int | None = None
    seconds: float | None = None
    redirect_cuda: bool = False
    patience_s: float = _PATIENCE_S

    def variables(self, outside: Mapping[str, str], folder: str) -> dict[str, str]:
        """Return the variables that the program gets besides its own.

        Parameters
        ----------
        outside : those of this process
        folder : where the hooks write
        """
        path = [str(SITE), *filter(None, [outside.get(_PATH)])]
        own = {_PATH: os.pathsep.join(path), FOLDER: folder}
        if self.steps is not None:
            own[STEPS] = str(self.steps)
        if self.seconds is not None:
            own[SECONDS] = f"{self.seconds:g}"
        if self.redirect_cuda:
            own[REDIRECT] = "1"
        return own


@dataclass(frozen=True, slots=True)
class Watched:
    """A training that was watched.

    Attributes
    ----------
    status : its exit status; below 0: the signal that ended it
    interrupted : the user ended it
    observations : of each of its processes that imported PyTorch
    """

    status: int
    interrupted: bool
    observations: tuple[Observation, ...]

    @property
    def was_stopped(self) -> bool:
        """Whether it ended because we had seen enough."""
        return any(one.ended.stopped_after for one in self.observations)

    @property
    def failed(self) -> bool:
        """Whether it ended badly by itself."""
        return self.status != 0 and not self.was_stopped and not self.interrupted


def check_command(argv: Sequence[str], path: str | None) -> None:
    """Refuse a command that cannot be watched, before anything is run.

    Parameters
    ----------
    path : folders of programs, as ``PATH`` has them; None: those of the system

    Raises
    ------
    advisor.base.errors.UsageError
        if there is no such program, or it is a Python that ignores the hooks
    """
    program = argv[0]
    if shutil.which(program, path=path) is None:
        message = f"there is no program {program}: give the command that trains after --"
        raise UsageError(message)
    if not Path(program).name.startswith("python"):
        return
    words = iter(argv[1:])
    for word in words:
        if not word.startswith("-") or word in {"-", "--"}:
            return
        letters, taking, value = _options(word)
        if any(one in letters for one in _WITHOUT_PATH + _WITHOUT_SITE):
            message = (
                f"{word} lets Python ignore the hooks, which come by PYTHONPATH and "
                "sitecustomize: leave it out"
            )
            raise UsageError(message)
        if taking and taking in _LAST:
            return
        if taking and not value:
            next(words, None)


def _options(word: str) -> tuple[str, str, str]:
    """Return a word's options, of those the one that takes a value, and the value."""
    if word.startswith("--"):
        return "", "", ""
    for at, letter in enumerate(word[1:], 1):
        if letter in _LAST + _TAKES:
            return word[1:at], letter, word[at + 1 :]
    return word[1:], "", ""


def chained(outside: Mapping[str, str]) -> list[Path]:
    """Return the ``sitecustomize`` of the user's ``PYTHONPATH`` that the hooks run."""
    folders = outside.get(_PATH, "").split(os.pathsep)
    files = (Path(folder) / _SITE_FILE for folder in folders if folder)
    return [path for path in files if path.is_file()][:1]


def run_watched(
    watch: Watch,
    folder: Path,
    outside: Mapping[str, str],
    *,
    stdout: int | None = None,
    notify: Callable[[str], object] = str,
) -> Watched:
    """Run a training with the hooks until it ends or is stopped.

    It has this process's streams. Ctrl-C in a terminal reaches it as ever; what is sent
    to this process alone is passed on.

    Parameters
    ----------
    folder : an empty one, for what the hooks write
    outside : variables of this process
    stdout : descriptor of where its output goes; None: where this process's goes
    notify : takes a line for people

    Raises
    ------
    advisor.base.errors.AdvisorError
        if it cannot be started, or what was seen of it cannot be read
    """
    variables = {**outside, **watch.variables(outside, str(folder))}
    try:
        process = subprocess.Popen(  # noqa: S603  (the user's own command)
            watch.argv, env=variables, stdout=stdout
        )
    except OSError as error:
        message = f"{watch.argv[0]} cannot be started: {error.strerror or error}"
        raise AdvisorError(message) from error
    with _passed_on(process) as interrupts:
        try:
            _await_end(process, folder, watch.patience_s, notify)
        finally:  # nothing of it stays behind, whatever comes
            if process.poll() is None:
                process.kill()
                process.wait()
    return Watched(process.returncode, bool(interrupts), read_observations(folder))


def _await_end(
    process: subprocess.Popen[bytes],
    folder: Path,
    patience_s: float,
    notify: Callable[[str], object],
) -> None:
    """Wait for the end of a program, and end it if it goes on after it was stopped.

    A shell or a launcher that is told to end may leave the program that trains behind:
    that is told so as well, and awaited.
    """
    patience = Patience(patience_s)
    others: frozenset[int] = frozenset()
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOKS_S)
            if not any(map(_is_of_our_group, others)):
                return
            time.sleep(_LOOKS_S)
        verdict = patience.verdict(time.monotonic(), lambda: _is_stopped(folder))
        if verdict == "terminate":
            notify("the training was stopped and goes on: it is sent SIGTERM")
            others = _stopped_beside(process.pid, folder)
            process.terminate()
            _send(others, signal.SIGTERM)
        elif verdict == "kill":
            notify("the training does not end: it is killed")
            process.kill()
            _send(others, signal.SIGKILL)
            process.wait()
            return


def _stopped_beside(pid: int, folder: Path) -> frozenset[int]:
    """Return processes that were stopped and go on, and their parents, beside one."""
    found: set[int] = set()
    for one in read_observations(folder):
        if one.ended.stopped_after is not None and one.ended.how == "running":
            found |= {one.process.pid, one.process.parent_pid}
    return frozenset(filter(_is_of_our_group, found - {pid, os.getpid()}))


def _is_of_our_group(pid: int) -> bool:
    """Say whether a process is there and has our group, as what we started has."""
    try:
        return pid > 1 and os.getpgid(pid) == os.getpgrp()
    except (AttributeError, OSError):  # Windows has no groups of this kind
        return False


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in filter(_is_of_our_group, pids):
        with suppress(OSError):
            os.kill(pid, number)


@dataclass(slots=True)
class Patience:
    """What is to be done with a program that was stopped and goes on.

    Attributes
    ----------
    seconds : that it has to end by itself
    """

    seconds: float
    _stopped_at: float | None = None
    _terminated: bool = False

    def verdict(
        self, now: float, is_stopped: Callable[[], bool]
    ) -> Literal["wait", "terminate", "kill"]:
        """Return what is to be done now.

        Parameters
        ----------
        now : by a clock that only goes forward, seconds
        is_stopped : says whether it was stopped; asked until it was
        """
        if self._stopped_at is None:
            if not is_stopped():
                return "wait"
            self._stopped_at = now
        waited = now - self._stopped_at
        if waited >= self.seconds + _DIES_S:
            return "kill"
        if waited >= self.seconds and not self._terminated:
            self._terminated = True
            return "terminate"
        return "wait"


def _is_stopped(folder: Path) -> bool:
    """Say whether the hooks have stopped the program that trains."""
    trainer = trainer_of(read_observations(folder))
    return trainer is not None and trainer.ended.stopped_after is not None


@contextmanager
def _passed_on(process: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Let signals end the program and not this process; yield those that came.

    Ctrl-C in the terminal goes to the program by itself: passed on once more, it would
    look like somebody who insists.
    """
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)
        if number != signal.SIGINT or not _in_foreground():
            with suppress(OSError):
                process.send_signal(number)

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before: dict[int, Any] = {}
    try:
        for one in (signal.SIGINT, *_ENDS):
            before[one] = signal.signal(one, note)
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_foreground() -> bool:
    """Say whether this process is one that the terminal sends Ctrl-C to."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except (AttributeError, OSError):  # none, or Windows, whose console tells all
        return os.name == "nt"
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
