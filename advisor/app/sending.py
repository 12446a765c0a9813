"""What a run sends, decided once for each machine, and allowed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from advisor.app.context import Context
from advisor.app.listener import Listener
from advisor.app.private import private_of
from advisor.base.errors import AdvisorError
from advisor.base.units import BYTES_PER_GB
from advisor.rental.outgoing.decide import Asked, Outgoing, decide
from advisor.rental.outgoing.words import lines, secrets_named, too_large
from advisor.rental.preflight import check_folder, is_too_much


@dataclass(slots=True)
class Sender:
    """Decides what goes to the machines of one job, and has it allowed once.

    Parameters
    ----------
    context : the outside world
    listener : is asked whether more goes than is usual
    max_gb : more than this is asked about, 10^9 bytes; what the job itself wrote does
        not count
    """

    context: Context
    listener: Listener
    max_gb: float
    _allowed: bool = False
    _secrets: set[str] = field(default_factory=set)
    _ready: Outgoing | None = None

    def prepare(self, asked: Asked) -> Outgoing:
        """Decide what goes, report it, have it allowed; the next `outgoing` is this.

        Raises
        ------
        UsageError
            if it may not be sent, or nobody is there to be asked
        AdvisorError
            if it was not confirmed
        """
        private = private_of(self.context)
        if not self._allowed:
            check_folder(asked.folder, private.folders)
            self._allow_folder(asked.folder)
        allow = None if self._allowed else self._allow_size
        outgoing = decide(asked, private, self.context.notify, allow)
        for line in lines(outgoing, self.context.called):
            self.context.notify(line)
        if outgoing.named.keys() - self._secrets:
            self._check(self.listener.allows_secrets(secrets_named(outgoing)))
            self._secrets |= outgoing.named.keys()
        self._allowed = True
        self._ready = outgoing
        return outgoing

    def outgoing(self, asked: Asked) -> Outgoing:
        """Return what was prepared, else decide it now; as in `prepare`."""
        found = self._ready or self.prepare(asked)
        self._ready = None  # the next machine gets what is there by then
        return found

    def _allow_folder(self, folder: Path) -> None:
        if is_too_much(folder, self.context.home):
            self._allow(
                f"{folder.resolve()} has your home folder: name one in it with "
                f"{self.context.called('folder')}",
                "send all of it?",
            )

    def _allow_size(self, outgoing: Outgoing) -> None:
        if outgoing.bytes - outgoing.written_bytes > self.max_gb * BYTES_PER_GB:
            called = self.context.called
            self._allow(
                f"{too_large(outgoing, self.max_gb)} ({called('excludes')}, "
                f".advisorignore) or raise {called('max_sync_gb')}",
                "send it all?",
            )

    def _allow(self, reason: str, question: str) -> None:
        """Have something unusual allowed.

        Raises
        ------
        AdvisorError
            if it is not
        """
        self._check(self.listener.allows(reason, question))

    @staticmethod
    def _check(is_allowed: bool) -> None:
        if not is_allowed:
            message = "nothing was sent and nothing was rented: it was not confirmed"
            raise AdvisorError(message)
