"""A rented machine that answers: commands are run on it, folders go there and back."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from advisor.base.background import repeated
from advisor.base.errors import RemoteError, UsageError
from advisor.base.units import BYTES_PER_GB, SECONDS_PER_DAY, SECONDS_PER_HOUR
from advisor.rental.arguments import above_zero, names
from advisor.rental.incoming.copying import MAX_RESULTS_GB, Incoming
from advisor.rental.incoming.place import Record
from advisor.rental.outgoing.decide import (
    MAX_SYNC_GB,
    Asked,
    Outgoing,
    Private,
    decide,
)
from advisor.rental.outgoing.words import lines, too_large
from advisor.rental.preflight import check_folder, check_places, is_too_much
from advisor.rental.remote.beats import BEAT_TIMEOUT_S, beat, beat_every_s
from advisor.rental.remote.ssh import Completed, Ssh
from advisor.rental.remote.sync import prepare, push
from advisor.rental.request import Rental

WORK = "work"
"""Folder of the job on the machine, in the home folder."""

DEFAULT_GRACE_S = SECONDS_PER_HOUR
"""Seconds without a sign of its launcher after which a machine ends itself."""

LONGEST_S = 7 * SECONDS_PER_DAY
"""Seconds that a command may take if nobody says."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that was rented.

    Attributes
    ----------
    rental : what was paid for, and what was predicted of it
    ssh : the connection to it
    private : what of this machine never goes there
    notify : takes a line for people
    """

    rental: Rental
    ssh: Ssh
    private: Private
    notify: Callable[[str], None]
    _came: Record = field(default_factory=dict, init=False, repr=False, compare=False)

    def run(
        self,
        command: str | Sequence[str],
        *,
        timeout_s: float = LONGEST_S,
        check: bool = True,
    ) -> Completed:
        """Run a command in the job's folder and wait for it.

        Parameters
        ----------
        command : a line for the shell, or a program and its arguments
        timeout_s : seconds that it may take
        check : whether it is an error if it fails

        Raises
        ------
        advisor.base.errors.RemoteError
            if the machine cannot be reached, or the command fails and `check`
        """
        above_zero("timeout_s", timeout_s, unit="seconds")
        line = command if isinstance(command, str) else shlex.join(command)
        script = f'mkdir -p "$HOME/{WORK}" && cd "$HOME/{WORK}" || exit 1\n{line}\n'
        done = self.ssh.run(script, timeout_s=timeout_s)
        if check and done.code != 0:
            message = f"{line[:80]!r} ended with {done.code}: {done.reason}"
            raise RemoteError(message)
        return done

    def put(
        self,
        folder: str | Path,
        excludes: Sequence[str] = (),
        includes: Sequence[str] = (),
        max_gb: float = MAX_SYNC_GB,
    ) -> None:
        """Copy what is in a folder into the job's folder on the machine.

        What git ignores there, what ``.advisorignore`` names, and secrets stay here; what
        goes and what is held back is told before.

        Parameters
        ----------
        folder : here
        excludes : patterns in the syntax of ``.gitignore`` of what stays
        includes : patterns of what goes although it is ignored, or a secret
        max_gb : most that may go, 10^9 bytes

        Raises
        ------
        advisor.base.errors.UsageError
            if it is no folder to be sent, or more than that would go
        advisor.base.errors.RemoteError
            if it cannot be copied
        """
        place = Path(folder)
        above_zero("max_gb", max_gb, unit="gigabytes")
        names("excludes", excludes)
        names("includes", includes)
        check_folder(place, self.private.folders)
        if self.private.home is not None and is_too_much(place, self.private.home):
            message = f"{place.resolve()} has your home folder: name one in it"
            raise UsageError(message)
        asked = Asked(place, tuple(includes), tuple(excludes))

        def allow(by_name: Outgoing) -> None:
            if by_name.bytes > max_gb * BYTES_PER_GB:
                message = f"{too_large(by_name, max_gb)} or raise max_gb"
                raise UsageError(message)

        outgoing = decide(asked, self.private, self.notify, allow)
        for line in lines(outgoing):
            self.notify(line)
        prepare(self.ssh)
        push(self.ssh, outgoing, WORK)

    def get(
        self, folder: str | Path, remote: str = "", max_gb: float = MAX_RESULTS_GB
    ) -> None:
        """Copy what is in the job's folder, or in a folder in it, into a folder here.

        Files there replace those of the same name here: take a folder for this alone.
        Links come as the files that they lead to. What a program here would obey by its
        name, such as ``.git`` or a ``Makefile``, gets another name, which is told.

        Parameters
        ----------
        folder : here; it is made
        remote : folder in the job's
        max_gb : most that may come from this machine in all, 10^9 bytes

        Raises
        ------
        advisor.base.errors.UsageError
            if that is no folder for what a machine sends
        advisor.base.errors.RemoteError
            if it cannot be copied, is more than that, or than there is room for here
        """
        above_zero("max_gb", max_gb, "gigabytes")
        place = Path(folder)
        check_places(place, ("",), self.private.folders)
        incoming = Incoming(
            self.notify, max_gb * BYTES_PER_GB, "max_gb", record=self._came
        )
        incoming.pull(self.ssh, f"{WORK}/{remote}".rstrip("/"), place)


def heartbeats(
    ssh: Ssh, notify: Callable[[str], None], grace_s: float
) -> AbstractContextManager[None]:
    """Let a machine hear from its launcher while a block runs.

    Each minute, and at least four times in the `grace_s` seconds that it waits for us.

    A beat that does not arrive is told once in a row and is no error: the machine waits
    for several.
    """
    is_silent = False

    def one() -> bool:
        nonlocal is_silent
        try:
            beat(ssh)
            is_silent = False
        except RemoteError as error:
            if not is_silent:
                notify(f"the machine does not hear us: {error}")
            is_silent = True
        return True

    return repeated(
        "heartbeat",
        one,
        beat_every_s(grace_s),
        at_once=True,
        ends_within_s=BEAT_TIMEOUT_S,
    )
