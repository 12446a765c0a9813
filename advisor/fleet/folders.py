"""What of the user's folder goes to the machines of a sweep, and where its jobs write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.app.context import Context
from advisor.app.listener import Listener
from advisor.app.private import private_of
from advisor.app.sending import Sender
from advisor.app.sweep import SweepJob, SweepSpec
from advisor.base.errors import UsageError
from advisor.base.units import BYTES_PER_GB
from advisor.fleet.board import Attempt
from advisor.rental.incoming.copying import Incoming
from advisor.rental.outgoing.command import check_command, stays_here
from advisor.rental.outgoing.decide import Asked, Outgoing, decide
from advisor.rental.preflight import (
    check_comes_back,
    check_places,
    check_programs,
    check_room,
)


@dataclass(slots=True)
class Folders:
    """The folder of a sweep.

    Attributes
    ----------
    context : the outside world
    spec : what is asked for
    jobs : all of them
    """

    context: Context
    spec: SweepSpec
    jobs: Sequence[SweepJob]
    _outgoing: Outgoing | None = None

    def check(self, listener: Listener, *, begins: bool) -> None:
        """Refuse what would fail once a machine is paid for; decide what goes.

        Parameters
        ----------
        listener : is asked where something is unusual
        begins : whether nothing of the jobs may be there yet

        Raises
        ------
        AdvisorError
            if it would fail, or is not confirmed
        """
        folder, own = Path(self.spec.folder), private_of(self.context).folders
        names = [name for one in self.jobs for name in (one.results, one.checkpoints)]
        check_programs("ssh", "ssh-keygen", "rsync")
        check_comes_back(folder, names)
        check_places(folder, names, own)
        check_room(folder, self.context.data_folder)
        if begins:
            self._check_new(folder)
        excludes = (*self.spec.excludes, *self._written(folder))
        asked = Asked(folder, self.spec.includes, excludes)
        outgoing = Sender(self.context, listener, self.spec.max_sync_gb).prepare(asked)
        self._check_commands(outgoing)
        self._outgoing = outgoing

    def outgoing(self) -> Outgoing:
        """Return what each machine gets: the same for all of them.

        Raises
        ------
        UsageError
            if it was not decided
        """
        if self._outgoing is None:
            message = "what goes to the machines was not decided"
            raise UsageError(message)
        return self._outgoing

    def saved(self, attempt: Attempt) -> Outgoing | None:
        """Return what a job has saved here, None if nothing."""
        name = attempt.job.checkpoints
        folder = Path(self.spec.folder)
        if not (folder / name).is_dir():
            return None
        asked = Asked(folder, (), ("*",), name, {})
        return decide(asked, private_of(self.context), self.context.notify)

    def incoming(self) -> Incoming:
        """Return what takes the folders of one job."""
        return Incoming(
            self.context.notify,
            self.spec.max_results_gb * BYTES_PER_GB,
            self.context.called("max_results_gb"),
        )

    def _check_new(self, folder: Path) -> None:
        """Refuse results that are there already: those of a job would replace them."""
        for one in self.jobs:
            place = folder / one.results
            if place.is_dir() and any(place.iterdir()):
                message = (
                    f"{place} is there already: move it away, or have the results go to "
                    f"another folder ({self.context.called('results')})"
                )
                raise UsageError(message)

    def _written(self, folder: Path) -> Iterator[str]:
        """Yield patterns of what the jobs have written: each gets its own alone."""
        for one in self.jobs:
            for name in (one.results, one.checkpoints):
                if (folder / name).is_dir():
                    yield f"/{name}/"

    def _check_commands(self, outgoing: Outgoing) -> None:
        """Refuse commands that no machine could run.

        Raises
        ------
        UsageError
            with the first one
        """
        if not outgoing.files:
            message = (
                f"nothing of {outgoing.folder} would go to the machines: name another "
                f"{self.context.called('folder')}"
            )
            raise UsageError(message)
        for one in self.jobs:
            check_command(one.argv, outgoing, self.context.variables.get("PATH"))
            for left in stays_here(one.argv, outgoing):
                if left.path.rstrip("/") in (one.results, one.checkpoints):
                    continue  # its own, of an earlier launcher
                self.context.notify_once(
                    f"the command of {one.name} names {left.path}, which stays here: "
                    f"ignored by {left.why}"
                )
