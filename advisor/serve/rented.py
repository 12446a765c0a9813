"""The page of rentals: the ledger, what watches each, what the market said when asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from advisor.app.context import Context
from advisor.base.errors import StoreError
from advisor.report.rental import (
    entry_row,
    row_for_people,
    stamp,
    with_seen,
    words_of_others,
    words_of_renamed,
)
from advisor.serve.looks import Looked
from advisor.serve.releases import Ending
from advisor.serve.served import Served
from advisor.store.ledger import Entry, Ledger


@dataclass(frozen=True, slots=True)
class RentalsPage:
    """What the page of rentals shows.

    Attributes
    ----------
    rows : of ``advisor rentals``, with ``watched``, who works on it
    open : how many rentals may bill
    jobs : that can be released: their names, and how many such rentals each has
    with_closed : whether rentals that have ended are shown
    looked : what the market showed, and when
    is_asked : whether it is being asked
    others : what else the account has there, a line each
    endings : what becomes of jobs that were released here
    line : why the ledger cannot be read; ``""``: it can
    """

    rows: Sequence[dict[str, Any]]
    open: int
    jobs: Sequence[tuple[str, int]]
    with_closed: bool
    looked: Looked
    is_asked: bool
    looked_at: str
    others: Sequence[str]
    endings: Sequence[Ending]
    line: str
    command: str
    refused: str = ""

    @property
    def changes(self) -> bool:
        """Whether the page will be another one in a moment."""
        return self.is_asked or any(one.state == "releasing" for one in self.endings)


def rentals_page(served: Served, *, with_closed: bool, refused: str = "") -> RentalsPage:
    """Return the page of rentals; no market is asked for it.

    Parameters
    ----------
    with_closed : rentals that have ended are shown, too
    refused : why a form was not obeyed
    """
    line = ""
    entries: Sequence[Entry] = ()
    try:
        if served.context.has_stored_data:
            entries = Ledger(served.context.data_folder).entries()
    except StoreError as error:
        line = str(error)
    looked, is_asked = served.looks.wait()
    now = served.context.now().timestamp()
    shown = [
        one for one in entries if with_closed or one.is_open or _is_there(one, looked)
    ]
    rows = []
    for one in sorted(shown, key=lambda each: (each.is_open, each.intended_at))[::-1]:
        row = row_for_people(with_seen(entry_row(one), one, looked.seen, now))
        rows.append({**row, "watched": watched(one, now)})
    endings = served.releases.endings
    releasing = {one.job for one in endings if one.state == "releasing"}
    others: list[str] = []
    if looked.seen is not None:
        others += words_of_renamed(shown, looked.seen)
        others += words_of_others(looked.seen, entries)
    return RentalsPage(
        rows=rows,
        jobs=[one for one in _open_jobs(entries) if one[0] not in releasing],
        open=sum(one.is_open for one in entries),
        with_closed=with_closed,
        looked=looked,
        is_asked=is_asked,
        looked_at="" if looked.at is None else stamp(looked.at),
        others=others,
        endings=endings,
        line=line,
        command="advisor rentals",
        refused=refused,
    )


def open_jobs(context: Context) -> Sequence[tuple[str, int]]:
    """Return the jobs of the ledger that have rentals which may bill, and how many.

    Raises
    ------
    StoreError
        if the ledger cannot be read
    """
    if not context.has_stored_data:
        return ()
    return _open_jobs(Ledger(context.data_folder).entries())


def _open_jobs(entries: Sequence[Entry]) -> Sequence[tuple[str, int]]:
    counts: dict[str, int] = {}
    for one in entries:
        if one.is_open:
            counts[one.job] = counts.get(one.job, 0) + 1
    return sorted(counts.items())


def _is_there(entry: Entry, looked: Looked) -> bool:
    return looked.seen is not None and looked.seen.of(entry) is not None


def watched(entry: Entry, now: float) -> str:
    """Say which process works on a rental, by the lease in the ledger.

    Parameters
    ----------
    now : seconds since 1970
    """
    if not entry.is_open:
        return "ended"
    if entry.state == "handed":
        return "by you; it ends itself at its end, or where its own lease is not renewed"
    if not entry.holder or entry.lease_until is None:
        return "by no process of advisor; it ends itself at its end"
    until = stamp(entry.lease_until)
    if entry.lease_until >= now:
        return f"by a process of advisor, whose lease runs until {until}"
    return f"by nobody since {until}: its launcher no longer renews its lease"
