"""The way to a rented machine: the system's own ``ssh``, and a key pair of ours.

Nothing of the user's set-up of ssh is used (no agent, no configuration file), and every
rental has known hosts of its own: the first key that a machine shows is the one that it
must show from then on.

A script goes to the machine on the connection itself, so that no list of processes shows
it, and only once the machine has said that it listens: a connection that fails before
has run nothing.
"""

from __future__ import annotations

import copy
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from advisor.base.clock import Clock
from advisor.base.errors import RemoteError, UnreachableError, UsageError
from advisor.base.log import detail
from advisor.market.lifecycle import Endpoint
from advisor.rental.remote.channel import CONNECTION_LOST, SshChannel, last_line

KEY_NAME = "id_ed25519"
"""File name of the private key of `ensure_key`."""

_CONNECT_TIMEOUT_S = 15
_ALIVE_EVERY_S = 15
_ALIVE_MISSED = 3  # so that a dead connection is noticed after 45 s
_ANSWER_TIMEOUT_S = 40.0
_MOST_BYTES = 1 << 26  # of a script's output; what says more is broken, or hostile
_MOST_ANSWER_BYTES = 1 << 20  # of what `ask` returns, which is split and kept as text


@dataclass(frozen=True, slots=True)
class Completed:
    """How a script on the machine ended.

    Attributes
    ----------
    code : exit code
    stdout : what it printed
    stderr : what it printed there, the end of it if that is much
    """

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def reason(self) -> str:
        """The last line of what it complained of, for people."""
        return last_line(self.stderr)


class _Addresses:
    """Where a machine may answer, the best first; shared by all ways to it.

    Several threads try them at once, and the market may show other ones meanwhile.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._turn = threading.Lock()
        self._endpoints = tuple(endpoints)

    @property
    def all(self) -> tuple[Endpoint, ...]:
        """Return them in the order in which they are to be tried."""
        with self._turn:
            return self._endpoints

    def learn(self, shown: Sequence[Endpoint]) -> None:
        """Take what the market shows now; what let us in and is still shown is first."""
        valid = dict.fromkeys(at for at in shown if _is_address(at))
        with self._turn:
            if valid and valid.keys() != set(self._endpoints):
                first = self._endpoints[:1]
                kept = [at for at in first if at in valid]
                self._endpoints = tuple(dict.fromkeys([*kept, *valid]))

    def put_last(self, at: Endpoint) -> None:
        """Have one that let nobody in be tried last."""
        with self._turn:
            if at in self._endpoints:
                others = (one for one in self._endpoints if one != at)
                self._endpoints = (*others, at)


class Ssh:
    """A machine that is reached over ssh.

    Parameters
    ----------
    endpoints : where its server may answer, the best first
    key_file : private key
    known_hosts : file of host keys, of this rental alone; made where it is missing
    clock : time, for deadlines and for those who wait between two tries
    user : login name
    control : socket of a connection that lasts, which is used while it is there

    Attributes
    ----------
    heard_at : when the machine was connected last, by the clock's `monotonic`
    known_hosts : as it was given; no other rental has it
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        key_file: Path,
        known_hosts: Path,
        clock: Clock,
        user: str = "root",
        *,
        control: Path | None = None,
    ) -> None:
        if not all(map(_is_address, endpoints)):
            message = "the market's address of the machine is none"
            raise RemoteError(message)
        self.clock = clock
        self.user = user
        self.heard_at = clock.monotonic()
        self._addresses = _Addresses(endpoints)
        self._key_file = key_file
        self.known_hosts = known_hosts
        self._control = control

    def sharing(self, control: Path) -> Ssh:
        """Return the way there over a connection that lasts.

        Where that is lost, each command makes a connection of its own, as before. What
        one of the two learns of the machine's addresses the other one knows.

        Parameters
        ----------
        control : socket of ssh's that has or will have the connection
        """
        shared = copy.copy(self)
        shared._control = control  # noqa: SLF001  (of its own class)
        return shared

    def learn(self, endpoints: Sequence[Endpoint]) -> None:
        """Take account of where the market shows the machine now.

        Each way that shares this one knows it, too. Where the market shows no address,
        those that are known stay. A new address has no host key yet: the first one that
        it shows is taken, as for the first address.

        Parameters
        ----------
        endpoints : where its server may answer, the best first
        """
        self._addresses.learn(endpoints)

    @property
    def endpoint(self) -> Endpoint:
        """Where the machine answered last, or will be tried first.

        Raises
        ------
        UnreachableError
            if the market does not say where that is
        """
        endpoints = self._addresses.all
        if not endpoints:
            message = "the market does not say where the machine's ssh answers"
            raise UnreachableError(message)
        return endpoints[0]

    def command(self, at: Endpoint) -> list[str]:
        """Return ssh's command line for an endpoint, up to the address.

        Raises
        ------
        UsageError
            if there is no ssh on this machine
        """
        self.known_hosts.parent.mkdir(parents=True, exist_ok=True)
        settings = {
            "BatchMode": "yes",
            "PreferredAuthentications": "publickey",
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": _quoted(self.known_hosts),
            "GlobalKnownHostsFile": "/dev/null",
            "UpdateHostKeys": "no",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "IdentityFile": _quoted(self._key_file),
            "ConnectTimeout": str(_CONNECT_TIMEOUT_S),
            "ServerAliveInterval": str(_ALIVE_EVERY_S),
            "ServerAliveCountMax": str(_ALIVE_MISSED),
            "LogLevel": "ERROR",
        }
        if self._control is not None:
            settings["ControlPath"] = _quoted(self._control)
        words = [f"-o{name}={value}" for name, value in settings.items()]
        program = find_program("ssh", "openssh-client")
        return [program, "-F", "/dev/null", "-T", *words, "-p", str(at.port)]

    def answers(self) -> bool:
        """Tell whether a command can be run there now.

        Raises
        ------
        UsageError
            if there is no ssh on this machine
        """
        try:
            return self.run("true", _ANSWER_TIMEOUT_S).code == 0
        except UnreachableError:
            return False

    def run(
        self, script: str, timeout_s: float = 60.0, most_bytes: int = _MOST_BYTES
    ) -> Completed:
        """Run a POSIX shell script on the machine, to its end.

        It is run whole or not at all, but where the connection breaks it may have run:
        a script must be one that may run twice. A script's 255 is told as 254.

        Parameters
        ----------
        most_bytes : that it may print

        Raises
        ------
        UnreachableError
            if no address lets us in, the connection breaks, or time is up
        RemoteError
            if it prints more, as one does that prints without end
        """
        printed = bytearray()
        with closing(self._talks(script, timeout_s)) as talks:
            while len(printed) <= most_bytes:
                try:
                    printed += next(talks)
                except StopIteration as end:
                    code, stderr = end.value
                    return Completed(code, bytes(printed), stderr)
        message = "the machine answers without end: replace it"
        raise RemoteError(message)

    def ask(self, script: str, what: str, timeout_s: float = 60.0) -> str:
        """Return what a script prints.

        Parameters
        ----------
        what : what is attempted, for the message of an error

        Raises
        ------
        RemoteError
            if the script fails, or prints more than a MiB
        UnreachableError
            if no address lets us in, the connection breaks, or time is up
        """
        done = self.run(script, timeout_s, _MOST_ANSWER_BYTES)
        if done.code != 0:
            message = f"{what} failed on the machine: {done.reason or done.code}"
            raise RemoteError(message)
        return done.stdout.decode(errors="replace")

    def stream(self, script: str) -> Iterator[bytes]:
        """Run a script and yield what it prints, as it comes; ``b""`` once a second.

        Raises
        ------
        RemoteError
            if the script fails
        UnreachableError
            if no address lets us in or the connection breaks
        """
        code, stderr = yield from self._talks(script, None)
        if code != 0:
            message = f"the machine does not go on: {last_line(stderr) or code}"
            raise RemoteError(message)

    def _talks(
        self, script: str, timeout_s: float | None
    ) -> Generator[bytes, None, tuple[int, bytes]]:
        """Run a script where we are let in first; yield what it prints.

        Returns
        -------
        exit code, and what was said on standard error
        """
        refusals = []
        for at in self._addresses.all or (self.endpoint,):
            words = [*self.command(at), "--", f"{self.user}@{at.host}"]
            detail(
                "ssh", "%s port %d: a script of %d bytes", at.host, at.port, len(script)
            )
            talk = SshChannel(words, script, self.clock)
            pieces = talk.hold(timeout_s)
            with closing(pieces):
                for piece in pieces:
                    if talk.begun:
                        self.heard_at = self.clock.monotonic()
                    yield piece
            if talk.code != CONNECTION_LOST:
                return talk.code, talk.stderr
            reason = last_line(talk.stderr) or "the connection broke"
            refusals.append(f"{at.host} port {at.port}: {reason}")
            if talk.begun:
                break
            self._addresses.put_last(at)
        message = f"no ssh to {'; '.join(refusals)}"
        raise UnreachableError(message)


def _is_address(at: Endpoint) -> bool:
    """Say whether an endpoint is one, and no option of ssh's."""
    return bool(at.host) and not at.host.startswith("-")


def ensure_key(folder: Path) -> tuple[Path, str]:
    """Return advisor's own key pair in `folder`, made where it is missing.

    Safe with several processes at once.

    Returns
    -------
    file of the private key (mode 0600), and the public key in one line

    Raises
    ------
    UsageError
        if there is no ssh on this machine or the file is no key
    """
    find_program("ssh", "openssh-client")
    keygen = find_program("ssh-keygen", "openssh-client")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / KEY_NAME
    with FileLock(folder / f"{KEY_NAME}.lock"):
        if not path.exists():
            # Made aside: a key that is there is a whole one.
            with tempfile.TemporaryDirectory(dir=folder) as aside:
                made = Path(aside) / path.name
                _keygen([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(made)], made)
                _public_key(keygen, made)
                made.replace(path)
        path.chmod(0o600)
    return path, _public_key(keygen, path)


def _public_key(keygen: str, path: Path) -> str:
    """Return the public key of a private one; what could not be told is none.

    Raises
    ------
    UsageError
        if it is no key, or `keygen` could not print it, such as where a disk is full
    """
    words = _keygen([keygen, "-y", "-P", "", "-f", str(path)], path).split()
    if len(words) < 2:
        message = f"ssh-keygen tells no public key of {path}: make room, and try again"
        raise UsageError(message)
    return f"{words[0]} {words[1]} advisor"


def find_program(name: str, package: str) -> str:
    """Return where a program of this machine is.

    Raises
    ------
    UsageError
        if it is not there; the message names the package
    """
    program = shutil.which(name)
    if program is None:
        message = f"{name} is missing on this machine: install {package}"
        raise UsageError(message)
    return program


def _keygen(command: list[str], path: Path) -> str:
    done = subprocess.run(  # noqa: S603  (our own words, no shell)
        command, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        message = (
            f"{path} is no ssh key without a passphrase ({last_line(done.stderr)}): "
            "move it away, and a new one is made"
        )
        raise UsageError(message)
    return done.stdout.decode(errors="replace")


def _quoted(path: Path) -> str:
    """Return a path as a setting of ssh takes it."""
    text = str(path.absolute()).replace("%", "%%")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
