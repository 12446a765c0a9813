"""The machine that we run on, measured by the bench program."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from advisor.app.context import Context
from advisor.base.errors import AdvisorError, Given, UsageError
from advisor.base.interrupts import deferred, window
from advisor.base.units import BYTES_PER_GB
from advisor.measure.bench import BenchResult, parse_bench
from advisor.measure.probe.addresses import is_web
from advisor.measure.program import command_words, program

Mode = Literal["quick", "full"]

_INTERRUPTED = 130
_CLEARS_UP_S = 15.0
"""Seconds that the program has after Ctrl-C, to end its workers and print what it has."""


@dataclass(frozen=True, slots=True)
class BenchSpec:
    """What to measure on this machine.

    Attributes
    ----------
    mode : how much
    seconds : after which it stops; None: the program's own bound of the mode
    write_gb : that it may write to the disk, GB; None: likewise
    folder : on the disk that is measured; None: the first of the working folder and
        those for temporary files that is on a disk
    urls : to download from
    python : interpreter, whose libraries are used; None: see `interpreter`
    """

    mode: Mode = "quick"
    seconds: float | None = None
    write_gb: float | None = None
    folder: Path | None = None
    urls: tuple[str, ...] = ()
    python: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        for url in self.urls:
            if not is_web(url):
                message = " names no address with http:// or https:// and a host"
                raise UsageError(Given("urls", url), message)


@dataclass(frozen=True, slots=True)
class Measured:
    """What the program found.

    Attributes
    ----------
    document : as it printed it
    result : the same, read
    """

    document: Mapping[str, Any]
    result: BenchResult


def measure(spec: BenchSpec, context: Context) -> Measured:
    """Run the bench program on this machine.

    Where Ctrl-C ends it, or what ends processes, the result says so and has what was
    measured by then.

    Raises
    ------
    UsageError
        if the interpreter cannot be run
    AdvisorError
        if this is no Linux, or the program fails
    """
    if not sys.platform.startswith("linux"):
        message = "a bench measures Linux machines alone: run it on the one that trains"
        raise AdvisorError(message)
    python = spec.python or interpreter(context.variables)
    with deferred(), tempfile.TemporaryDirectory(prefix="advisor-bench-") as folder:
        file = Path(folder) / "bench.pyz"
        file.write_bytes(program())
        output, status = _run([python, str(file), *_words(spec)], context)
    if status not in (0, _INTERRUPTED):
        message = (
            f"the bench program ended with status {status} in {python}, which must be a "
            "Python from 3.8 on"
        )
        raise AdvisorError(message)
    document = _last_document(output, python)
    return Measured(document, parse_bench(document, "what the bench program printed"))


def interpreter(variables: Mapping[str, str]) -> str:
    """Return the Python of the active environment, in which people train.

    That of a virtual environment or of conda, else the first on the path, else ours.

    Parameters
    ----------
    variables : of the environment
    """
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if folder := variables.get(name):
            python = Path(folder) / "bin" / "python"
            if python.exists():
                return str(python)
    path = variables.get("PATH")
    return (path and shutil.which("python3", path=path)) or sys.executable


def _words(spec: BenchSpec) -> list[str]:
    """Return the words of the program's command line."""
    return command_words(
        spec.mode,
        seconds=spec.seconds,
        most_bytes=None if spec.write_gb is None else spec.write_gb * BYTES_PER_GB,
        folder=None if spec.folder is None else str(spec.folder.absolute()),
        urls=spec.urls,
    )


def _run(words: list[str], context: Context) -> tuple[bytes, int]:
    """Run the program; return what it printed, and its exit status.

    It draws its own progress on our stderr. Ctrl-C is handed on to it.
    """
    try:
        process = subprocess.Popen(  # noqa: S603  (an interpreter that the user named)
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if sys.stderr is not None else subprocess.DEVNULL,
            env=dict(context.variables),
        )
    except OSError as error:
        message = f"{words[0]} cannot be run: {error.strerror}; name another "
        raise UsageError(message, Given("python")) from error
    with process:
        try:
            with window():
                output, _ = process.communicate()
        except KeyboardInterrupt:
            output = _interrupted(process)
        except BaseException:
            process.kill()
            raise
    return output, process.returncode


def _interrupted(process: subprocess.Popen[bytes]) -> bytes:
    """Have the program end as Ctrl-C ends it; return what it printed.

    Raises
    ------
    KeyboardInterrupt
        if it does not end: a driver may hang where no signal wakes it
    """
    process.send_signal(signal.SIGINT)
    try:
        output, _ = process.communicate(timeout=_CLEARS_UP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise KeyboardInterrupt from None
    except BaseException:
        process.kill()
        raise
    return output


def _last_document(output: bytes, python: str) -> dict[str, Any]:
    """Return the document that is the last line of what was printed."""
    *_, last = output.rstrip().rsplit(b"\n", 1)
    with contextlib.suppress(ValueError):
        found = json.loads(last)
        if isinstance(found, dict):
            return found
    message = f"the bench program printed no result in {python}"
    raise AdvisorError(message)
