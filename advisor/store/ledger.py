r"""The ledger: every rental, written before and after each request that moves money.

A state is written before the request that it announces, so that whatever crashes when,
nothing is rented that the ledger does not account for::

    intended -> held -> handed or working -> releasing -> released
       |  \-> unknown -> held or refused
       \-> refused

*intended*: the request is about to be sent. *refused*: surely nothing was rented.
*unknown*: nobody knows the outcome. *held*: the contract exists, its launcher still
works on it. *handed*: the user has it. *working*: a job of `run` has it, also while its
launcher is away. *releasing*: it is being ended. *released*: it is verified to be gone.

*gone*: the market has not shown it for long, though nobody here has ended it. If it
appears again, it goes back to the state that it had. So does a refused one whose contract
appears after all: its launcher takes it (*held*), or it is released.

The market is the truth, the ledger the intention: whoever ends a machine does so also
where every call here raises :class:`advisor.base.errors.StoreError`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from advisor.base.errors import AdvisorError, LeaseLostError
from advisor.base.log import happened
from advisor.store.database import open_store, transaction
from advisor.store.entry import CLOSED, Entry, State, Step, Torn
from advisor.store.kept_room import in_kept_room
from advisor.store.reserve import Reserve
from advisor.store.rows import (
    add_step,
    ends_in,
    found_row,
    insert,
    row_to_write,
    rows,
    sorted_out,
    steps_of,
    torn_steps,
    update,
)
from advisor.store.sense import plain_text

__all__ = ["CLOSED", "Entry", "Ledger", "State", "Step", "Torn"]

_Result = TypeVar("_Result")

_HAD: frozenset[State] = frozenset({"held", "handed", "working"})
"""States in which somebody has the machine."""

_NEXT: dict[State, frozenset[State]] = {
    "intended": frozenset({"unknown", "held", "releasing", "refused"}),
    "unknown": frozenset({"held", "releasing", "refused"}),
    "held": frozenset({"handed", "working", "releasing", "gone"}),
    "handed": frozenset({"releasing", "gone"}),
    "working": frozenset({"releasing", "gone"}),
    "releasing": frozenset({"releasing", "released"}),
    "gone": _HAD | {"releasing"},
    # What was given up may appear after all.
    "refused": frozenset({"held", "releasing"}),
    "released": frozenset({"releasing", "released"}),  # two may end it at once
}


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger in the user's data folder; each call is one transaction on disk.

    Several processes and threads may use it at once. Every call raises
    :class:`advisor.base.errors.StoreError` if the file cannot be read or written.

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
        check : gets all entries of the market that make sense, and raises if the rental
            may not be; no other process writes meanwhile

        Raises
        ------
        AdvisorError
            if the entry makes no sense, or its label was used before
        StoreFullError
            if there is no room for what must be written later
        """
        row = row_to_write(entry)
        happened("ledger", "%s: intended, offer %d", entry.label, entry.offer_id)
        Reserve(self.folder).make()
        with open_store(self.folder) as store, transaction(store):
            check(_of_market(sorted_out(store)[0], entry.market))
            if any(True for _ in rows(store, entry.label)):
                message = f"the ledger has a rental {entry.label} already"
                raise AdvisorError(message)
            insert(store, row)
            add_step(store, entry, entry.intended_at)

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
        happened("ledger", "%s: to become %s", label, state)

        def move(before: Entry) -> Entry:
            if state not in _NEXT[before.state]:
                message = f"rental {label} is {before.state}: it cannot become {state}"
                raise AdvisorError(message)
            handed_at = before.handed_at
            if handed_at is None and state in {"handed", "working"}:
                handed_at = at
            return replace(
                before,
                state=state,
                reason=plain_text(reason),
                instance_id=before.instance_id if instance_id is None else instance_id,
                handed_at=handed_at,
                closed_at=at if state in CLOSED else None,
                absent_at=None,
            )

        return self._change(label, move, at)

    def lease(self, label: str, holder: str, now: float, lease_until: float) -> Entry:
        """Take a rental to work on it, or renew that; return the entry as it is then.

        A lease, unlike a lock, ends by itself: whoever hangs loses it, and must take it
        anew before he acts.

        Parameters
        ----------
        label : of the rental
        holder : token of the process, which no other one has
        now : s
        lease_until : when the lease ends, s

        Raises
        ------
        LeaseLostError
            if another process has it, or it has ended
        """

        def take(before: Entry) -> Entry:
            if not before.is_open or before.state == "releasing":
                message = f"rental {label} is {before.state}: nobody works on it any more"
                raise LeaseLostError(message)
            ends = before.lease_until
            if before.holder not in {"", holder} and ends is not None and now < ends:
                message = (
                    f"another process works on rental {label}, for {ends - now:.0f} s "
                    "at least"
                )
                raise LeaseLostError(message)
            return replace(before, holder=holder, lease_until=lease_until)

        return self._change(label, take)

    def let_go(self, label: str, holder: str) -> None:
        """End a lease; nothing if another process has the rental by now."""

        def leave(before: Entry) -> Entry:
            if before.holder != holder:
                return before
            return replace(before, holder="", lease_until=None)

        self._change(label, leave)

    def note_unused(self, label: str) -> Entry:
        """Note that nobody used a rental: the traffic of its job was not paid there."""

        def note(before: Entry) -> Entry:
            return replace(before, traffic_usd=0.0)

        return self._change(label, note)

    def miss(self, label: str, at: float) -> Entry:
        """Note that a whole listing of the market lacks a rental, if none did before."""

        def note(before: Entry) -> Entry:
            first = at if before.absent_at is None else before.absent_at
            return replace(before, absent_at=first)

        return self._change(label, note)

    def found(self, label: str) -> Entry:
        """Note that a listing shows a rental after all."""
        return self._change(label, lambda before: replace(before, absent_at=None))

    def entry(self, label: str) -> Entry:
        """Return one rental.

        Raises
        ------
        AdvisorError
            if there is none of that label
        """
        return self._in_store(lambda store: found_row(store, label)[1])

    def entries(self, market: str | None = None) -> Sequence[Entry]:
        """Return the rentals of a market (of all if `None`), the oldest first.

        Rows that make no sense are left out, see `torn`.
        """
        return _of_market(self._in_store(sorted_out)[0], market)

    def torn(self, market: str | None = None) -> Sequence[Torn]:
        """Return what makes no sense of a market's rentals (of all if `None`).

        That is also what does not say of which market it is.
        """

        def collect(store: sqlite3.Connection) -> list[Torn]:
            entries, torn = sorted_out(store)
            markets = {entry.label: entry.market for entry in entries}
            found = [one for place, one in torn if market in {None, place} or not place]
            found += [
                one
                for label, one in torn_steps(store)
                if market in {None, markets.get(label, market)}
            ]
            return found

        return self._in_store(collect)

    def history(self, label: str) -> Sequence[Step]:
        """Return time, state and reason of every step of a rental, the oldest first.

        Steps that make no sense are left out, see `torn`.
        """
        return self._in_store(lambda store: steps_of(store, label))

    def before_gone(self, label: str) -> State:
        """Return the state that a rental that is gone had, by its history.

        Of one whose history does not tell it the user is assumed to have it: nobody
        else's it is to end.
        """
        had = [state for _, state, _ in self.history(label) if state in _HAD]
        return had[-1] if had else "handed"

    def _change(
        self, label: str, change: Callable[[Entry], Entry], at: float | None = None
    ) -> Entry:
        """Change a rental in one transaction; tell it in its history if `at` is given."""
        wanted: Entry | None = None

        def write(store: sqlite3.Connection) -> Entry:
            nonlocal wanted
            with transaction(store):
                number, before = found_row(store, label)
                if before == wanted and (at is None or ends_in(store, wanted, at)):
                    return wanted  # an earlier try was said to fail, and did not
                wanted = change(before)
                if wanted == before and at is None:
                    return before
                update(store, number, row_to_write(wanted))
                if at is not None:
                    add_step(store, wanted, at)
                return wanted

        after = self._in_store(write)
        Reserve(self.folder).renew()  # there may be room by now
        return after

    def _in_store(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        return in_kept_room(self.folder, work)


def _of_market(entries: Sequence[Entry], market: str | None) -> Sequence[Entry]:
    return [entry for entry in entries if market in {None, entry.market}]
