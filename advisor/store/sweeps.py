r"""Sweeps: where each job of many is, written before anything of it is started.

A job is in one place at a time::

    waiting -> assigned -> ended -> done or failed
       ^----------/---------/

*waiting*: nothing of it runs. *assigned*: one machine, its label, has one attempt of it;
whether that has begun is not known here. *ended*: the machine said that the attempt ended
and that nothing of it lives; what it wrote may have to be brought back. *done*, *failed*:
it is over.

It leaves its machine otherwise only by a proof that nothing of the attempt lives or will.
Every change is compared with the machine and the attempt that it is about: one that comes
late changes nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from advisor.base.errors import AdvisorError, StoreError
from advisor.base.log import happened
from advisor.store.database import open_store, transaction
from advisor.store.entry import Torn
from advisor.store.kept_room import in_kept_room
from advisor.store.place import place_of
from advisor.store.reserve import Reserve
from advisor.store.sense import plain_text
from advisor.store.sweep_rows import (
    JobPhase,
    Step,
    StoredJob,
    StoredSweep,
    found_job,
    insert_jobs,
    insert_sweep,
    jobs_of,
    steps_of,
    sweep_row,
    sweeps_in,
    torn_rows,
    update_job,
    update_sweep,
)

__all__ = ["JobPhase", "Proof", "Step", "StoredJob", "StoredSweep", "SweepStore"]

_Result = TypeVar("_Result")

Proof = Literal["stopped", "lapsed", "destroyed"]
"""Why nothing of an attempt lives or will: the machine said so; the machine was not heard
for longer than its lease and ends it itself; the market confirmed that the machine is
gone."""

Outcome = Literal["done", "failed", "waiting"]
"""What becomes of a job whose attempt has ended; *waiting*: another attempt."""


@dataclass(frozen=True, slots=True)
class SweepStore:
    """The sweeps in the user's data folder; each change is one transaction on disk.

    Several processes and threads may use it at once. Every call raises
    :class:`advisor.base.errors.StoreError` if the file cannot be read or written.

    Attributes
    ----------
    folder : the user's data folder
    """

    folder: Path

    def begin(
        self,
        name: str,
        spec: Mapping[str, Any],
        plan: Mapping[str, Any],
        jobs: Sequence[str],
        at: float,
        *,
        market: str = "",
    ) -> None:
        """Write down a new sweep, all of whose jobs wait.

        Parameters
        ----------
        name : that no other one has
        spec, plan : documents of what is asked for and how it is to be done
        jobs : names, in their order
        at : now, s
        market : address and account that its machines are rented from

        Raises
        ------
        AdvisorError
            if there is a sweep of that name, or it makes no sense
        StoreFullError
            if there is no room for what must be written later
        """
        if not jobs or len(set(jobs)) != len(jobs):
            message = f"the sweep {name} needs jobs, each of a name of its own"
            raise AdvisorError(message)
        happened("sweeps", "%s: begun, %d jobs", name, len(jobs))
        Reserve(self.folder).make()
        place = place_of(self.folder)  # which has a place once it is there
        row = sweep_row(StoredSweep(name, market, place, at, None, at, spec, plan))
        with open_store(self.folder) as store, transaction(store):
            if any(True for _ in sweeps_in(store, name)):
                message = f"there is a sweep {name} already: give this one another name"
                raise AdvisorError(message)
            insert_sweep(store, row)
            insert_jobs(store, name, jobs)

    def load(self, name: str) -> StoredSweep:
        """Return a sweep.

        Raises
        ------
        AdvisorError
            if there is none of that name
        StoreError
            if its row makes no sense
        """
        return self._in_store(lambda store: _found(store, name))

    def sweeps(self) -> Sequence[StoredSweep]:
        """Return all sweeps, the oldest first; rows that make no sense are left out."""

        def collect(store: sqlite3.Connection) -> list[StoredSweep]:
            found = sweeps_in(store)
            return [one for one in found if isinstance(one, StoredSweep)]

        return self._in_store(collect)

    def jobs(self, name: str) -> Sequence[StoredJob]:
        """Return the jobs of a sweep in their order.

        Rows that make no sense are left out, see `torn`: nobody knows where such a job
        is, and it is never assigned.
        """
        return self._in_store(lambda store: jobs_of(store, name)[0])

    def job(self, name: str, job: str) -> StoredJob:
        """Return one job of a sweep.

        Raises
        ------
        AdvisorError
            if there is none of that name
        """
        return self._in_store(lambda store: found_job(store, name, job)[1])

    def history(self, name: str, job: str) -> Sequence[Step]:
        """Return the steps of a job, the oldest first; torn ones are left out."""
        return self._in_store(lambda store: steps_of(store, name, job))

    def torn(self, name: str | None = None) -> Sequence[Torn]:
        """Return what makes no sense of a sweep (of all if `None`)."""
        return self._in_store(lambda store: torn_rows(store, name))

    def replan(self, name: str, plan: Mapping[str, Any], at: float) -> None:
        """Keep a plan that was made at some time in place of the one before."""
        self._change_sweep(name, lambda one: replace(one, plan=plan, planned_at=at))

    def finish(self, name: str, at: float) -> None:
        """Note that a sweep is over: none of its jobs is assigned after this."""
        happened("sweeps", "%s: over", name)
        self._change_sweep(name, lambda sweep: replace(sweep, ended_at=at))

    def reopen(self, name: str) -> None:
        """Let a sweep that is over go on."""
        happened("sweeps", "%s: goes on", name)
        self._change_sweep(name, lambda sweep: replace(sweep, ended_at=None))

    def assign(self, name: str, job: str, label: str, at: float) -> int:
        """Give a job that waits to a machine; return the number of the attempt.

        Parameters
        ----------
        name, job : of the sweep and of the job
        label : of the machine's rental
        at : now, s

        Raises
        ------
        AdvisorError
            if the job does not wait, or the sweep is over
        """

        def give(before: StoredJob) -> StoredJob:
            if before.state != "waiting":
                raise _refusal(name, before, f"it cannot be given to {label}")
            return replace(
                before,
                state="assigned",
                label=label,
                attempt=before.attempt + 1,
                exit_code=None,
                assigned_at=at,
                ended_at=None,
                reason="",
            )

        return self._change(name, job, give, at, starts=True).attempt

    def end(  # noqa: PLR0917  (four of them say which attempt)
        self,
        name: str,
        job: str,
        label: str,
        attempt: int,
        exit_code: int | None,
        at: float,
    ) -> None:
        """Note that an attempt ended by itself and that nothing of it lives.

        Parameters
        ----------
        name, job, label, attempt : of the sweep, the job, its machine, and which one
        exit_code : None where nobody knows it
        at : now, s

        Raises
        ------
        AdvisorError
            if the job is not assigned to that machine as that attempt
        """

        def note(before: StoredJob) -> StoredJob:
            _compare(name, before, "assigned", label, attempt)
            attempts = before.attempts + 1
            return replace(
                before, state="ended", exit_code=exit_code, ended_at=at, attempts=attempts
            )

        self._change(name, job, note, at)

    def finish_job(  # noqa: PLR0917  (four of them say which attempt)
        self,
        name: str,
        job: str,
        label: str,
        attempt: int,
        state: Outcome,
        reason: str,
        at: float,
    ) -> None:
        """Note what becomes of a job whose attempt has ended.

        Parameters
        ----------
        name, job, label, attempt : of the sweep, the job, its machine, and which one
        state : ``"waiting"``: another attempt is to be made
        reason : why, for people
        at : now, s

        Raises
        ------
        AdvisorError
            if that attempt is not the job's last one, or has not ended
        """

        def note(before: StoredJob) -> StoredJob:
            _compare(name, before, "ended", label, attempt)
            done_at = None if state == "waiting" else at
            text = plain_text(reason)
            return replace(before, state=state, done_at=done_at, reason=text)

        self._change(name, job, note, at)

    def move(  # noqa: PLR0917  (four of them say which attempt)
        self, name: str, job: str, label: str, attempt: int, proof: Proof, at: float
    ) -> None:
        """Take a job from its machine: it waits again.

        One whose attempt has ended is taken, too, where what it wrote is lost.

        Parameters
        ----------
        name, job, label, attempt : of the sweep, the job, its machine, and which one
        proof : why nothing of the attempt lives or will
        at : now, s

        Raises
        ------
        AdvisorError
            if the job is not there as that attempt
        """

        def take(before: StoredJob) -> StoredJob:
            state: JobPhase = "ended" if before.state == "ended" else "assigned"
            _compare(name, before, state, label, attempt)
            ended_at = at if before.ended_at is None else before.ended_at
            return replace(
                before, state="waiting", ended_at=ended_at, reason=f"moved: {proof}"
            )

        self._change(name, job, take, at)

    def note_checkpoint(
        self, name: str, job: str, label: str, attempt: int, at: float
    ) -> None:
        """Note that a checkpoint of an attempt that has not ended was brought back.

        Raises
        ------
        AdvisorError
            if the job is not assigned to that machine as that attempt
        """

        def note(before: StoredJob) -> StoredJob:
            _compare(name, before, "assigned", label, attempt)
            return replace(before, checkpoint_at=at)

        self._change(name, job, note, None)

    def _change(
        self,
        name: str,
        job: str,
        change: Callable[[StoredJob], StoredJob],
        at: float | None,
        *,
        starts: bool = False,
    ) -> StoredJob:
        """Change a job in one transaction; tell it in its history if `at` is given."""
        wanted: StoredJob | None = None

        def write(store: sqlite3.Connection) -> StoredJob:
            nonlocal wanted
            with transaction(store):
                number, before = found_job(store, name, job)
                if before == wanted:
                    return wanted  # an earlier try was said to fail, and did not
                if starts and _found(store, name).ended_at is not None:
                    message = f"the sweep {name} is over: none of its jobs is started"
                    raise AdvisorError(message)
                wanted = change(before)
                update_job(store, name, number, wanted, at)
                return wanted

        after = self._in_store(write)
        happened("sweeps", "%s: %s is %s", name, job, after.state)
        Reserve(self.folder).renew()  # there may be room by now
        return after

    def _change_sweep(
        self, name: str, change: Callable[[StoredSweep], StoredSweep]
    ) -> None:
        def write(store: sqlite3.Connection) -> None:
            with transaction(store):
                update_sweep(store, sweep_row(change(_found(store, name))))

        self._in_store(write)

    def _in_store(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        return in_kept_room(self.folder, work)


def _found(store: sqlite3.Connection, name: str) -> StoredSweep:
    """Return a sweep by its name."""
    found = list(sweeps_in(store, name))
    if not found:
        message = f"there is no sweep {name} here"
        raise AdvisorError(message)
    first = found[0]
    if isinstance(first, ValueError):
        message = f"the row of a sweep makes no sense: {first}"
        raise StoreError(message)
    return first


def _compare(
    name: str, job: StoredJob, state: JobPhase, label: str, attempt: int
) -> None:
    """Refuse what is about another state, machine or attempt than the job's."""
    if (job.state, job.label, job.attempt) != (state, label, attempt):
        raise _refusal(name, job, f"attempt {attempt} on {label} is not {state} any more")


def _refusal(name: str, job: StoredJob, why: str) -> AdvisorError:
    where = f" (attempt {job.attempt} on {job.label})" if job.attempt else ""
    message = f"job {job.name} of the sweep {name} is {job.state}{where}: {why}"
    return AdvisorError(message)
