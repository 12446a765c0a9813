"""One rented machine of a fleet: had, made ready, connected, looked after, given back.

Its calls block: who has several machines gives each of them a thread of its own. Until
`claim`, the ledger has the machine as ``"held"``: where its launcher dies, ``advisor
reconcile`` ends it. After that it is ``"working"``: the next launcher picks it up.
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from advisor.app.plan import Plan
from advisor.base.errors import (
    MarketError,
    NotShownError,
    OverBudgetError,
    RemoteError,
    UnreachableError,
    UsageError,
)
from advisor.fleet.bring import RemotePython, bring
from advisor.fleet.shared import Fleet, slots_of
from advisor.fleet.tunnel import Tunnel
from advisor.fleet.workers import Workers
from advisor.market.lifecycle import Instance
from advisor.rental.hold import Hold
from advisor.rental.labels import read_label
from advisor.rental.machine import WORK, heartbeats
from advisor.rental.outgoing.decide import Outgoing
from advisor.rental.presence import Presence
from advisor.rental.release import ended_in_time, release
from advisor.rental.remote.held_job import LAPSE_MARGIN_S
from advisor.rental.remote.sync import prepare, push
from advisor.rental.rent import renting
from advisor.rental.request import Rental
from advisor.rental.succession import picked_up, succeeded
from advisor.store.ledger import Entry

PATIENCE_S = 300.0
"""Seconds for which a machine that the market shows may not be reached before it counts
as lost: `advisor run` waits as long; an assumption."""

_LOOK_S = 60.0
_SYNCED = '"$HOME/.advisor/synced"'
"""File on a machine, in the shell's words: the folder is there as a whole."""


class Member:
    """One rented machine of a fleet.

    Parameters
    ----------
    fleet : that it belongs to
    entry : of the ledger
    hold : of this process on it
    instance : as the market showed it
    stack : what holds it; closed when it is given back or left
    rental : what was paid for; None where an earlier launcher rented it

    Attributes
    ----------
    ssh : the way to it; shares the connection of the tunnel while that is there
    slots : numbers of the GPUs of each slot
    worker_names : of its Dask workers, one per slot; empty while it is not connected
    python : that was brought there; None before `prepare`
    """

    def __init__(  # noqa: PLR0917  (as it was had)
        self,
        fleet: Fleet,
        entry: Entry,
        hold: Hold,
        instance: Instance,
        stack: ExitStack,
        rental: Rental | None = None,
    ) -> None:
        self.fleet = fleet
        self.rental = rental
        self.presence = Presence(fleet.rental, entry, hold)
        self.ssh = self._own = self.presence.ssh = fleet.ssh_to(instance)
        self.slots = slots_of(entry.num_gpus, fleet.gpus)
        self.worker_names: tuple[str, ...] = ()
        self.python: RemotePython | None = None
        self._stack = stack
        self._signs = stack.enter_context(ExitStack())
        self._tunnel: Tunnel | None = None
        self._workers: Workers | None = None
        self._sockets: Path | None = None
        self._looked_at = self._heard_from = fleet.context.clock.monotonic()
        self._silent_since: float | None = None
        self._told_at = float("-inf")
        notify = fleet.rental.notify
        self._signs.enter_context(heartbeats(self._own, notify, fleet.lease_s))
        stack.enter_context(ended_in_time(fleet.rental, entry))

    @classmethod
    def rented(cls, fleet: Fleet, planned: Plan) -> Self:
        """Rent a machine; return it once ssh answers.

        Raises
        ------
        AdvisorError
            as `advisor.rental.rent.renting`; nothing is rented then, unless the error
            says so
        """
        with ExitStack() as stack, fleet.claims.of_one() as may_try:
            request = replace(planned.request, may_try=may_try)
            had = stack.enter_context(renting(fleet.rental, request, fleet.confirm))
            member = cls(fleet, had.entry, had.hold, had.instance, stack, had)
            member._stack = stack.pop_all()
            return member

    @classmethod
    def picked_up(cls, fleet: Fleet, entry: Entry) -> Self:
        """Return a machine whose launcher is gone, or hangs, as this one's.

        Raises
        ------
        advisor.rental.presence.MachineLostError
            if it does not run any more: it was released
        AdvisorError
            if it is not ours to follow: it is left as it is
        """
        with ExitStack() as stack:
            hold = stack.enter_context(succeeded(fleet.rental, entry))
            instance = picked_up(Presence(fleet.rental, entry, hold), fleet.ssh_to)
            fleet.rental.notify(f"instance {instance.instance_id}: picked up again")
            member = cls(fleet, entry, hold, instance, stack)
            member._stack = stack.pop_all()
            return member

    @property
    def entry(self) -> Entry:
        """Return it as the ledger had it when it was rented, picked up or claimed."""
        return self.presence.entry

    @property
    def label(self) -> str:
        """Its label, which no other rental has."""
        return self.entry.label

    @property
    def token(self) -> str:
        """The part of its label that no other one has."""
        read = read_label(self.label)
        return read.token if read else self.label

    @property
    def name(self) -> str:
        """What people call it."""
        return f"instance {self.entry.instance_id}"

    @property
    def usd_per_hour(self) -> float:
        """What it bills, $/h."""
        return self.entry.usd_per_hour

    @property
    def is_connected(self) -> bool:
        """Whether the connection to it stands, as far as ssh has noticed."""
        return self._tunnel is not None and self._tunnel.is_alive()

    @property
    def has_lapsed(self) -> bool:
        """Whether it has surely ended its jobs for want of a sign of life of ours."""
        since = self._silent_since
        now = self.fleet.context.clock.monotonic()
        return since is not None and now - since > self.fleet.lease_s + LAPSE_MARGIN_S

    @property
    def silent_s(self) -> float:
        """Seconds since it was reached last."""
        now = self.fleet.context.clock.monotonic()
        return now - max(self._heard_from, self._own.heard_at, self.ssh.heard_at)

    def prepare(self) -> None:
        """Bring Python and Dask there, and the folder, each once.

        Raises
        ------
        advisor.fleet.bring.NoPythonError
            if its image can run no Dask
        RemoteError
            if something cannot be brought
        AdvisorError
            as `look`
        """
        notify, progress = self.fleet.rental.notify, self.fleet.rental.progress
        self.python = self.presence.patiently(lambda: bring(self.ssh, notify, progress))
        if self.fleet.outgoing is not None:
            self.presence.patiently(self._sync)

    def _sync(self) -> None:
        """Send the folder unless it is there: jobs may be at work in it."""
        progress, look = self.fleet.rental.progress, self.presence.look_now_and_then
        asked = f"[ ! -e {_SYNCED} ] || echo yes"
        if self.ssh.ask(asked, "looking for the folder").strip() == "yes":
            return
        prepare(self.ssh, progress)
        if self.fleet.outgoing is not None:
            push(self.ssh, self.fleet.outgoing(), WORK, look, progress)
        self.ssh.ask(f"mkdir -p ~/.advisor && : >{_SYNCED}", "noting the folder")

    def send(self, outgoing: Outgoing) -> None:
        """Send more of the folder, such as what a job has saved elsewhere.

        Raises
        ------
        RemoteError
            if it cannot be sent
        """
        push(self.ssh, outgoing, WORK, self.presence.look_now_and_then)

    def clear(self, *folders: str) -> None:
        """Remove folders of a job there: what an earlier attempt has left in them.

        Raises
        ------
        RemoteError
            if that cannot be done
        """
        places = shlex.join(f"{WORK}/{folder}" for folder in folders)
        self.ssh.ask(f"rm -rf -- {places}", "clearing folders of an earlier attempt")

    def connect(self) -> None:
        """Connect it, and start its workers; also again, after a loss.

        Raises
        ------
        UnreachableError
            if it cannot be reached: it may be later
        RemoteError
            if its workers do not start
        UsageError
            if `prepare` was not called before
        """
        if self.python is None:
            message = "a machine is made ready before its workers start"
            raise UsageError(message)
        self.disconnect()
        if self._sockets is None:
            # Short: the path of a socket has 108 bytes at most (unix(7)).
            self._sockets = Path(tempfile.mkdtemp(prefix="advisor-"))
            self._stack.callback(shutil.rmtree, self._sockets, ignore_errors=True)
        self._tunnel = Tunnel.open(self._own, self._sockets)
        try:
            self.ssh = self._tunnel.ssh
            self._workers = Workers(
                self._tunnel, self.python, self.fleet.door, self.token, self.slots
            )
            self.worker_names = self._workers.start()
        except BaseException:
            self.disconnect()
            raise

    def disconnect(self) -> None:
        """End its workers and the connection, as far as it can be reached.

        Its jobs go on.
        """
        workers, self._workers = self._workers, None
        tunnel, self._tunnel = self._tunnel, None
        self.worker_names, self.ssh = (), self._own
        if tunnel is None:
            return
        try:
            if workers is not None and tunnel.is_alive():
                with suppress(RemoteError):
                    workers.stop()
        finally:
            tunnel.close()

    def claim(self) -> None:
        """Write down that jobs may be on it: the next launcher is to pick it up.

        Raises
        ------
        AdvisorError
            if that cannot be written, or somebody has released it
        """
        rental, entry = self.fleet.rental, self.entry
        if entry.state == "held":
            self.presence.entry = rental.ledger.advance(
                entry.label, "working", rental.now(), "it runs jobs"
            )

    def look(self) -> None:
        """Look after it once in a while, however often this is called.

        A machine that cannot be reached is lost once the market answers and shows it: as
        long as that is silent too, it may be our own network, and the machine waits.

        Raises
        ------
        UnreachableError
            if it could not be reached for long
        advisor.rental.presence.MachineLostError, AdvisorError
            as `advisor.rental.presence.Presence.look_after`
        """
        now = self.fleet.context.clock.monotonic()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        self.presence.look_after()
        self._check_reached()

    def tell_unreached(self, error: UnreachableError) -> None:
        """Tell that it cannot be reached just now, however often, once a minute."""
        now = self.fleet.context.clock.monotonic()
        if now >= self._told_at + _LOOK_S:
            self._told_at = now
            self.fleet.rental.notify(f"{self.name}: {error}; trying again")

    def look_at_last(self) -> None:
        """Look after it while it is wound up: until it must be gone, or is lost.

        One that the market does not show is given back all the same: nobody waits for
        its lease at the end.

        Raises
        ------
        OverBudgetError
            if its time is over
        UnreachableError
            as `look`
        advisor.rental.presence.MachineLostError, AdvisorError
            as `advisor.rental.presence.Presence.instance`
        """
        if self.fleet.rental.is_over(self.entry.ends_at):
            message = "the machine's lifetime is over before its results are here"
            raise OverBudgetError(message)
        now = self.fleet.context.clock.monotonic()
        if now - self._looked_at >= _LOOK_S:
            self._looked_at = now
            with suppress(MarketError, NotShownError):
                self.presence.instance()  # it may answer elsewhere by now
        with suppress(NotShownError):
            self._check_reached()

    def _check_reached(self) -> None:
        """Raise if it was not reached for long although the market shows it."""
        silent_s = self.silent_s
        if silent_s < PATIENCE_S:
            return
        with suppress(MarketError):
            if self.presence.instance() is not None and not self._own.answers():
                message = f"{self.name} was not reached for {silent_s / 60.0:.0f} min"
                raise UnreachableError(message)

    def hush(self) -> None:
        """Give it no sign of life any more: from now on its lease runs out.

        Whatever keeps its connection from being ended is told: the machine is to be
        given back all the same.
        """
        if self._silent_since is not None:
            return
        try:
            self.disconnect()
        except Exception as error:
            self.fleet.rental.notify(f"{self.name}: its connection: {error!r}")
        self._signs.close()
        self._silent_since = self.fleet.context.clock.monotonic()

    def release(self, why: str) -> None:
        """Give it back, and return once the market has confirmed that it is gone.

        Raises
        ------
        advisor.base.errors.RentalStateUnknownError
            if nobody can say that it is gone; this may be called again
        """
        self.hush()
        release(self.fleet.rental, self.entry, why)
        self.leave()

    def leave(self) -> None:
        """Let go of it as it is."""
        self.hush()
        self._stack.close()
