"""Machines with a network of their own reach nobody, and can be cut off."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisor.market.lifecycle import Endpoint
from advisor.simulator.containers import Container
from advisor.simulator.local import LocalContainers
from advisor.simulator.networks import Network

if missing := LocalContainers.missing() or Network.missing():
    pytest.skip(missing, allow_module_level=True)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[LocalContainers]:
    made = LocalContainers(tmp_path / "containers", apart=True)
    yield made
    made.close()


def started(host: LocalContainers, number: int, onstart: str = "") -> Endpoint:
    endpoint = host.start(Container(number, "image", onstart, {}, (), 10.0))
    assert endpoint is not None
    return endpoint


def answers(endpoint: Endpoint) -> bool:
    try:
        with socket.create_connection((endpoint.host, endpoint.port), 1.0) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def names() -> str:
    ip = ["ip", "netns"]
    return subprocess.run(ip, capture_output=True, text=True, check=True).stdout


def test_a_machine_reaches_neither_others_nor_us(host: LocalContainers) -> None:
    """Its own server it does reach; we reach each."""
    first = started(host, 1)
    with socket.create_server(("127.0.0.1", 0)) as ours:
        places = [first, Endpoint("127.0.0.1", ours.getsockname()[1])]
        tries = "; ".join(
            f"{sys.executable} -c 'import socket; "
            f'socket.create_connection(("{one.host}", {one.port}), 1)\' && echo {n}'
            for n, one in enumerate(places)
        )
        second = started(host, 2, f"{tries}; echo done")
    assert answers(first)
    assert answers(second)
    log = (host.folder / "2" / "onstart.log").read_text()
    assert log.splitlines()[-1] == "done"
    assert not {"0", "1"} & set(log.split())
    assert "unreachable" in log
    assert "refused" in log


def test_a_network_is_cut_and_mended(host: LocalContainers) -> None:
    """A connection that is there loses nothing but time."""
    endpoint = started(host, 1)
    with socket.create_connection((endpoint.host, endpoint.port), 2.0) as connection:
        assert connection.recv(4) == b"SSH-"
        connection.recv(1000)
        host.cut(1)
        assert not answers(endpoint)
        connection.sendall(b"no version at all\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(1)
        host.restore(1)
        connection.settimeout(20.0)
        assert connection.recv(1000)
    assert answers(endpoint)


def test_no_network_is_left(host: LocalContainers) -> None:
    """Its name is gone with its machine; a machine that starts again has another one."""
    first = started(host, 1)
    name = host._networks[1].name
    assert name in names()
    host.stop(1)
    assert name not in names()
    second = started(host, 1)
    assert second.host != first.host
    assert answers(second)


def test_a_killed_simulator_leaves_no_network(tmp_path: Path) -> None:
    """What would remove it is no process of the simulator's."""
    script = (
        "import pathlib, sys, time; "
        "from advisor.simulator.containers import Container; "
        "from advisor.simulator.local import LocalContainers; "
        "host = LocalContainers(pathlib.Path(sys.argv[1]), apart=True); "
        "host.start(Container(1, 'image', '', {}, (), 10.0)); "
        "print(host._networks[1].name, flush=True); time.sleep(60)"
    )
    line = [sys.executable, "-c", script, str(tmp_path / "machines")]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert name in names()
        os.kill(process.pid, signal.SIGKILL)
    end = time.monotonic() + 20.0
    while name in names():
        assert time.monotonic() < end
        time.sleep(0.05)
