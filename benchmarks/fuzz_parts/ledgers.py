"""The ledger, and all else in the user's file, read and written where it is wrong."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.base.errors import StoreError
from advisor.base.resources import STORE
from advisor.market.offers import parse_offers
from advisor.store.database import open_store
from advisor.store.history import store_snapshot
from advisor.store.hosts import rules
from advisor.store.ledger import Entry, Ledger
from advisor.store.listing_intervals import load_intervals
from advisor.store.market_statistics import bid_survival, lifetimes, price_buckets
from advisor.store.migrations import MIGRATIONS
from advisor.store.misfits import misfits
from advisor.store.runs import stored_runs
from fuzz_parts.stores import (
    MARKETS,
    SAMPLE,
    START,
    Truth,
    truth_of,
    write_whole,
    wronged,
)
from fuzz_parts.tally import Tally

OLD = Path(__file__).parents[2] / "tests" / "store" / "old" / "data"
"""A data folder as an older advisor wrote it; not where there are no tests."""


@dataclass(frozen=True)
class Template:
    """A whole file, and what is to be read of it.

    Attributes
    ----------
    folder : that has it
    truth : what SQLite says of it
    entries : by label, in its order
    rows : by label, as SQLite has them
    """

    folder: Path
    truth: Truth
    entries: Mapping[str, Entry]
    rows: Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Case:
    """One file that is wrong.

    Attributes
    ----------
    tally : takes what comes of it
    how : what is wrong
    ledger : its
    template : what it was made of
    before : what SQLite said of it then
    """

    tally: Tally
    how: str
    ledger: Ledger
    template: Template
    before: Truth

    @property
    def is_whole(self) -> bool:
        """Whether nothing but the sense of rows is wrong."""
        return self.before.is_whole(self.template.truth)

    def tell(self, what: str, call: Callable[[], Any]) -> Any:
        """Return what a call returns, else the error that it raises."""
        return self.tally.tell(f"{what} ({self.how})", call)

    def fault(self, what: str) -> None:
        """Note a fault."""
        self.tally.fault(f"{what} ({self.how})")


def fuzz_ledgers(count: int, rnd: random.Random, folder: Path) -> Tally:
    """Wrong the user's file `count` times, of this version and of an older one."""
    write_whole(folder / "whole")
    templates = [_template(folder / "whole", folder / "copy")]
    if OLD.is_dir():
        templates.append(_template(OLD, folder / "copy of old"))
    tally = Tally()
    for number in range(count):
        template = templates[number % 3 == 0 and len(templates) > 1]
        how = wronged(rnd, template.folder, folder / "data")
        tally.tried += 1
        before = truth_of(folder / "data" / STORE)
        _try(Case(tally, how, Ledger(folder / "data"), template, before))
    return tally


def _template(folder: Path, copy: Path) -> Template:
    copy.mkdir()
    (copy / STORE).write_bytes((folder / STORE).read_bytes())
    truth = truth_of(copy / STORE)
    entries = {entry.label: entry for entry in Ledger(copy).entries()}
    rows = dict(zip(entries, truth.rows or (), strict=True))
    return Template(folder, truth, entries, rows)


def _try(case: Case) -> None:
    """Read and write a file as the commands do."""
    ledger, path = case.ledger, case.ledger.folder / STORE
    content = path.read_bytes()
    entries = case.tell("entries", ledger.entries)
    torn = case.tell("torn", ledger.torn)
    case.tell("entries of one", lambda: ledger.entries(MARKETS[0]))
    for label in list(case.template.entries)[:3]:
        case.tell("history", lambda name=label: ledger.history(name))
        case.tell("before_gone", lambda name=label: ledger.before_gone(name))
        case.tell("entry", lambda name=label: ledger.entry(name))
    for what, read in READERS.items():
        case.tell(what, lambda call=read: _in_store(ledger.folder, call))
    _check_untouched(case, content)
    if isinstance(entries, StoreError):
        case.tally.refused += 1
        if case.is_whole:
            case.fault(f"a whole file is refused: {entries}")
    elif not isinstance(entries, Exception) and not isinstance(torn, Exception):
        _check_rows(case, entries, torn)
        _check_writing(case, entries)


def _check_untouched(case: Case, content: bytes) -> None:
    """Look whether reading has left a file as it was, or has copied and migrated it."""
    path = case.ledger.folder / STORE
    after = truth_of(path)
    if after == case.before:
        # What SQLite cannot read at all is not touched, but for its header.
        is_read = after != Truth() or "journal" in case.how
        if not is_read and path.read_bytes()[100:] != content[100:]:
            case.fault("a file that cannot be read was changed")
        return
    if not content:  # an empty file is a new one
        return
    copies = [truth_of(one) for one in path.parent.glob("*.bak")]
    if after.version != len(MIGRATIONS) or case.before not in copies:
        case.fault("reading changed the file")


def _check_rows(case: Case, entries: Sequence[Entry], torn: Sequence[Any]) -> None:
    """Look whether each good row is read, and each other one told."""
    if case.before.rows is None:
        return
    found = case.before.rows
    there = {entry.label: entry for entry in entries}
    labels = Counter(row[1] for row in found)
    for label, row in case.template.rows.items():
        is_good = row in found and labels[label] == 1
        if is_good and there.get(label) != case.template.entries[label]:
            case.fault("a good row is lost")
    told = sum("of a step" not in one.why for one in torn)
    if len(entries) + told != len(found):
        case.fault(f"{len(found)} rows, {len(entries)} read, {told} told")


def _check_writing(case: Case, entries: Sequence[Entry]) -> None:
    """Look whether what can be read can be written, and loses nothing of the others."""
    ledger, now = case.ledger, START.timestamp() + 100.0
    steps: Mapping[str, Callable[[str], Any]] = {
        "lease": lambda label: ledger.lease(label, "me", now, now + 60.0),
        "let_go": lambda label: ledger.let_go(label, "me"),
        "miss": lambda label: ledger.miss(label, now),
        "found": ledger.found,
        "advance": lambda label: ledger.advance(label, "releasing", now, case.how),
    }
    for entry in entries[:2]:
        for what, step in steps.items():
            done = case.tell(what, lambda s=step, e=entry: s(e.label))
            if isinstance(done, StoreError) and case.is_whole:
                case.fault(f"{what} of a whole file is refused: {done}")
    case.tell("record", lambda: _in_store(ledger.folder, _record))
    left = case.tell("entries again", ledger.entries)
    if not isinstance(left, Exception):
        there = {entry.label: entry for entry in left}
        if any(there.get(entry.label) != entry for entry in entries[2:]):
            case.fault("writing lost a row")
    elif case.is_whole:
        case.fault(f"writing broke the file: {left}")


def _in_store(folder: Path, call: Callable[[sqlite3.Connection], Any]) -> Any:
    with open_store(folder) as store:
        return call(store)


def _survey(store: sqlite3.Connection) -> None:
    intervals = load_intervals(store)
    price_buckets(intervals, "day")
    lifetimes(intervals)
    bid_survival(intervals)


def _record(store: sqlite3.Connection) -> None:
    offers, _ = parse_offers(SAMPLE)
    store_snapshot(
        store, offers, market="sample", at=START.replace(minute=15), whole=True
    )


READERS: Mapping[str, Callable[[sqlite3.Connection], Any]] = {
    "hosts": rules,
    "runs": stored_runs,
    "misfits": lambda store: misfits(store, "vast", "job1", START.timestamp()),
    "history": _survey,
}
