"""A tunnel carries ports both ways, and ends with whoever opened it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from advisor.base.errors import UnreachableError, UsageError
from advisor.fleet.tunnel import NoPortError, Tunnel
from tests.fleet.machines import (  # noqa: F401  (fixtures)
    Machines,
    cut_connections,
    made_apart,
    made_here,
    processes,
    wait_until,
)


@contextmanager
def greeting() -> Iterator[int]:
    """Run a server that greets whoever comes; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"hello")

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def greeted(port: int) -> bytes:
    """Return what a port of this computer says."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        return connection.recv(100)


def listening(port: int) -> set[str]:
    """Return the addresses that a port of this computer is listened to on."""
    rows = []
    for table in ("tcp", "tcp6"):
        rows += Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    fields = [row.split() for row in rows]
    return {
        row[1].partition(":")[0]
        for row in fields
        if row[3] == "0A" and int(row[1].partition(":")[2], 16) == port
    }


def test_a_command_costs_no_connection_of_its_own(machines: Machines) -> None:
    """It goes where no new connection would be let in any more."""
    number, endpoint = machines.start()
    tunnel = machines.tunnel(endpoint)
    (machines.home(number) / ".ssh" / "authorized_keys").write_text("")
    assert tunnel.ssh.ask("echo here", "looking") == "here\n"
    with pytest.raises(UnreachableError, match="Permission denied"):
        machines.ssh(endpoint).run("true")


def test_ports_lead_both_ways(machines: Machines) -> None:
    """Each has a number of its own, and listens on the loopback address alone."""
    _, endpoint = machines.start()
    tunnel = machines.tunnel(endpoint)
    with greeting() as port:
        ports = [tunnel.to_machine(port), tunnel.to_machine(port)]
        ports.append(tunnel.to_launcher(port))
        assert tunnel.to_launcher(port) == ports[-1]  # once is enough
        assert len({port, *ports}) == 4
        for one in ports:
            assert greeted(one) == b"hello"
            assert listening(one) == {"0100007F"}


def test_a_port_that_is_taken_is_refused(machines: Machines) -> None:
    """In one line, and the connection stays."""
    _, endpoint = machines.start()
    tunnel = machines.tunnel(endpoint)
    with greeting() as port, pytest.raises(NoPortError, match="refuses a port: "):
        tunnel.to_launcher(port, at=port)
    assert tunnel.is_alive()
    assert tunnel.to_launcher(port, at=port) == port


def test_a_port_is_withdrawn(machines: Machines) -> None:
    """So that it does not lead to whoever has the launcher's port next."""
    _, endpoint = machines.start()
    tunnel = machines.tunnel(endpoint)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    tunnel.to_launcher(port, at=port)
    assert listening(port)
    tunnel.withdraw(port)
    wait_until(lambda: not listening(port))
    tunnel.withdraw(port)
    local = tunnel.to_machine(22)
    assert listening(local)
    tunnel.retract(local, 22)
    wait_until(lambda: not listening(local))
    tunnel.retract(local, 22)


def test_a_lost_connection_is_told(machines: Machines) -> None:
    """Ports are not to be had any more; commands make a connection of their own."""
    number, endpoint = machines.start()
    tunnel = machines.tunnel(endpoint)
    assert tunnel.is_alive()
    assert cut_connections(machines.home(number).parent) >= 1
    wait_until(lambda: not tunnel.is_alive())
    with pytest.raises(UnreachableError, match="is lost"):
        tunnel.to_machine(22)
    with pytest.raises(UnreachableError, match="is lost"):
        tunnel.to_launcher(22)
    tunnel.withdraw(22)
    assert tunnel.ssh.ask("echo here", "looking") == "here\n"
    again = machines.tunnel(endpoint)
    assert again.is_alive()


def test_a_short_break_is_none(apart: Machines) -> None:
    """What was sent meanwhile arrives later."""
    number, endpoint = apart.start()
    tunnel = apart.tunnel(endpoint)
    apart.host.cut(number)
    with pytest.raises(UnreachableError, match="no end after 1 s"):
        tunnel.ssh.run("true", 1.0)
    apart.host.restore(number)
    assert tunnel.ssh.run("true").code == 0
    assert tunnel.is_alive()


def test_nothing_is_left(machines: Machines) -> None:
    """No process, no socket."""
    _, endpoint = machines.start()
    tunnel = machines.tunnel(endpoint)
    folder = machines.folder / "s"
    assert processes(str(folder))
    assert folder.stat().st_mode & 0o077 == 0
    tunnel.close()
    assert not processes(str(folder))
    assert not list(folder.iterdir())
    assert not tunnel.is_alive()
    tunnel.close()


LAUNCHER = """
import sys
from pathlib import Path
from advisor.base.clock import Clock
from advisor.fleet.tunnel import Tunnel
from advisor.market.lifecycle import Endpoint
from advisor.rental.remote.ssh import Ssh
key, known, folder, port = sys.argv[1:]
ssh = Ssh([Endpoint("127.0.0.1", int(port))], Path(key), Path(known), Clock())
tunnel = Tunnel.open(ssh, Path(folder))
print(tunnel.to_machine(22), flush=True)
sys.stdin.read()
"""


def test_an_ssh_that_hangs_is_ended_too(machines: Machines) -> None:
    """It does not listen, and its keeper goes first."""
    _, endpoint = machines.start()
    tunnel = machines.tunnel(endpoint)
    folder = str(machines.folder / "s")
    for process in processes("ssh", folder, "ControlMaster=yes"):
        if Path(f"/proc/{process}/comm").read_text() == "ssh\n":
            os.kill(process, signal.SIGSTOP)
    tunnel.close()
    wait_until(lambda: not processes(folder))


def test_a_machine_does_not_use_up_the_launchers_files(machines: Machines) -> None:
    """However many connections it makes to a port; the tunnel stands."""
    _, endpoint = machines.start()
    tunnel = machines.tunnel(endpoint)
    held: list[socket.socket] = []
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=900))
        stack.callback(lambda: [one.close() for one in held])
        port = tunnel.to_launcher(server.getsockname()[1])
        held += [socket.create_connection(("127.0.0.1", port), 5) for _ in range(600)]
        server.settimeout(1.0)
        accepted = 0
        with suppress(TimeoutError):
            while True:
                held.append(server.accept()[0])
                accepted += 1
    assert 100 < accepted < 256
    wait_until(tunnel.ssh.answers)
    assert tunnel.is_alive()
    with greeting() as port:
        assert greeted(tunnel.to_launcher(port)) == b"hello"


def test_it_ends_with_a_launcher_that_is_killed(machines: Machines) -> None:
    """Its ports would lead the machine to whoever has them next."""
    _, endpoint = machines.start()
    machines.ssh(endpoint).run("true")
    words = [machines.folder / "key" / "id_ed25519", machines.folder / "known"]
    line = [sys.executable, "-c", LAUNCHER, *words, machines.folder / "s", endpoint.port]
    with subprocess.Popen(
        list(map(str, line)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert launcher.stdout is not None
        port = int(launcher.stdout.readline())
        assert listening(port)
        os.kill(launcher.pid, signal.SIGKILL)
        wait_until(lambda: not listening(port))
        wait_until(lambda: not processes("ssh", str(machines.folder / "s")))
        wait_until(lambda: not (machines.folder / "s").exists())


def test_a_machine_that_lets_nobody_in_is_an_error(
    machines: Machines, tmp_path: Path
) -> None:
    """It says where; a path that no socket can have is one, too."""
    number, endpoint = machines.start()
    with pytest.raises(UsageError, match="the path is too long for a socket"):
        Tunnel.open(machines.ssh(endpoint), tmp_path / ("x" * 90))
    (machines.home(number) / ".ssh" / "authorized_keys").write_text("")
    with pytest.raises(UnreachableError, match="Permission denied"):
        machines.tunnel(endpoint)
