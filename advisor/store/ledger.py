r"""The ledger: every rental, written before and after each request that moves money.

A state is written before the request that it announces, so that whatever crashes when,
nothing is rented that the ledger does not account for::

    intended -> held -> handed -> releasing -> released
       |  \-> unknown -> held or refused
       \-> refused

*intended*: the request is about to be sent. *refused*: surely nothing was rented.
*unknown*: nobody knows the outcome. *held*: the contract exists, its launcher still
works on it. *handed*: the user has it. *releasing*: it is being ended. *released*: it is
verified to be gone.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from advisor.errors import AdvisorError
from advisor.store.database import open_store, transaction

State = Literal[
    "intended", "unknown", "held", "handed", "releasing", "released", "refused"
]

Step = tuple[float, str, str]
"""When (s since 1970), to which state, why."""

CLOSED: frozenset[State] = frozenset({"released", "refused"})
"""States in which nothing bills any more."""

_NEXT: dict[State, frozenset[State]] = {
    "intended": frozenset({"unknown", "held", "releasing", "refused"}),
    "unknown": frozenset({"held", "releasing", "refused"}),
    "held": frozenset({"handed", "releasing"}),
    "handed": frozenset({"releasing"}),
    "releasing": frozenset({"releasing", "released"}),
    # What was given up may appear after all: it is released then.
    "refused": frozenset({"releasing"}),
    "released": frozenset({"releasing", "released"}),  # two may end it at once
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One rental. Times are seconds since 1970 (UTC).

    Attributes
    ----------
    label : unique, also on the market
    market : address and account that it is rented from
    job : what it is for; a job's entries share its budget
    state : see the module
    offer_id, machine_id, gpu_ids, gpu_name, num_gpus : what was to be rented
    usd_per_hour : most that it bills while it runs, disk included, $/h
    traffic_usd : traffic that the job is predicted to pay, $
    intended_at : when it was written down
    ends_at : when it must be gone
    instance_id : the market's id, None while nobody knows it
    handed_at : when the user got it, None before
    closed_at : when it was found to bill no more, None before
    absent_at : when a whole listing of the market first lacked it, None before
    reason : why it is in its state, for people
    """

    label: str
    market: str
    job: str
    state: State
    offer_id: int
    machine_id: int
    gpu_ids: tuple[int, ...]
    gpu_name: str
    num_gpus: int
    usd_per_hour: float
    traffic_usd: float
    intended_at: float
    ends_at: float
    instance_id: int | None = None
    handed_at: float | None = None
    closed_at: float | None = None
    absent_at: float | None = None
    reason: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it may bill."""
        return self.state not in CLOSED


_COLUMNS = tuple(field.name for field in fields(Entry))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger in the user's data folder; each call is one transaction on disk.

    Several processes and threads may use it at once.

    Attributes
    ----------
    folder : the user's data folder
    """

    folder: Path

    def intend(self, entry: Entry, check: Callable[[Sequence[Entry]], None]) -> None:
        """Write down a rental that is about to be requested.

        Parameters
        ----------
        entry : in state ``"intended"``
        check : gets all entries of the market and raises if the rental may not be;
            no other process writes meanwhile
        """
        with open_store(self.folder) as store, transaction(store):
            check(_entries(store, entry.market))
            marks = ", ".join("?" * len(_COLUMNS))
            store.execute(
                f"INSERT INTO rental ({', '.join(_COLUMNS)}) VALUES ({marks})",  # noqa: S608
                _row(entry),
            )
            _tell(store, entry, entry.intended_at)

    def advance(
        self,
        label: str,
        state: State,
        at: float,
        reason: str = "",
        *,
        instance_id: int | None = None,
    ) -> Entry:
        """Bring a rental to another state; return the entry as it is then.

        Parameters
        ----------
        label : of the rental
        state : the new one
        at : now, s
        reason : why, for people
        instance_id : where it is known by now

        Raises
        ------
        AdvisorError
            if its state does not lead there: another process was quicker
        """
        with open_store(self.folder) as store, transaction(store):
            before = _entry(store, label)
            if state not in _NEXT[before.state]:
                message = f"rental {label} is {before.state}: it cannot become {state}"
                raise AdvisorError(message)
            after = replace(
                before,
                state=state,
                reason=reason,
                instance_id=before.instance_id if instance_id is None else instance_id,
                handed_at=at if state == "handed" else before.handed_at,
                closed_at=at if state in CLOSED else None,
                absent_at=None,
            )
            _write(store, after)
            _tell(store, after, at)
        return after

    def miss(self, label: str, at: float) -> Entry:
        """Note that a whole listing of the market lacks a rental, if none did before."""
        return self._note_absence(label, at)

    def found(self, label: str) -> Entry:
        """Note that a listing shows a rental after all."""
        return self._note_absence(label, None)

    def _note_absence(self, label: str, at: float | None) -> Entry:
        with open_store(self.folder) as store, transaction(store):
            before = _entry(store, label)
            first = before.absent_at if at is not None and before.absent_at else at
            after = replace(before, absent_at=first)
            if after != before:
                _write(store, after)
        return after

    def entry(self, label: str) -> Entry:
        """Return one rental.

        Raises
        ------
        AdvisorError
            if there is none of that label
        """
        with open_store(self.folder) as store:
            return _entry(store, label)

    def entries(self, market: str | None = None) -> Sequence[Entry]:
        """Return the rentals of a market (of all if `None`), the oldest first."""
        with open_store(self.folder) as store:
            return _entries(store, market)

    def history(self, label: str) -> Sequence[Step]:
        """Return time, state and reason of every step of a rental, the oldest first."""
        with open_store(self.folder) as store:
            return store.execute(
                "SELECT at, state, reason FROM rental_event WHERE label = ? "
                "ORDER BY rowid",
                (label,),
            ).fetchall()


def _entry(store: sqlite3.Connection, label: str) -> Entry:
    row = store.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM rental WHERE label = ?",  # noqa: S608
        (label,),
    ).fetchone()
    if row is None:
        message = f"the ledger has no rental {label}"
        raise AdvisorError(message)
    return _parsed(row)


def _entries(store: sqlite3.Connection, market: str | None) -> Sequence[Entry]:
    rows = store.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM rental "  # noqa: S608
        "WHERE :market IS NULL OR market = :market ORDER BY number",
        {"market": market},
    )
    return [_parsed(row) for row in rows]


def _parsed(row: Sequence[object]) -> Entry:
    named = dict(zip(_COLUMNS, row, strict=True))
    named["gpu_ids"] = tuple(json.loads(str(named["gpu_ids"])))
    return Entry(**named)  # type: ignore[arg-type]


def _row(entry: Entry) -> list[object]:
    named = {name: getattr(entry, name) for name in _COLUMNS}
    named["gpu_ids"] = json.dumps(entry.gpu_ids)
    return list(named.values())


def _write(store: sqlite3.Connection, entry: Entry) -> None:
    assignments = ", ".join(f"{name} = ?" for name in _COLUMNS)
    store.execute(
        f"UPDATE rental SET {assignments} WHERE label = ?",  # noqa: S608
        (*_row(entry), entry.label),
    )


def _tell(store: sqlite3.Connection, entry: Entry, at: float) -> None:
    store.execute(
        "INSERT INTO rental_event VALUES (?, ?, ?, ?)",
        (entry.label, at, entry.state, entry.reason),
    )
