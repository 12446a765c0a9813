"""A function runs in a process of its own: what hangs or crashes there ends there.

A driver can hang where no signal wakes it, a build of PyTorch can die of an illegal
instruction, and after some errors no call of CUDA works any more in the same process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Send = Callable[[Any], None]
    """Hands one message to the process that waits for it."""

_BOOT = """\
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
function, arguments = pickle.load(sys.stdin.buffer)
function(*arguments)
"""
"""What the fresh process runs: it finds modules where we do, then what it is to call."""

_LONGEST = 300
"""Characters of an error that are kept."""

_SHOWN_BYTES = 2_000
"""Of what a crashed process printed."""

_SET_PARENT_DEATH_SIGNAL = 1
"""`PR_SET_PDEATHSIG` of prctl(2): Linux ends the process when its parent ends."""

_ENDS_IN_S = 5.0
"""A process that has closed its end, or was killed, has this long to end."""

_PATH = re.compile(r"(?:/[\w.+@-]+){2,}")
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?")


class _Ended:
    """The last message: what the function has raised, empty if it returned."""

    def __init__(self, words: str) -> None:
        self.words = words


def run_apart(
    function: Callable[..., None],
    arguments: tuple[Any, ...],
    deadline: float,
    receive: Callable[[Any], object],
) -> str:
    """Run ``function(send, *arguments)`` in a fresh process that ends by the deadline.

    What it starts ends with it, and its temporary files go. What it prints is shown on
    our stderr if it crashes, and else nowhere.

    Parameters
    ----------
    function : of an importable module
    arguments : that can be pickled
    deadline : by `time.monotonic`
    receive : is called with each message that the function sends

    Returns
    -------
    Empty if it went well, else what happened, in one line.
    """
    with tempfile.TemporaryFile() as printed, _folder() as folder:
        process, messages = _start(function, arguments, printed, folder)
        try:
            with messages:
                words = _receive_until(messages, deadline, receive)
            if words is not None:
                return words
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_ENDS_IN_S)
            _show_end_of(printed)
            return _ending(process.returncode)
        finally:
            _end(process)


def one_line(error: BaseException) -> str:
    """Return what an error says, without paths, addresses and the name of this host."""
    words = _PATH.sub(lambda path: "..." + path[0][path[0].rindex("/") :], str(error))
    words = _ADDRESS.sub("an address", words)
    words = words.replace(socket.gethostname() or "\0", "this host")
    words = " ".join(f"{type(error).__name__}: {words}".split())
    words = "".join(letter for letter in words if letter.isprintable())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 3] + "..."


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    """Yield a folder for temporary files, such as what torch.compile writes."""
    folder = tempfile.mkdtemp(prefix="advisor-bench-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(
    function: Callable[..., None],
    arguments: tuple[Any, ...],
    printed: IO[bytes],
    folder: str,
) -> tuple[subprocess.Popen[bytes], Connection]:
    reading, writing = os.pipe()
    messages = Connection(reading, writable=False)
    try:
        process = subprocess.Popen(  # noqa: S603  (this interpreter)
            [sys.executable, "-c", _BOOT],
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=printed,
            pass_fds=[writing],
            start_new_session=True,
            env={"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **os.environ, "TMPDIR": folder},
        )
    except BaseException:
        messages.close()
        raise
    finally:
        os.close(writing)
    call = (_child, (os.getpid(), writing, function, arguments))
    with contextlib.suppress(BrokenPipeError), process.stdin as stdin:  # type: ignore[union-attr]
        stdin.write(pickle.dumps(sys.path) + pickle.dumps(call))
    return process, messages


def _child(
    parent: int, writing: int, function: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    """Call the function in the fresh process."""
    with contextlib.suppress(OSError, AttributeError):  # no Linux
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could take us with it
        return
    with Connection(writing, readable=False) as messages:
        words = ""
        try:
            function(messages.send, *arguments)
        except Exception as error:
            words = one_line(error)
        with contextlib.suppress(BrokenPipeError):  # nobody waits any more
            messages.send(_Ended(words))


def _receive_until(
    messages: Connection, deadline: float, receive: Callable[[Any], object]
) -> str | None:
    """Return what ended it, None if it broke off: the process has died."""
    while messages.poll(max(deadline - time.monotonic(), 0.0)):
        try:
            message = messages.recv()
        except EOFError:
            return None
        if isinstance(message, _Ended):
            return message.words
        receive(message)
    return "its time was up"


def _ending(status: int | None) -> str:
    """Return what an exit status says of a process that broke off."""
    if status is None or status >= 0:
        return f"it broke off, with status {'unknown' if status is None else status}"
    with contextlib.suppress(ValueError):
        return f"it was ended by {signal.Signals(-status).name}"
    return f"it was ended by signal {-status}"


def _show_end_of(printed: IO[bytes]) -> None:
    size = printed.seek(0, os.SEEK_END)
    printed.seek(max(size - _SHOWN_BYTES, 0))
    sys.stderr.write(printed.read().decode(errors="replace"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started; one that the driver holds is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_ENDS_IN_S)
