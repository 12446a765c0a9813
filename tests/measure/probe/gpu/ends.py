"""Functions that end well or badly, which a fresh process can import."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
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


def writes(send: Callable[[Any], None]) -> None:
    number, path = tempfile.mkstemp()
    os.close(number)
    assert Path(path).exists()
    send(path)


def is_short_of_memory(send: Callable[[Any], None], room: int) -> None:
    """Send whether a large batch fits, then the largest that does and its line."""
    import resource  # noqa: PLC0415  (not on every system)

    import torch  # noqa: PLC0415

    from advisor.measure.probe.gpu import train  # noqa: PLC0415
    from advisor.measure.probe.gpu.recipe import Recipe  # noqa: PLC0415
    from advisor.measure.probe.gpu.timing import Device  # noqa: PLC0415

    torch.set_num_threads(1)
    device, recipe = Device(torch, "cpu"), Recipe("gpt2-124m", "fp32", is_tiny=True)
    training = train.Training(device, recipe, 2)
    training.step()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + room
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    send(train._probe(training, 64) is not None)
    send(train.largest_batch(training))
    send(train.synthetic(device, recipe, 0.1))
