"""One connection of ssh: a script goes there, what it prints comes back."""

from __future__ import annotations

import os
import secrets
import selectors
import subprocess
from collections.abc import Generator
from contextlib import suppress
from typing import IO

from advisor.base.clock import Clock
from advisor.base.interrupts import window

CONNECTION_LOST = 255
"""What ssh itself exits with when it fails; a script's own 255 is told as 254."""

_CHUNK_BYTES = 65536
_IDLE_S = 1.0
_MOST_NOISE_BYTES = 1 << 16  # of what a login shell prints before the machine listens
_LONGEST_LINE = 200


class SshChannel:
    """One connection that runs one script.

    Parameters
    ----------
    command : ssh's command line, destination included
    script : for a POSIX shell; it has no input
    clock : for deadlines

    Attributes
    ----------
    begun : whether the script was sent, so that it may have run
    code : exit code at the end, `CONNECTION_LOST` also where time was up
    stderr : end of what was said there
    """

    def __init__(self, command: list[str], script: str, clock: Clock) -> None:
        self.begun = False
        self.code = CONNECTION_LOST
        self.stderr = b""
        self._clock = clock
        self._mark = f"advisor-{secrets.token_hex(12)}"
        self._command = [*command, f"echo {self._mark}; exec sh -s"]
        self._unsent = memoryview(_whole(script))
        self._before = bytearray()

    def hold(self, timeout_s: float | None) -> Generator[bytes]:
        """Yield what the script prints, ``b""`` once a second when that is nothing."""
        deadline = None if timeout_s is None else self._clock.monotonic() + timeout_s
        with (
            subprocess.Popen(  # noqa: S603  (our own words, no shell)
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,  # what arrives is passed on at once
                start_new_session=True,  # Ctrl-C is for us; we end it
            ) as process,
            selectors.DefaultSelector() as selector,
        ):
            try:
                for pipe in (process.stdout, process.stderr):
                    selector.register(there(pipe), selectors.EVENT_READ)
                while selector.get_map():
                    if deadline is not None and self._clock.monotonic() > deadline:
                        self.stderr = f"no end after {timeout_s:.0f} s".encode()
                        return
                    yield self._turn(process, selector)
                with window():
                    self.code = process.wait()
            finally:
                process.kill()

    def _turn(self, process: _Process, selector: selectors.BaseSelector) -> bytes:
        """Wait for something to happen; return what the script printed."""
        printed = b""
        with window():
            ready = selector.select(_IDLE_S)
        for key, _ in ready:
            if key.fileobj is process.stdin:
                self._send(process.stdin, selector)
            elif not (chunk := os.read(key.fd, _CHUNK_BYTES)):
                selector.unregister(key.fileobj)
            elif key.fileobj is process.stderr:
                self.stderr = (self.stderr + chunk)[-_CHUNK_BYTES:]
            elif self.begun:
                printed = chunk
            else:
                printed = self._heard(chunk, process, selector)
        return printed

    def _heard(
        self, chunk: bytes, process: _Process, selector: selectors.BaseSelector
    ) -> bytes:
        """Begin to send once the machine says that it listens; return what is left.

        What a login shell says before is none of the script's.
        """
        self._before = (self._before + chunk)[-_MOST_NOISE_BYTES:]
        _, found, rest = bytes(self._before).partition(f"{self._mark}\n".encode())
        if found:
            self.begun = True
            stdin = there(process.stdin)
            os.set_blocking(stdin.fileno(), False)
            selector.register(stdin, selectors.EVENT_WRITE)
        return rest

    def _send(self, stdin: IO[bytes], selector: selectors.BaseSelector) -> None:
        """Send what the connection takes; if it takes none, its exit code says why."""
        with suppress(BrokenPipeError):
            self._unsent = self._unsent[os.write(stdin.fileno(), self._unsent) :]
            if self._unsent:
                return
        selector.unregister(stdin)
        stdin.close()


_Process = subprocess.Popen[bytes]


def last_line(output: bytes) -> str:
    """Return the last line of a machine's output, plain and short."""
    lines = output.decode(errors="replace").split("\n")
    plain = ("".join(c if c.isprintable() else " " for c in line) for line in lines)
    words = [" ".join(line.split()) for line in plain]
    return next((line for line in reversed(words) if line), "")[:_LONGEST_LINE]


def _whole(script: str) -> bytes:
    """Return a script that runs only if it arrives whole, and tells its 255 as 254."""
    text = f"{{\n(\n{script}\n)\ncode=$?\n[ $code -eq {CONNECTION_LOST} ] && code=254\n"
    return f"{text}exit $code\n}}\n".encode(errors="surrogateescape")


def there(pipe: IO[bytes] | None) -> IO[bytes]:
    """Return a pipe of a process that was asked for."""
    assert pipe is not None  # noqa: S101  (as the caller says)
    return pipe
