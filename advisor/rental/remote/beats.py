"""Signs of life: a machine that was rented with a lease waits for them.

The watchdog (see `watchdog`) ends the machine when it has not heard any for as long as it
was told to wait, its *lease*.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.base.errors import RemoteError
from advisor.rental.remote.ssh import Ssh

BEAT_TIMEOUT_S = 30.0

_EVERY_S = 60.0
_A_LEASE = 4.0  # so that a machine misses several before it ends itself

# A machine of before tells no lease.
_BEAT = """\
touch "$HOME/.advisor/heartbeat" || exit
[ ! -r "$HOME/.advisor/lease" ] || cat "$HOME/.advisor/lease"
"""

_SILENCE = 'echo $(($(date +%s) - $(stat -c %Y "$HOME/.advisor/heartbeat")))'


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a machine goes on without a sign of life.

    Attributes
    ----------
    seconds : 0: to its end; None: it does not say
    """

    seconds: float | None

    @property
    def is_needed(self) -> bool:
        """Whether it may wait for signs of life."""
        return self.seconds != 0.0

    @property
    def every_s(self) -> float:
        """Seconds between two signs of life."""
        return beat_every_s(self.seconds or _EVERY_S * _A_LEASE)


def beat_every_s(lease_s: float) -> float:
    """Return the seconds between two signs of life: a minute, or a quarter of a lease."""
    return min(_EVERY_S, lease_s / _A_LEASE)


def beat(ssh: Ssh) -> Lease:
    """Let a machine hear from us; return its lease.

    Raises
    ------
    RemoteError
        if it cannot be reached, or cannot note it
    """
    output = ssh.ask(_BEAT, "renewing the lease", BEAT_TIMEOUT_S).strip()
    if not output:
        return Lease(None)
    if not (output.isascii() and output.isdecimal()):
        message = "the machine does not say what its lease is"
        raise RemoteError(message)
    return Lease(float(output))


def silent_for_s(ssh: Ssh) -> float | None:
    """Return for how many seconds a machine has heard no launcher; None if unknown.

    Raises
    ------
    UnreachableError
        if the machine cannot be reached
    """
    output = ssh.run(_SILENCE, BEAT_TIMEOUT_S).stdout.decode(errors="replace").strip()
    return float(output) if output.isascii() and output.isdecimal() else None
