"""One ssh connection to a rented machine that lasts, and the ports that it carries.

A machine on a market reaches neither the launcher nor another machine, and should not.
All that goes between them goes through this connection; both ends of a port that it
carries listen on 127.0.0.1 alone. Who else is on such a machine reaches that port too,
so what is carried must prove by itself who it is.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from advisor.base.errors import RemoteError, UnreachableError, UsageError
from advisor.base.interrupts import window
from advisor.base.log import detail
from advisor.rental.remote.channel import last_line, there
from advisor.rental.remote.ssh import Ssh

LOOPBACK = "127.0.0.1"
"""The only address that anything listens on, at either end."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NETWORK = Path("/proc/self/ns/net")
_ALIVE_EVERY_S = 15
_ALIVE_MISSED = 4  # a dead connection is noticed after a minute, a short break is not one
_ANSWERS_WITHIN_S = 20.0
_ENDS_WITHIN_S = 2.0
_LOOKS_EVERY_S = 0.02
_LOOKS = 2250  # until it is there: 45 s
_PORTS_TRIED = 5
_LONGEST_SOCKET = 80
"""Bytes of a control socket's path: the system takes 104, and ssh adds 18 for a while."""

# Ends ssh with whoever holds the other end of its stdin, be that killed. A connection
# that outlived its launcher would lead the machine to whoever has its ports next. Each
# connection that the machine makes by it is an open file of ssh and of the launcher: it
# gets so many, and then none. Who closes it says so by a line; who says none was killed,
# and its folder is removed for it.
_KEEPER = """\
folder=$1
shift
ulimit -n 256 2>/dev/null
exec 3<&0
"$@" 3<&- </dev/null &
ssh=$!
{
  read -r _ <&3 || { rm -rf "$folder"; rmdir "${folder%/*}"; }
  kill "$ssh"
} 2>/dev/null &
exec 3<&-
wait "$ssh"
kill "$!" 2>/dev/null
"""


class NoPortError(RemoteError):
    """A port that is taken, or that the machine does not give."""


class Tunnel:
    """A connection that lasts; made by `open`.

    Attributes
    ----------
    ssh : the way to the machine over it: a command there costs no connection of its own
    """

    def __init__(self, ssh: Ssh, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.ssh = ssh
        self._folder = folder
        self._process = process

    @classmethod
    def open(cls, ssh: Ssh, folder: Path) -> Tunnel:
        """Connect.

        Parameters
        ----------
        ssh : the way to the machine
        folder : gets a folder of its own for the connection's socket; a short path

        Raises
        ------
        UnreachableError
            if no address lets us in
        UsageError
            if the path of `folder` is too long for a socket
        """
        ssh.ask(":", "connecting")  # finds out which address lets us in
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        own = Path(tempfile.mkdtemp(prefix="ssh-", dir=folder))
        control = own / "at"
        if len(str(control).encode()) > _LONGEST_SOCKET:
            own.rmdir()
            message = f"{folder}: the path is too long for a socket; name a shorter one"
            raise UsageError(message)
        process = _connect(ssh, control)
        tunnel = cls(ssh.sharing(control), own, process)
        try:
            tunnel._wait(control)
        except BaseException:
            tunnel.close()
            raise
        at = ssh.endpoint
        detail("fleet", "a connection to %s port %d that lasts", at.host, at.port)
        return tunnel

    def to_launcher(self, port: int, at: int = 0) -> int:
        """Have a port of the machine lead to one of this computer.

        Parameters
        ----------
        port : of this computer's loopback address
        at : port of the machine's loopback address; 0: one that is free there

        Returns
        -------
        port of the machine

        Raises
        ------
        NoPortError
            if the machine does not give that port
        UnreachableError
            if the connection is lost
        """
        given = self._control("forward", "-R", f"{LOOPBACK}:{at}:{LOOPBACK}:{port}")
        return at or _port(given)

    def to_machine(self, port: int) -> int:
        """Have a port of this computer lead to one of the machine.

        Parameters
        ----------
        port : of the machine's loopback address

        Returns
        -------
        port of this computer, which nothing else has

        Raises
        ------
        NoPortError
            if no port is to be had
        UnreachableError
            if the connection is lost
        """
        for _ in range(_PORTS_TRIED):  # another program may be faster to take one
            local = _free_port()
            with suppress(NoPortError):
                self._control("forward", "-L", f"{LOOPBACK}:{local}:{LOOPBACK}:{port}")
                return local
        message = "no port of this computer is to be had"
        raise NoPortError(message)

    def withdraw(self, port: int) -> None:
        """Have a port of the machine lead to the same one of this computer no more.

        Nothing is done where the connection is lost: that has ended it, too.
        """
        with suppress(NoPortError, UnreachableError):
            self._control("cancel", "-R", f"{LOOPBACK}:{port}:{LOOPBACK}:{port}")

    def retract(self, local: int, port: int) -> None:
        """Have a port of this computer lead to one of the machine no more.

        Nothing is done where the connection is lost, as with `withdraw`.

        Parameters
        ----------
        local : as `to_machine` has returned it
        port : of the machine
        """
        with suppress(NoPortError, UnreachableError):
            self._control("cancel", "-L", f"{LOOPBACK}:{local}:{LOOPBACK}:{port}")

    def shares_loopback(self) -> bool:
        """Tell whether the machine is this computer, so that its ports are ours.

        Raises
        ------
        UnreachableError
            if the connection is lost
        """
        own = [_BOOT.read_text(), str(_NETWORK.readlink())] if _BOOT.exists() else []
        told = self.ssh.ask(f"cat {_BOOT} && readlink {_NETWORK}", "looking who it is")
        return told.split() == [one.strip() for one in own]

    def is_alive(self) -> bool:
        """Tell whether the connection is there; a dead one is noticed within a minute."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the connection, and all that it carries."""
        keeper = there(self._process.stdin)
        if not keeper.closed:
            with suppress(OSError):  # it may be gone
                keeper.write(b"end\n")
            keeper.close()
        try:
            self._process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)  # ssh too, which hangs
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self, control: Path) -> None:
        """Wait until the connection is there.

        Raises
        ------
        UnreachableError
            if it does not come to that
        """
        for _ in range(_LOOKS):
            if control.exists():
                return
            with suppress(subprocess.TimeoutExpired), window():
                self._process.wait(_LOOKS_EVERY_S)
                break
        at = self.ssh.endpoint
        message = f"{at.host} port {at.port} keeps no connection: try again"
        raise UnreachableError(message)

    def _control(self, command: str, *words: str) -> bytes:
        """Ask the connection for something; return what it says.

        Raises
        ------
        NoPortError
            if it does not do that
        UnreachableError
            if the connection is lost
        """
        at = self.ssh.endpoint
        line = self.ssh.command(at)
        line += ["-O", command, *words, f"{self.ssh.user}@{at.host}"]
        try:
            with window():
                done = subprocess.run(  # noqa: S603  (our own words, no shell)
                    line,
                    capture_output=True,
                    stdin=subprocess.DEVNULL,
                    timeout=_ANSWERS_WITHIN_S,
                    check=False,
                )
        except subprocess.TimeoutExpired as error:
            message = f"the connection to {at.host} port {at.port} does not answer"
            raise UnreachableError(message) from error
        if done.returncode != 0:
            message = f"the connection to {at.host} port {at.port}"
            if self.is_alive():
                refused = f"{message} refuses a port: {last_line(done.stderr)}"
                raise NoPortError(refused)
            lost = f"{message} is lost"
            raise UnreachableError(lost)
        return done.stdout


def _connect(ssh: Ssh, control: Path) -> subprocess.Popen[bytes]:
    """Start an ssh that keeps a connection."""
    at = ssh.endpoint
    program, *words = ssh.sharing(control).command(at)
    settings = {  # the first word on a setting holds
        "ControlMaster": "yes",
        "ControlPersist": "no",
        "ExitOnForwardFailure": "yes",
        "ServerAliveInterval": str(_ALIVE_EVERY_S),
        "ServerAliveCountMax": str(_ALIVE_MISSED),
    }
    own = [f"-o{name}={value}" for name, value in settings.items()]
    line = [program, *own, *words, "-N", f"{ssh.user}@{at.host}"]
    return subprocess.Popen(  # noqa: S603  (our own words)
        ["/bin/sh", "-c", _KEEPER, "keeper", str(control.parent), *line],
        stdin=subprocess.PIPE,
        bufsize=0,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # the machine may say what it likes there, for ever
        start_new_session=True,  # Ctrl-C is for us; we end it
    )


def _port(given: bytes) -> int:
    """Return the port that ssh says it was given."""
    word = given.strip()
    if not (word.isdigit() and 0 < int(word) < 1 << 16):
        message = "ssh names no port of the machine"
        raise UnreachableError(message)
    return int(word)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
