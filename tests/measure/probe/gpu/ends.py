"""Functions that end well or badly, which a fresh process can import."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any


def sends(send: Callable[[Any], None], *values: Any) -> None:
    print("this is no message")  # noqa: T201  (goes nowhere)
    for value in values:
        send(value)


def raises(send: Callable[[Any], None]) -> None:
    send("before")
    message = f"no /home/somebody/secret/data on {socket.gethostname()} at 203.0.113.7:22"
    raise ValueError(message)


def dies(send: Callable[[Any], None]) -> None:
    sys.stderr.write("what it printed last\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGSEGV)


def hangs(send: Callable[[Any], None]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    send((os.getpid(), child.pid))
    time.sleep(600)
