"""One launch of a sweep: what an earlier one has left, its machines, and its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from advisor.app.context import Context
from advisor.app.listener import Listener
from advisor.app.sweep import SweepJob, SweepSpec
from advisor.app.sweep_plan import SweepPlan
from advisor.base.errors import StoreError
from advisor.base.figures import duration
from advisor.base.interrupts import deferred
from advisor.fleet.board import Board, Counts
from advisor.fleet.controller import Controller, Share
from advisor.fleet.crew import Work
from advisor.fleet.events import Event, SweepBegun, SweepEnded
from advisor.fleet.folders import Folders
from advisor.fleet.planning import Planning
from advisor.fleet.scheduler import open_scheduler
from advisor.fleet.shared import Fleet
from advisor.fleet.tally import Tally
from advisor.fleet.tasks import submitter
from advisor.rental.caps import commitments
from advisor.rental.context import RentalContext
from advisor.rental.labels import check_job, read_label
from advisor.rental.reconcile import reconcile, unsettled
from advisor.rental.release import release_found_again
from advisor.rental.remote.ssh import ensure_key
from advisor.rental.returning import moment
from advisor.store.ledger import CLOSED, Entry
from advisor.store.sweeps import SweepStore

_FOLDER = "sweeps"
_SPENT_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Face:
    """Whoever a sweep is carried out for.

    Attributes
    ----------
    listener : is asked where something unusual would be sent
    told : hears what happens, from several threads
    confirms : is asked whether a plan may be paid for
    """

    listener: Listener = field(default_factory=Listener)
    told: Callable[[Event], None] = lambda _: None
    confirms: Callable[[SweepPlan], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class SweepResult:
    """How a sweep stands when its launcher ends.

    Attributes
    ----------
    name : of it
    counts : where its jobs are
    usd : that its machines have cost, by the ledger, $
    logs : folder of the logs of its jobs
    """

    name: str
    counts: Counts
    usd: float
    logs: Path


def logs_of(context: Context, name: str) -> Path:
    """Return the folder of the logs of a sweep's jobs."""
    return context.data_folder / _FOLDER / check_job(name) / "logs"


def spent_usd(rental: RentalContext, name: str) -> float:
    """Return what the machines of a sweep have cost so far at most, by the ledger, $."""
    entries = [one for one in rental.ledger.entries(rental.account) if one.job == name]
    now = rental.now()
    so_far = (
        replace(one, ends_at=min(one.ends_at, now)) if one.is_open else one
        for one in entries
    )
    return sum(one.usd for one in commitments(so_far, (), now))


@dataclass(slots=True)
class Launch:
    """One launch of a sweep.

    Attributes
    ----------
    context, spec, jobs, folders, rental, face : what it needs
    """

    context: Context
    spec: SweepSpec
    jobs: Sequence[SweepJob]
    folders: Folders
    rental: RentalContext
    face: Face
    _tally: Tally = field(default_factory=Tally)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _spent_at: float = float("-inf")

    @property
    def name(self) -> str:
        """Of the sweep."""
        return self.spec.name or ""

    def run(self, stack: ExitStack, plan: SweepPlan | None) -> SweepResult:
        """Carry it out.

        Parameters
        ----------
        plan : of a new one; None: it goes on
        """
        board, stored = self._board(), SweepStore(self.context.data_folder)
        stack.enter_context(deferred())
        at_work, absent = self._left_over(board)
        counts = board.counts
        if plan is None and not counts.is_over:
            self.folders.check(self.face.listener, begins=False)
        self._told(
            SweepBegun(
                at=self.rental.now(),
                sweep=self.name,
                jobs=len(self.jobs),
                done=counts.done,
                failed=counts.failed,
                budget_usd=self.spec.budget_usd,
                usd=self._spent_usd(),
                planned_usd=None if plan is None else plan.usd,
                planned_hours=None if plan is None else plan.hours,
                resumed=plan is None,
            )
        )
        with self._ending(board):
            if not counts.is_over or at_work:
                work = stack.enter_context(self._work(board))
                planning = Planning(
                    self.context,
                    self.spec,
                    self.jobs,
                    board,
                    self.rental,
                    self._told,
                    self._spent_usd,
                )
                planning.knows(stored.load(self.name))
                first = None if plan is None else planning.shares_of(plan)
                controller = Controller(work, planning, self._tick)
                controller.run(at_work, absent, first)
            self._check_whole()
        return self._result(board)

    def stop(self, stack: ExitStack) -> SweepResult:
        """End what runs of it."""
        board = self._board()
        stack.enter_context(deferred())
        at_work, _ = self._left_over(board)
        with self._ending(board):
            if at_work:
                work = stack.enter_context(self._work(board))
                Controller(work, _nothing_new, self._tick).stop(at_work)
        return self._result(board)

    def _told(self, event: Event) -> None:
        with self._turn:
            self._tally.hear(event)
        self._tell(event)

    def _tell(self, event: Event) -> None:
        """Tell what happens; who does not hear it any more changes nothing of it."""
        try:
            self.face.told(event)
        except Exception as error:  # of a machine's thread, which must go on
            self.rental.notify(f"what happens cannot be told: {error!r}")

    def _check_whole(self) -> None:
        """Refuse to call a sweep done of which the store does not tell all.

        Raises
        ------
        StoreError
            if it does not
        """
        torn = SweepStore(self.context.data_folder).torn(self.name)
        if torn:
            message = (
                f"{len(torn)} rows of the sweep {self.name} make no sense, such as that "
                f"of {torn[0].label}: {torn[0].why}; nobody knows where those jobs are"
            )
            raise StoreError(message)

    def _tick(self) -> None:
        """Tell now and then what was spent."""
        now = self.context.clock.monotonic()
        if now - self._spent_at < _SPENT_EVERY_S:
            return
        self._spent_at = now
        with suppress(StoreError):  # it is told the next time
            usd = self._spent_usd()
            with self._turn:
                spent = self._tally.spent(usd, self.rental.now())
            self._tell(spent)

    def _spent_usd(self) -> float:
        return spent_usd(self.rental, self.name)

    def _board(self) -> Board:
        store = SweepStore(self.context.data_folder)
        for torn in store.torn(self.name):
            self.rental.notify(f"a row of {torn.label} makes no sense: {torn.why}")
        retries = self.spec.retries
        return Board(store, self.name, self.jobs, retries, self.rental.now)

    def _left_over(self, board: Board) -> tuple[list[Entry], list[str]]:
        """Put in order what an earlier launcher has left.

        Returns
        -------
        machines that are to be picked up, and labels of those that nobody can
        """
        found = reconcile(self.rental)
        if found.ledger_error is not None:
            raise found.ledger_error
        entries = {
            one.label: one
            for one in self.rental.ledger.entries(self.rental.account)
            if one.job == self.name
        }
        at_work = [one for one in entries.values() if one.state == "working"]
        absent = []
        for label in sorted(board.labels()):
            entry = entries.get(label)
            if entry is None:
                self._tell_unknown(label, len(board.on(label)))
                absent.append(label)
            elif entry.state in ("released", "refused"):
                board.move_all(label, "destroyed")
            elif entry.state != "working":
                absent.append(label)
        return at_work, absent

    def _tell_unknown(self, label: str, jobs: int) -> None:
        """Tell of a machine that has jobs, and of which the ledger does not tell.

        Nobody gives it a sign of life. It may run them until its lease is over.
        """
        read = read_label(label)
        until = "its end" if read is None else moment(read.ends_unix_s)
        self.rental.notify(
            f"the ledger does not tell of {label}, which has {jobs} jobs: they wait "
            f"until it must have ended them itself, {duration(self.spec.lease_s)} or "
            f"more. It may bill until {until}: 'advisor rentals' shows it, 'advisor "
            "release' ends it"
        )

    @contextmanager
    def _work(self, board: Board) -> Iterator[Work]:
        """Yield what its machines share, while its scheduler runs."""
        key_file, _ = ensure_key(self.context.ssh_folder)
        with open_scheduler(guarded=True) as scheduler:
            fleet = Fleet(
                context=self.context,
                rental=self.rental,
                key_file=key_file,
                door=scheduler.door,
                lease_s=self.spec.lease_s,
                gpus=self.spec.gpus,
                outgoing=self.folders.outgoing,
            )
            yield Work(
                fleet=fleet,
                board=board,
                submit=submitter(scheduler.client),
                folder=Path(self.spec.folder),
                logs=logs_of(self.context, self.name),
                incoming=self.folders.incoming,
                saved=self.folders.saved,
                variables={"ADVISOR_SWEEP": self.name},
                resuming=f"advisor sweep resume {self.name}",
                told=self._told,
            )

    @contextmanager
    def _ending(self, board: Board) -> Iterator[None]:
        """Tell how it ended; note it where all is over."""
        reason = ""
        try:
            yield
            if board.counts.is_over:
                release_found_again(self.rental, self.name)
            self._settle()
        except KeyboardInterrupt:
            reason = "interrupted"
            raise
        except BaseException as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise
        finally:
            self._tell_left()
            counts, store = board.counts, SweepStore(self.context.data_folder)
            if counts.is_over and not store.torn(self.name):
                store.finish(self.name, self.rental.now())
            self._told(
                SweepEnded(
                    at=self.rental.now(),
                    done=counts.done,
                    failed=counts.failed,
                    waiting=counts.waiting + counts.assigned,
                    usd=self._spent_usd(),
                    reason=reason,
                )
            )

    def _tell_left(self) -> None:
        """Tell of machines that are not given back, whatever ended the launcher."""
        for one in self._open():
            self.rental.notify(
                f"instance {one.instance_id} is {one.state}, and may bill until "
                f"{moment(one.ends_at)}: 'advisor sweep stop {self.name}' ends it"
            )

    def _open(self) -> list[Entry]:
        """Return the machines of it that are not known to be gone."""
        entries = self.rental.ledger.entries(self.rental.account)
        return [
            one for one in entries if one.job == self.name and one.state not in CLOSED
        ]

    def _settle(self) -> None:
        """See that no machine of it is left.

        Raises
        ------
        RentalStateUnknownError
            if nobody can say
        """
        left = self._open()
        if not left:
            return
        labels = {one.label for one in left}
        found = [one for one in reconcile(self.rental).findings if one.label in labels]
        error = unsettled(found)
        if error is not None:
            raise error

    def _result(self, board: Board) -> SweepResult:
        usd = self._spent_usd()
        return SweepResult(self.name, board.counts, usd, logs_of(self.context, self.name))


def _nothing_new(_without: object, _there: object) -> Sequence[Share]:
    """Plan nothing: a sweep that is stopped gets no machine."""
    return ()
