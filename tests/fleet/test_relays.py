"""Workers on machines that cannot reach each other exchange data, or are refused."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")
pytest.importorskip("cryptography", reason="the extra 'fleet' is not installed")

from advisor.base.errors import RemoteError
from advisor.fleet.relays import Relays
from advisor.fleet.scheduler import FleetScheduler, open_scheduler
from advisor.fleet.tunnel import Tunnel
from advisor.fleet.workers import Workers
from tests.fleet.machines import (  # noqa: F401  (fixtures)
    Machines,
    OwnPython,
    made_apart,
    made_here,
)


@pytest.fixture
def believing() -> Iterator[FleetScheduler]:
    """Return a scheduler that believes its workers."""
    with open_scheduler(guarded=False) as made:
        yield made


def reaches(tunnel: Tunnel, host: str, port: int) -> bool:
    """Tell whether a machine can connect to a port."""
    script = (
        f"{sys.executable} -c 'import socket; "
        f'socket.create_connection(("{host}", {port}), 2)\''
    )
    return tunnel.ssh.run(script).code == 0


@pytest.mark.slow
def test_tasks_may_depend_on_those_of_other_machines(
    apart: Machines, believing: FleetScheduler
) -> None:
    """In both directions, whichever machine came first."""
    ends = [apart.start()[1] for _ in range(2)]
    tunnels = [apart.tunnel(end) for end in ends]
    assert not reaches(tunnels[0], ends[1].host, ends[1].port)
    for name, tunnel in zip("ab", tunnels, strict=True):
        Workers(tunnel, OwnPython(), believing.door, name, [(0,)]).start()
    submit = believing.client.submit
    made = {name: submit(bytes, 1_000_000, resources={name: 1}) for name in "ab"}
    for name in "ab":
        both = submit(
            lambda one, other: len(one) + len(other),
            *made.values(),
            resources={name: 1},
            pure=False,
        )
        assert both.result(timeout=20) == 2_000_000


def test_a_port_leads_nowhere_once_its_worker_is_gone(apart: Machines) -> None:
    """Else it would lead to whoever has the launcher's port next."""
    tunnels = [apart.tunnel(apart.start()[1]) for _ in range(2)]
    relays = Relays()
    with socket.create_server(("127.0.0.1", 0)):
        ports = [relays.add(f"w-{n}", f"m-{n}", one, 22) for n, one in enumerate(tunnels)]
        assert reaches(tunnels[0], "127.0.0.1", ports[1])
        assert reaches(tunnels[1], "127.0.0.1", ports[0])
        relays.drop("w-0")
        relays.drop("w-0")
        assert not reaches(tunnels[1], "127.0.0.1", ports[0])
        assert reaches(tunnels[0], "127.0.0.1", ports[1])


def test_a_machine_whose_port_is_taken_is_refused(apart: Machines) -> None:
    """Rather than that a task waits for ever for data of another machine."""
    relays = Relays()
    port = relays.add("w-0", "m-0", apart.tunnel(apart.start()[1]), 22)
    second = apart.tunnel(apart.start()[1])
    taken = second.ssh.stream(
        f"exec {sys.executable} -c 'import socket, time; "
        f's = socket.create_server(("127.0.0.1", {port})); '
        "print(flush=True); time.sleep(60)'"
    )
    assert b"\n" in (next(taken), next(taken), next(taken))
    with pytest.raises(RemoteError, match=f"port {port} of the machine is taken"):
        relays.add("w-1", "m-1", second, 22)


def test_a_lost_machine_holds_nobody_up(apart: Machines) -> None:
    """The next one joins without it."""
    relays = Relays()
    first = apart.tunnel(apart.start()[1])
    relays.add("w-0", "m-0", first, 22)
    first.close()
    assert relays.add("w-1", "m-1", apart.tunnel(apart.start()[1]), 22)


def test_machines_of_this_computer_need_no_relay(machines: Machines) -> None:
    """They reach the launcher's ports as the launcher does."""
    relays = Relays()
    tunnels = [machines.tunnel(machines.start()[1]) for _ in range(2)]
    assert all(tunnel.shares_loopback() for tunnel in tunnels)
    ports = [relays.add(f"w-{n}", f"m-{n}", one, 22) for n, one in enumerate(tunnels)]
    assert len(set(ports)) == 2
