"""A network of its own for a simulated machine: it reaches neither others nor us.

A network namespace (Linux, network_namespaces(7)) whose only other end is on this
computer: what connects from here gets in, and from there leads no route to another
machine or beyond. What listens on this computer's loopback address is not to be reached
from it either, as on a market.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from dataclasses import dataclass

from advisor.base.errors import UsageError

_PROGRAMS = (("ip", "iproute2"), ("nsenter", "util-linux"))
_PLACES = "/usr/sbin:/sbin:/usr/bin:/bin"
_PAIR = ("type", "veth", "peer", "name")
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Network:
    """The network of one machine.

    Attributes
    ----------
    name : of its namespace
    address : of the machine in it
    """

    name: str
    address: str

    @staticmethod
    def missing() -> str:
        """Return what keeps this computer from making one, ``""`` if nothing."""
        for program, package in _PROGRAMS:
            if shutil.which(program, path=_PLACES) is None:
                return f"{program} is not installed (Debian: {package})"
        name = _name()
        reason = _ip("netns", "add", name)
        if not reason:
            reason = _ip("link", "add", name, *_PAIR, "eth0", "netns", name)
            _ip("netns", "del", name)
        return reason and f"no network namespace can be made ({reason})"

    @classmethod
    def make(cls) -> Network:
        """Make one with addresses that nothing here has.

        Raises
        ------
        UsageError
            if none can be made
        """
        reason = ""
        for _ in range(_TRIES):  # another process may take the same addresses
            ours, theirs = _addresses()
            name = _name()
            reason = _in_turn(
                ("netns", "add", name),
                ("link", "add", name, *_PAIR, "eth0", "netns", name),
                ("addr", "add", f"{ours}/30", "dev", name),
                ("link", "set", name, "up"),
                ("-n", name, "addr", "add", f"{theirs}/30", "dev", "eth0"),
                ("-n", name, "link", "set", "eth0", "up"),
                ("-n", name, "link", "set", "lo", "up"),
            )
            if not reason and _is_alone(ours):
                return cls(name, theirs)
            _ip("netns", "del", name)
        message = f"no network namespace can be made: {reason or 'no address is free'}"
        raise UsageError(message)

    def within(self) -> list[str]:
        """Return the words before a command that is to run in it."""
        return [_program("nsenter"), f"--net=/run/netns/{self.name}"]

    def removal(self) -> list[str]:
        """Return the command that removes it once nothing runs in it any more."""
        return [_program("ip"), "netns", "del", self.name]

    def cut(self) -> None:
        """Lose all that is sent, either way; connections are not told."""
        _ip("-n", self.name, "link", "set", "eth0", "down")

    def restore(self) -> None:
        """Let through again what is sent."""
        _ip("-n", self.name, "link", "set", "eth0", "up")


def _name() -> str:
    return f"advisor{secrets.token_hex(4)}"  # an interface's, too: 15 characters


def _addresses() -> tuple[str, str]:
    """Return two neighbors of the private block 10.213.0.0/16 (RFC 1918), drawn."""
    high, low = divmod(4 * secrets.randbelow(1 << 14), 256)
    return f"10.213.{high}.{low + 1}", f"10.213.{high}.{low + 2}"


def _is_alone(address: str) -> bool:
    """Tell whether this computer has an address once."""
    line = [_program("ip"), "-o", "addr", "show", "to", address]
    shown = subprocess.run(line, capture_output=True, check=False)  # noqa: S603
    return len(shown.stdout.splitlines()) == 1


def _in_turn(*commands: tuple[str, ...]) -> str:
    """Run commands of ``ip`` until one fails; return why, ``""`` if none does."""
    return next((reason for one in commands if (reason := _ip(*one))), "")


def _ip(*words: str) -> str:
    """Run ``ip``; return why it fails, ``""`` if it does not."""
    line = [_program("ip"), *words]
    done = subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603
    return "" if done.returncode == 0 else done.stderr.strip() or str(done.returncode)


def _program(name: str) -> str:
    return shutil.which(name, path=_PLACES) or name
