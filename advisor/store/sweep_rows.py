"""The rows of sweeps: read as far as they make sense, and written.

As in the ledger, the file takes whatever is written to it, what is read is checked here,
and a row that makes no sense hides no other one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from advisor.base.errors import AdvisorError, StoreError
from advisor.store.entry import Torn
from advisor.store.sense import (
    is_filled_name,
    is_name,
    is_text,
    is_time,
    or_none,
    plain_text,
)

JobPhase = Literal["waiting", "assigned", "ended", "done", "failed"]

_LARGEST = 2**31

Step = tuple[float, JobPhase, str, int, str]
"""When (s since 1970), to which state, on which machine, which attempt, why."""


@dataclass(frozen=True, slots=True)
class StoredJob:
    """One job of a sweep. Times are seconds since 1970 (UTC).

    Attributes
    ----------
    name : unique in its sweep
    state : see `advisor.store.sweeps`
    label : of the rental that its last attempt was given to, ``""`` before the first
    attempt : number of its last one, 0 before the first; none comes twice
    attempts : how many have ended by themselves, also with success: retries are counted
        by these. One that was moved is none of them
    exit_code : of the last one that ended, None where nobody knows it
    assigned_at, ended_at : when the last one was assigned, and ended
    done_at : when the job was done, or given up
    checkpoint_at : when a checkpoint of it was last brought back
    reason : why it is in its state, for people
    """

    name: str
    state: JobPhase = "waiting"
    label: str = ""
    attempt: int = 0
    attempts: int = 0
    exit_code: int | None = None
    assigned_at: float | None = None
    ended_at: float | None = None
    done_at: float | None = None
    checkpoint_at: float | None = None
    reason: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing is to be done for it any more."""
        return self.state in {"done", "failed"}


@dataclass(frozen=True, slots=True)
class StoredSweep:
    """One sweep. Times are seconds since 1970 (UTC).

    Attributes
    ----------
    name : unique here
    market : address and account that its machines are rented from
    place : computer and data folder that began it, see `advisor.store.place`
    begun_at : when that was
    ended_at : when it was over, None while it goes on
    planned_at : when its plan was made
    spec, plan : documents of what was asked for, and of how it is to be done
    """

    name: str
    market: str
    place: str
    begun_at: float
    ended_at: float | None
    planned_at: float
    spec: Mapping[str, Any]
    plan: Mapping[str, Any]


_JOB_COLUMNS = tuple(field.name for field in fields(StoredJob))
_SWEEP_COLUMNS = tuple(field.name for field in fields(StoredSweep))


def jobs_of(
    store: sqlite3.Connection, sweep: str
) -> tuple[list[StoredJob], list[tuple[str, str]]]:
    """Return the jobs of a sweep that make sense, in order, and why others do not."""
    jobs: list[StoredJob] = []
    torn: list[tuple[str, str]] = []
    seen: set[str] = set()
    for row in store.execute(
        f"SELECT {', '.join(_JOB_COLUMNS)} FROM sweep_job NOT INDEXED "  # noqa: S608
        "WHERE sweep = ? ORDER BY number",
        (sweep,),
    ):
        try:
            job = _parsed_job(row)
            if job.name in seen:
                message = "its name is another's too"
                raise ValueError(message)
        except ValueError as error:
            torn.append((_shown(row[0]), str(error)))
        else:
            seen.add(job.name)
            jobs.append(job)
    return jobs, torn


def found_job(store: sqlite3.Connection, sweep: str, name: str) -> tuple[int, StoredJob]:
    """Return a job of a sweep, and the number of its row.

    Raises
    ------
    AdvisorError
        if the sweep has none of that name
    StoreError
        if it has two, or its row makes no sense: nobody can say where the job is
    """
    rows = store.execute(
        f"SELECT number, {', '.join(_JOB_COLUMNS)} FROM sweep_job "  # noqa: S608
        "WHERE sweep = ? AND name = ? ORDER BY number",
        (sweep, name),
    ).fetchall()
    if not rows:
        message = f"the sweep {sweep} has no job {name}"
        raise AdvisorError(message)
    (number, *row), *others = rows
    try:
        if others:
            message = "it is there twice"
            raise ValueError(message)
        return number, _parsed_job(row)
    except ValueError as error:
        message = f"the row of job {name} of the sweep {sweep} makes no sense: {error}"
        raise StoreError(message) from None


def insert_jobs(store: sqlite3.Connection, sweep: str, names: Sequence[str]) -> None:
    """Write the jobs of a new sweep, all of them waiting.

    Raises
    ------
    AdvisorError
        if one could not be read again
    """
    marks = ", ".join("?" * (len(_JOB_COLUMNS) + 1))
    store.executemany(
        f"INSERT INTO sweep_job (sweep, {', '.join(_JOB_COLUMNS)}) VALUES ({marks})",  # noqa: S608
        ((sweep, *_row_to_write(StoredJob(name))) for name in names),
    )


def update_job(
    store: sqlite3.Connection, sweep: str, number: int, job: StoredJob, at: float | None
) -> None:
    """Write what has become of a job; tell it in its history if `at` is given.

    Raises
    ------
    AdvisorError
        if it makes no sense: it could not be read again
    """
    row = _row_to_write(job)
    if at is not None and not is_time(at):
        message = f"job {job.name} cannot be written down: the time of a step is {at!r}"
        raise AdvisorError(message)
    assignments = ", ".join(f"{name} = ?" for name in _JOB_COLUMNS)
    store.execute(
        f"UPDATE sweep_job SET {assignments} WHERE number = ?",  # noqa: S608
        (*row, number),
    )
    if at is not None:
        store.execute(
            "INSERT INTO sweep_event VALUES (?, ?, ?, ?, ?, ?, ?)",
            (sweep, job.name, at, job.state, job.label, job.attempt, job.reason),
        )


def steps_of(store: sqlite3.Connection, sweep: str, job: str) -> list[Step]:
    """Return the steps of a job that make sense, the oldest first."""
    rows = store.execute(
        "SELECT at, state, label, attempt, reason FROM sweep_event NOT INDEXED "
        "WHERE sweep = ? AND job = ? ORDER BY rowid",
        (sweep, job),
    )
    return [
        (at, state, label, attempt, plain_text(reason))
        for at, state, label, attempt, reason in rows
        if is_time(at)
        and _is_phase(state)
        and is_name(label)
        and _is_number(attempt)
        and is_text(reason)
    ]


def sweeps_in(
    store: sqlite3.Connection, name: str | None = None
) -> Iterator[StoredSweep | ValueError]:
    """Yield all sweeps, or those of a name, the oldest first; of a torn one the error."""
    for row in store.execute(
        f"SELECT {', '.join(_SWEEP_COLUMNS)} FROM sweep NOT INDEXED "  # noqa: S608
        "WHERE :name IS NULL OR name = :name ORDER BY number",
        {"name": name},
    ):
        try:
            yield _parsed_sweep(row)
        except ValueError as error:
            yield ValueError(f"{_shown(row[0])}: {error}")


def sweep_row(sweep: StoredSweep) -> list[object]:
    """Return a sweep as it is stored.

    Raises
    ------
    AdvisorError
        if it makes no sense: it could not be read again
    """
    named: dict[str, Any] = {name: getattr(sweep, name) for name in _SWEEP_COLUMNS}
    try:
        for name in ("spec", "plan"):
            named[name] = json.dumps(named[name], allow_nan=False)
        _parsed_sweep(list(named.values()))
    except (TypeError, ValueError) as error:
        name = plain_text(str(sweep.name))[:60]
        message = f"the sweep {name} cannot be written down: {error}"
        raise AdvisorError(message) from None
    return list(named.values())


def insert_sweep(store: sqlite3.Connection, row: Sequence[object]) -> None:
    """Write a new sweep."""
    marks = ", ".join("?" * len(_SWEEP_COLUMNS))
    store.execute(
        f"INSERT INTO sweep ({', '.join(_SWEEP_COLUMNS)}) VALUES ({marks})",  # noqa: S608
        row,
    )


def update_sweep(store: sqlite3.Connection, row: Sequence[object]) -> None:
    """Write what has become of a sweep."""
    assignments = ", ".join(f"{name} = ?" for name in _SWEEP_COLUMNS)
    store.execute(
        f"UPDATE sweep SET {assignments} WHERE name = ?",  # noqa: S608
        (*row, row[0]),
    )


def torn_rows(store: sqlite3.Connection, sweep: str | None = None) -> list[Torn]:
    """Return what makes no sense of a sweep (of all if `None`).

    That is also a job of which nobody can say whose it is.
    """
    found = [
        Torn("", str(one))
        for one in sweeps_in(store, sweep)
        if isinstance(one, ValueError)
    ]
    names = store.execute("SELECT DISTINCT sweep FROM sweep_job NOT INDEXED").fetchall()
    for (name,) in names:
        if sweep in {None, name}:
            torn = jobs_of(store, name)[1]
            found += [Torn(f"{_shown(name)}/{job}", why) for job, why in torn]
    found += [
        Torn(_shown(job), "it is of no sweep that is known")
        for (job,) in store.execute(
            "SELECT name FROM sweep_job NOT INDEXED WHERE NOT EXISTS "
            "(SELECT 1 FROM sweep NOT INDEXED WHERE sweep.name = sweep_job.sweep)"
        )
    ]
    return found


def _row_to_write(job: StoredJob) -> list[object]:
    named = {name: getattr(job, name) for name in _JOB_COLUMNS}
    named["reason"] = plain_text(named["reason"])
    try:
        _parsed_job(list(named.values()))
    except ValueError as error:
        message = f"job {plain_text(job.name)} cannot be written down: {error}"
        raise AdvisorError(message) from None
    return list(named.values())


def _parsed_job(row: Sequence[object]) -> StoredJob:
    named = _checked(dict(zip(_JOB_COLUMNS, row, strict=True)), _JOB_CHECKS)
    if (named["attempt"] == 0) != (named["label"] == ""):
        message = f"its attempt {named['attempt']} has the machine {named['label']!r}"
        raise ValueError(message)
    if named["state"] != "waiting" and named["attempt"] == 0:
        message = f"it is {named['state']} and was never assigned"
        raise ValueError(message)
    named["reason"] = plain_text(named["reason"])
    return StoredJob(**named)


def _parsed_sweep(row: Sequence[object]) -> StoredSweep:
    named = _checked(dict(zip(_SWEEP_COLUMNS, row, strict=True)), _SWEEP_CHECKS)
    for name in ("spec", "plan"):
        named[name] = _document(named[name])
    return StoredSweep(**named)


def _checked(
    named: dict[str, Any], checks: Mapping[str, Callable[[Any], bool]]
) -> dict[str, Any]:
    for name, makes_sense in checks.items():
        if not makes_sense(named[name]):
            message = f"its {name} is {plain_text(repr(named[name]))[:60]}"
            raise ValueError(message)
    return named


def _document(text: object) -> dict[str, Any] | None:
    """Return the document of a text, None if it is none."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_phase(value: object) -> bool:
    return isinstance(value, str) and value in get_args(JobPhase)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < _LARGEST


def _is_document(value: object) -> bool:
    return _document(value) is not None


def _shown(value: object) -> str:
    """Return what names a torn row, ``""`` if it is no text."""
    return plain_text(value) if isinstance(value, str) else ""


_JOB_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "name": is_filled_name,
    "state": _is_phase,
    "label": is_name,
    "attempt": _is_number,
    "attempts": _is_number,
    "exit_code": or_none(_is_number),
    "assigned_at": or_none(is_time),
    "ended_at": or_none(is_time),
    "done_at": or_none(is_time),
    "checkpoint_at": or_none(is_time),
    "reason": is_text,
}

_SWEEP_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "name": is_filled_name,
    "market": is_name,
    "place": is_text,
    "begun_at": is_time,
    "ended_at": or_none(is_time),
    "planned_at": is_time,
    "spec": _is_document,
    "plan": _is_document,
}
