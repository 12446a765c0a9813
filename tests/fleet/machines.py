"""Machines that are reached through a tunnel: real OpenSSH servers on this computer."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from advisor.base.clock import Clock
from advisor.fleet.tunnel import Tunnel
from advisor.market.lifecycle import Endpoint
from advisor.rental.remote.ssh import Ssh, ensure_key
from advisor.simulator.containers import Container
from advisor.simulator.local import LocalContainers
from advisor.simulator.networks import Network


@dataclass(frozen=True)
class OwnPython:
    """The Python that runs the tests, as one that a machine has."""

    command: str = sys.executable


@dataclass
class Machines:
    """What runs machines here, and the ways to them.

    Attributes
    ----------
    host : runs them
    folder : of all files
    tunnels : that were opened
    """

    host: LocalContainers
    folder: Path
    tunnels: list[Tunnel] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def start(self) -> tuple[int, Endpoint]:
        """Start another machine."""
        number = next(self._numbers)
        _, public = ensure_key(self.folder / "key")
        made = Container(number, "image", "", {}, (public,), 10.0)
        endpoint = self.host.start(made)
        assert endpoint is not None
        return number, endpoint

    def ssh(self, endpoint: Endpoint) -> Ssh:
        """Return the way to a machine."""
        key, _ = ensure_key(self.folder / "key")
        known = self.folder / "hosts" / str(endpoint.port)
        return Ssh([endpoint], key, known, Clock())

    def tunnel(self, endpoint: Endpoint) -> Tunnel:
        """Open a tunnel to a machine."""
        made = Tunnel.open(self.ssh(endpoint), self.folder / "s")
        self.tunnels.append(made)
        return made

    def home(self, number: int) -> Path:
        """Return the home of a machine."""
        return self.host.folder / str(number) / "home"

    def close(self) -> None:
        """End everything."""
        for tunnel in self.tunnels:
            tunnel.close()
        self.host.close()


def processes(*words: str) -> list[int]:
    """Return the processes whose command line has all of some words."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and folder.name != str(os.getpid()):
            line = _read(folder / "cmdline").replace(b"\0", b" ").decode(errors="replace")
            if all(word in line for word in words):
                found.append(int(folder.name))
    return found


def cut_connections(folder: Path) -> int:
    """End the connections to the ssh server of a machine; return how many there were."""
    named = processes("sshd", str(folder / "sshd_config"))
    servers = [one for one in named if _read(Path(f"/proc/{one}/comm")) == b"sshd\n"]
    sessions = [
        int(one.name)
        for one in Path("/proc").iterdir()
        if one.name.isdigit() and _parent(one) in servers
    ]
    for process in sessions:
        os.kill(process, signal.SIGKILL)
    return len(sessions)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _parent(process: Path) -> int:
    stat = _read(process / "stat").rpartition(b") ")[2].split()
    return int(stat[1]) if stat else 0


def wait_until(is_so: Callable[[], bool], within_s: float = 60.0) -> None:
    """Wait until something is so; fail if it does not come to that."""
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end, "it does not come to that"
        time.sleep(0.02)


def _made(folder: Path, *, apart: bool) -> Machines:
    missing = LocalContainers.missing() or (Network.missing() if apart else "")
    if not missing and shutil.which("ssh") is None:
        missing = "ssh is not installed (Debian: openssh-client)"
    if missing:
        pytest.skip(missing)
    return Machines(LocalContainers(folder / "m", apart=apart), folder)


@pytest.fixture(name="machines")
def made_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Return what runs machines on this computer's network."""
    made = _made(tmp_path_factory.mktemp("w"), apart=False)
    yield made
    made.close()


@pytest.fixture(name="apart")
def made_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Return what runs machines that reach neither each other nor us."""
    made = _made(tmp_path_factory.mktemp("w"), apart=True)
    yield made
    made.close()
