"""A machine to reach: a real OpenSSH server on loopback, with a home of its own."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from advisor.base.clock import Clock
from advisor.market.lifecycle import Endpoint
from advisor.rental.remote.ssh import Ssh, ensure_key
from advisor.simulator.containers import Container
from advisor.simulator.local import LocalContainers


@dataclass(frozen=True)
class Machine:
    """A running machine, the way to it, and what a test does to it."""

    ssh: Ssh
    home: Path
    key_file: Path
    folder: Path

    def cut(self) -> int:
        """End all connections, as a broken network does; return how many there were."""
        ours = str(self.home.parent / "sshd_config").encode()
        processes = {int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()}
        servers = {
            process
            for process in processes
            if _read(process, "comm") == b"sshd\n" and ours in _read(process, "cmdline")
        }
        sessions = [p for p in processes if _parent(p) in servers]
        for process in sessions:
            os.kill(process, signal.SIGKILL)
        return len(sessions)

    def another(self, name: str, *endpoints: Endpoint) -> Ssh:
        """Return another way to it, which has not seen its host key yet."""
        return Ssh(endpoints, self.key_file, self.folder / name, Clock())


def _read(process: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{process}/{name}").read_bytes()
    except OSError:
        return b""


def _parent(process: int) -> int:
    stat = _read(process, "stat").rpartition(b") ")[2].split()
    return int(stat[1]) if stat else 0


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Return a machine, or skip where this one cannot stand in for it."""
    missing = LocalContainers.missing()
    if not missing and shutil.which("ssh") is None:
        missing = "ssh is not installed (Debian: openssh-client)"
    if missing:
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("a machine")  # with a space, which ssh must bear
    key_file, public_key = ensure_key(folder / "key")
    host = LocalContainers(folder / "instances")
    endpoint = host.start(Container(7, "image", "", {}, (public_key,), 10.0))
    assert endpoint is not None
    ssh = Ssh([endpoint], key_file, folder / "hosts" / "known", Clock())
    yield Machine(ssh, folder / "instances" / "7" / "home", key_file, folder)
    host.close()


@pytest.fixture(scope="session")
def soon() -> Callable[[Callable[[], bool]], bool]:
    """Return what waits until something is so; False if that takes too long."""

    def wait(is_so: Callable[[], bool], within_s: float = 60.0) -> bool:
        end = time.monotonic() + within_s
        while not is_so():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    return wait
