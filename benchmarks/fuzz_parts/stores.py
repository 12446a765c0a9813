"""The user's SQLite file: written whole, wronged, and judged by SQLite alone."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from advisor.base.resources import STORE
from advisor.market.offers import parse_offers
from advisor.market.sample import SampleMarket
from advisor.market.types import Query
from advisor.store.database import open_store
from advisor.store.history import store_snapshot
from advisor.store.hosts import HostRule, set_rule
from advisor.store.ledger import Entry, Ledger
from advisor.store.migrations import MIGRATIONS
from advisor.store.misfits import MisfitRecord, store_misfit
from advisor.store.runs import store_run
from advisor.throughput.user_runs import UserRun
from fuzz_parts.wild import WILD, cut, flip

Answer = TypeVar("Answer")

START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)

SAMPLE = SampleMarket().search(Query()).records[:6]
"""Offers that are recorded."""

MARKETS = ("market.test/1", "market.test/2")

WAYS = (
    *("", "unknown", "held", "held handed", "held working", "held gone", "releasing"),
    *("releasing released", "refused"),
)
"""How the rentals of a ledger came to their states."""

_TABLES = (
    "SELECT name FROM sqlite_master "
    "WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
)


def write_whole(folder: Path) -> None:
    """Write a data folder in which each table has rows."""
    ledger, begun = Ledger(folder), START.timestamp()
    for number, way in enumerate(WAYS):
        label = f"advisor:job{number}:691f49c7-{number:016x}"
        entry = Entry(
            label=label,
            market=MARKETS[number % 2],
            job=f"job{number}",
            state="intended",
            offer_id=number + 1,
            machine_id=number,
            gpu_ids=(1, 2),
            gpu_name="RTX 4090",
            num_gpus=2,
            usd_per_hour=0.5,
            traffic_usd=0.125,
            intended_at=begun,
            ends_at=begun + 7200.0,
            place="here:/data",
        )
        ledger.intend(entry, lambda _: None)
        for step, state in enumerate(way.split(), 1):
            ledger.advance(label, state, begun + step, "why", instance_id=number + 1)  # type: ignore[arg-type]
    with open_store(folder) as store:
        for minute, count in ((0, 6), (5, 4), (10, 6)):
            offers, _ = parse_offers(SAMPLE[:count])
            at = START.replace(minute=minute)
            store_snapshot(store, offers, market="sample", at=at, whole=True)
        set_rule(store, HostRule("vast", "machine", 7, True, "slow disk", START))
        run = UserRun("resnet50", "RTX 4090", 1, 1268.0, None, 12.0, None, 128, "amp")
        store_run(store, run, "given", START, {"parts": [], "marks": []})
        misfit = ("vast", "job1", "driver_too_old", 7, "image", "RTX 4090", 890.0, 535.0)
        store_misfit(store, MisfitRecord(*misfit, "amd64", 64.0, 24.0, begun))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Truth:
    """What SQLite says of a file.

    Attributes
    ----------
    rows : of all rentals
    version : of the schema
    columns : of each table that is there
    is_sound : whether SQLite finds nothing wrong

    Each is None if SQLite cannot read it.
    """

    rows: tuple[tuple[Any, ...], ...] | None = None
    version: int | None = None
    columns: Mapping[str, Sequence[str]] | None = None
    is_sound: bool | None = None

    def is_whole(self, template: Truth) -> bool:
        """Tell whether it is of the same version and tables, and sound."""
        same = (self.version, self.columns) == (template.version, template.columns)
        return bool(self.is_sound) and same


def truth_of(path: Path) -> Truth:
    """Ask SQLite for what a copy of a file holds."""
    with tempfile.TemporaryDirectory() as name:
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copy(path.with_name(path.name + suffix), name)
        copy = Path(name) / path.name
        return Truth(
            _asked(copy, lambda store: tuple(store.execute(_RENTALS))),
            _asked(
                copy, lambda store: store.execute("PRAGMA user_version").fetchone()[0]
            ),
            _asked(copy, _all_columns),
            _asked(copy, lambda store: [*store.execute(_CHECK)] == [("ok",)]),
        )


_RENTALS = "SELECT * FROM rental NOT INDEXED"
_VERSION = "PRAGMA user_version"
_CHECK = "PRAGMA integrity_check"


def _asked(path: Path, ask: Callable[[sqlite3.Connection], Answer]) -> Answer | None:
    try:
        with closing(sqlite3.connect(path)) as store:
            store.text_factory = lambda text: text.decode(errors="replace")
            return ask(store)
    except (sqlite3.Error, UnicodeDecodeError):  # the error may quote what is no text
        return None


def _all_columns(store: sqlite3.Connection) -> Mapping[str, Sequence[str]]:
    tables = [table for (table,) in store.execute(_TABLES)]
    return {table: _columns(store, table) for table in tables}


def wrong_bytes(rnd: random.Random, path: Path) -> str:
    """Change the bytes of a file; return how."""
    body = bytearray(path.read_bytes())
    how = rnd.choice(("flipped", "flipped", "cut", "zeroed", "page", "longer", "other"))
    if how == "flipped":
        flip(rnd, body)
    elif how == "cut":
        cut(rnd, body)
    elif how == "zeroed":
        at = rnd.randrange(len(body))
        length = min(rnd.choice((16, 4096, len(body))), len(body) - at)
        body[at : at + length] = bytes(length)
    elif how == "page":
        at = rnd.randrange(len(body) // 4096) * 4096
        body[at : at + 4096] = rnd.randbytes(4096)
    elif how == "longer":
        body += rnd.randbytes(rnd.choice((1, 4096)))
    else:
        body[:] = rnd.choice((b"", b"<html>" * 900, bytes(4096), b"SQLite format 3\0"))
    path.write_bytes(bytes(body))
    return f"bytes {how}"


def wrong_rows(rnd: random.Random, path: Path) -> str:
    """Write wild values into rows of any table; return what."""
    told = []
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        store.execute("PRAGMA ignore_check_constraints = ON")
        tables = ["rental"] * 4 + [name for (name,) in store.execute(_TABLES)]
        for _ in range(rnd.choice((1, 1, 3))):
            table = rnd.choice(tables)
            column = rnd.choice(_columns(store, table))
            value = rnd.choice((*WILD, b"\xff", b"x"))
            which = ""
            if rnd.random() < 0.7:
                place = f"LIMIT 1 OFFSET {rnd.randrange(4)}"
                which = f" WHERE {column} IS (SELECT {column} FROM {table} {place})"  # noqa: S608
            with suppress(sqlite3.Error):
                store.execute(f"UPDATE {table} SET {column} = ?{which}", (value,))  # noqa: S608
                told.append(f"{table}.{column} = {value!r:.40}")
    return "; ".join(told)


def wrong_schema(rnd: random.Random, path: Path) -> str:
    """Make the file one of another version, or take a table; return what."""
    version = rnd.choice((-1, 0, 1, 4, 5, len(MIGRATIONS) + 1, 99, 2**31 - 1))
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        tables = [name for (name,) in store.execute(_TABLES)]
        change = rnd.choice(
            (
                f"PRAGMA user_version = {version}",
                f"PRAGMA user_version = {version}",
                f"DROP TABLE {rnd.choice(tables)}",
                f"ALTER TABLE {rnd.choice(tables)} RENAME TO other",
                "ALTER TABLE rental RENAME COLUMN state TO other",
                "ALTER TABLE rental ADD COLUMN other",
            )
        )
        with suppress(sqlite3.Error):
            store.execute(change)
    return change


def torn_journal(rnd: random.Random, path: Path) -> str:
    """Leave some changes in the journal alone, and tear that; return how."""
    beside = path.with_name(f"{path.name}-wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        store.execute("PRAGMA journal_mode = WAL")
        for number in range(rnd.randint(1, 5)):
            store.execute("UPDATE rental SET reason = ? WHERE number = 1", (f"{number}",))
        left = {one: one.read_bytes() for one in (path, beside)}
    for one, content in left.items():
        one.write_bytes(content)
    body = bytearray(left[beside])
    rnd.choice((flip, cut))(rnd, body)
    beside.write_bytes(bytes(body))
    return "journal torn"


WRONGS = (wrong_bytes, wrong_bytes, wrong_rows, wrong_rows, wrong_schema, torn_journal)


def wronged(rnd: random.Random, template: Path, folder: Path) -> str:
    """Copy a template's file to a folder and wrong it there; return how."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = Path(shutil.copy(template / STORE, folder))
    return rnd.choice(WRONGS)(rnd, path)


def _columns(store: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
