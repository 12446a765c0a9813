"""Where each job of a sweep is, and which one a machine gets next.

What the store says is what is so; this is the same in memory, for the threads of one
launcher. Each change is written there first.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from advisor.app.job import JobSpec
from advisor.app.sweep import SweepJob
from advisor.software.misfit import Symptom
from advisor.store.sweeps import Proof, StoredJob, SweepStore

JobEnd = Literal["done", "failed", "waiting"]
"""What becomes of a job that has ended; *waiting*: it is started again."""

_DONE = ("done", "failed")

REFUSED_BY = 3
"""Machines that do not start a job before it has failed; an assumption."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start of a job on one machine.

    Attributes
    ----------
    job : with all that its templates name filled in
    label : of the machine's rental
    number : 1, 2, ... of the job's attempts
    before : label of the machine that had it last; ``""``: none had it
    """

    job: SweepJob
    label: str
    number: int
    before: str = ""

    @property
    def key(self) -> str:
        """Name of the job and number of the attempt."""
        return f"{self.job.name}.{self.number}"


@dataclass(frozen=True, slots=True)
class Moved:
    """Attempts that surely do not run any more.

    Attributes
    ----------
    attempts : whose jobs wait again
    proof : how that is known
    """

    attempts: tuple[Attempt, ...]
    proof: Proof


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs are where."""

    waiting: int
    assigned: int
    done: int
    failed: int

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return not (self.waiting or self.assigned)


@dataclass(slots=True)
class _Share:
    """The jobs that one machine is to do.

    Attributes
    ----------
    waiting : names, in order
    usd_per_job : what one costs there, $
    """

    waiting: deque[str] = field(default_factory=deque)
    usd_per_job: float = float("inf")


class Board:
    """The jobs of one sweep, for several threads.

    Parameters
    ----------
    store : where they are written down
    name : of the sweep
    jobs : all of them
    retries : how often one that fails is started again
    now : returns the time, seconds since 1970
    """

    def __init__(
        self,
        store: SweepStore,
        name: str,
        jobs: Iterable[SweepJob],
        retries: int,
        now: Callable[[], float],
    ) -> None:
        self._store, self._name, self._now = store, name, now
        self._retries = retries
        self._jobs = {one.name: one for one in jobs}
        self._at = {one.name: one for one in store.jobs(name)}
        self._turn = threading.RLock()
        self._shares: dict[int, _Share] = {}
        self._is_mixed = len({one.job for one in self._jobs.values()}) > 1
        self._fit: dict[int, set[JobSpec]] = {}
        self._refused_by: dict[str, set[str]] = {}
        self._free = deque(name for name, one in self._at.items() if _waits(one))

    @property
    def counts(self) -> Counts:
        """How many jobs are where; one that has ended and is not home is *assigned*."""
        with self._turn:
            states = [one.state for one in self._at.values()]
        done, failed = states.count("done"), states.count("failed")
        waiting = states.count("waiting")
        assigned = len(states) - waiting - done - failed
        return Counts(waiting, assigned, done, failed)

    def on(self, label: str) -> Sequence[StoredJob]:
        """Return the jobs that a machine has, also those that have ended there."""
        with self._turn:
            return [
                one
                for one in self._at.values()
                if one.label == label and one.state not in (*_DONE, "waiting")
            ]

    def labels(self) -> frozenset[str]:
        """Return the machines that have jobs."""
        with self._turn:
            return frozenset(
                one.label
                for one in self._at.values()
                if one.state not in (*_DONE, "waiting") and one.label
            )

    def waiting(self) -> Sequence[SweepJob]:
        """Return the jobs that no machine has, in their order."""
        with self._turn:
            return [self._jobs[name] for name, one in self._at.items() if _waits(one)]

    def unshared(self) -> Sequence[str]:
        """Return the jobs that wait and are in no machine's share."""
        with self._turn:
            return list(self._free)

    def attempt_of(self, one: StoredJob) -> Attempt:
        """Return the attempt that a job is in."""
        return Attempt(self._jobs[one.name], one.label, one.attempt)

    def share(self, shares: Mapping[int, Sequence[str]]) -> None:
        """Say anew which machine is to do which of the jobs that wait.

        Parameters
        ----------
        shares : number of a machine -> names of jobs, in order; what is in none is for
            whoever has time
        """
        with self._turn:
            prices = {key: one.usd_per_job for key, one in self._shares.items()}
            waiting = dict.fromkeys(name for name, one in self._at.items() if _waits(one))
            self._shares = {}
            for key, names in shares.items():
                fit = self._fit.setdefault(key, set())
                fit.update(self._jobs[name].job for name in names)
                own = deque(name for name in names if waiting.pop(name, 1) is None)
                self._shares[key] = _Share(own, prices.get(key, float("inf")))
            self._free = deque(waiting)

    def price(self, key: int, usd_per_job: float) -> None:
        """Note what a job costs on a machine, $: who is no dearer may take its jobs."""
        with self._turn:
            self._shares.setdefault(key, _Share()).usd_per_job = usd_per_job

    def leave(self, key: int) -> None:
        """Have the share of a machine that is no more for whoever has time."""
        with self._turn:
            share = self._shares.pop(key, None)
            if share is not None:
                self._free.extend(share.waiting)

    def take(self, key: int, label: str) -> Attempt | None:
        """Give a machine its next job, which is written down first; None: there is none.

        Its own share comes first, then what is nobody's, then the last jobs of machines
        that are no cheaper; of these only trainings such as are in its own shares, since
        the plan has not said that it can run another one.

        Raises
        ------
        StoreError
            if it cannot be written down: the job is not given
        """
        with self._turn:
            if self._is_mixed:  # one that an earlier launcher has rented
                had = {self._jobs[one.name].job for one in self.on(label)}
                self._fit.setdefault(key, set()).update(had)
            found = self._next(key)
            if found is None:
                return None
            name, source = found
            before = self._at[name].label
            number = self._store.assign(self._name, name, label, self._now())
            if source:
                source.remove(name)
            self._set(name, state="assigned", label=label, attempt=number)
            return Attempt(self._jobs[name], label, number, before)

    def has_for(self, key: int) -> bool:
        """Say whether `take` would give a machine a job."""
        with self._turn:
            return self._next(key) is not None

    def end(self, attempt: Attempt, exit_code: int | None) -> None:
        """Write down how a command has ended; its results are not here yet."""
        with self._turn:
            name, label, number = attempt.job.name, attempt.label, attempt.number
            at = self._now()
            self._store.end(self._name, name, label, number, exit_code, at)
            ended = self._at[name].attempts + 1
            self._set(name, state="ended", exit_code=exit_code, attempts=ended)

    def verdict(
        self, attempt: Attempt, exit_code: int | None, symptom: Symptom | None
    ) -> JobEnd:
        """Return what becomes of a job of which an attempt has ended so.

        What a machine could not run gets one more start, on another one; so does, where
        it is, what ended in a way that nobody knows, such as by a restart.

        Parameters
        ----------
        exit_code : None where nobody knows it
        symptom : what shows that the machine could not run it, None if nothing does
        """
        if exit_code == 0:
            return "done"
        is_its_own = symptom is None and exit_code is not None
        most = 1 + self._retries + (not is_its_own)
        with self._turn:
            ended = self._at[attempt.job.name].attempts
        return "waiting" if ended < most else "failed"

    def finish(self, attempt: Attempt, state: JobEnd, reason: str = "") -> None:
        """Write down what becomes of a job that has ended, its results being here."""
        name, label, number = attempt.job.name, attempt.label, attempt.number
        with self._turn:
            self._store.finish_job(
                self._name, name, label, number, state, reason, self._now()
            )
            self._set(name, state=state)
            if state == "waiting":
                self._free.append(name)

    def refuse(self, attempt: Attempt, reason: str, *, is_over: bool) -> str:
        """Take account of a job that its machine does not start; return its state then.

        It waits for another machine, and has failed once `REFUSED_BY` of them did not
        start it; both only where nothing of it lives, or will.

        Parameters
        ----------
        reason : what the machine says
        is_over : whether the machine has confirmed that nothing of it lives, or will;
            else it stays there
        """
        name = attempt.job.name
        with self._turn:
            machines = self._refused_by.setdefault(name, set())
            machines.add(attempt.label)
            if is_over and len(machines) >= REFUSED_BY:
                self.end(attempt, None)
                self.finish(attempt, "failed", f"{REFUSED_BY} machines refuse: {reason}")
            elif is_over:
                self.move(attempt, "stopped")
            return self._at[name].state

    def move(self, attempt: Attempt, proof: Proof) -> None:
        """Have a job that surely does not run any more wait for another start.

        One that has ended, and whose results are lost with its machine, waits as well.
        """
        name, label, number = attempt.job.name, attempt.label, attempt.number
        with self._turn:
            self._store.move(self._name, name, label, number, proof, self._now())
            self._set(name, state="waiting")
            self._free.append(name)

    def move_all(self, label: str, proof: Proof) -> Moved:
        """Have all that a machine had and did not bring home wait; return it."""
        with self._turn:
            attempts = tuple(map(self.attempt_of, self.on(label)))
            for one in attempts:
                self.move(one, proof)
            return Moved(attempts, proof)

    def _next(self, key: int) -> tuple[str, deque[str] | None] | None:
        """Return the next job of a machine, and the queue that it is in."""
        own = self._shares.setdefault(key, _Share())
        dearer = [
            other
            for number, other in self._shares.items()
            if number != key and own.usd_per_job <= other.usd_per_job < float("inf")
        ]
        dearer.sort(key=lambda one: len(one.waiting), reverse=True)
        if own.waiting:
            return own.waiting[0], own.waiting
        others = ((reversed(one.waiting), one.waiting) for one in dearer)
        for names, queue in ((iter(self._free), self._free), *others):
            for name in names:
                if self._fits(key, name):
                    return name, queue
        return None

    def _fits(self, key: int, name: str) -> bool:
        """Say whether a plan has found that a machine can run jobs like one."""
        return not self._is_mixed or self._jobs[name].job in self._fit.get(key, ())

    def _set(self, name: str, **changes: object) -> None:
        self._at[name] = replace(self._at[name], **changes)  # type: ignore[arg-type]


def _waits(one: StoredJob) -> bool:
    return one.state == "waiting"
