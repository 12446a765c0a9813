"""Files of the user's that are wrong: nothing ends in a traceback, nothing is lost.

Three kinds of files are wronged at random, each many times: the user's SQLite file (bits
flipped, cut off, zeroed, wild values in any row of any table, other versions of the
schema, a torn journal), records of jobs, and profiles and ``advisor.toml``. Each is then
read and written as the commands do. A fault is an error that is none of advisor's, a good
row that is not read any more, a row that is neither read nor told, an error where SQLite
itself finds the file whole, and a file that was changed by reading or is gone.

What is right is said by SQLite alone, not by the code that is tested.

    python benchmarks/fuzz.py [--count 3000] [--seed 0] [--kind ledger|job|profile]

Prints the figures of each kind; exits 1 if there is a fault.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from advisor.errors import AdvisorError, StoreError
from advisor.market.offers import parse_offers
from advisor.market.sample import SampleMarket
from advisor.rental.jobs import load_job, save_job
from advisor.resources import STORE
from advisor.store.database import MIGRATIONS, open_store
from advisor.store.history import keep
from advisor.store.hosts import HostRule, rules, set_rule
from advisor.store.ledger import Entry, Ledger
from advisor.store.misfits import MisfitRecord, keep_misfit, misfits
from advisor.store.runs import keep_run, kept_runs
from advisor.store.survey import bid_survival, lives, load_spells, price_buckets
from advisor.throughput.own_runs import OwnRun
from advisor.workloads.load import BUILTIN, PROJECT_FILE, Library, load_settings

START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
MARKETS = ("market.test/1", "market.test/2")
WAYS = (
    "",
    "unknown",
    "held",
    "held handed",
    "held working",
    "held gone",
    "releasing",
    "releasing released",
    "refused",
)
"""How the rentals of a ledger came to their states."""

WILD: Sequence[Any] = (
    *(None, True, False, 0, -1, 1, -0.0, 1e308, -1e308, 1e-320, 2**31, 2**62, 2**63 - 1),
    *(math.nan, math.inf, -math.inf, "", " ", "x", "nan", "1e999", "0x10", "1_000", "٣"),
    *("\x1b[2J", "\u202eabc", "a\x00b", "\ufffd", "a" * 5000, "[1", "[null]", "{}", "[]"),
    *("held", "handed", "it runs a job", MARKETS[0], "2026-11-20", "../../x", "[" * 2000),
)
WILD_JSON: Sequence[Any] = (
    *(one for one in WILD if one is None or type(one) is not float or math.isfinite(one)),
    *([], {}, [[]], [None], {"a": 1}, [1] * 500, "\ud800", 10**400, [["a", "b"]]),
)
WILD_TOML = (
    *("-1", "0", "nan", "inf", "1e400", '"x"', "[]", "{}", "true", "1e308", "1e-300"),
    *('"\\u001b[2J"', "2020-01-01", '""', "9" * 23, "[[1]]", "-0.0", '"resnet50"'),
    *(
        "{a=1}",
        "1979-05-27T07:32:00Z",
        "'''a",
        '["a", 1]',
        "0x10",
        '"' + "a" * 5000 + '"',
    ),
)


@dataclass
class Tally:
    """What came of one kind of files.

    Attributes
    ----------
    tried : files
    refused : of them, those that ended in an error of ours
    faults : of each sort, with an example
    """

    tried: int = 0
    refused: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def fault(self, what: str) -> None:
        """Note one."""
        self.faults[what[:300]] += 1

    def tell(self, what: str, call: Callable[[], Any]) -> Any:
        """Return what a call returns; the error of ours that it raises, else."""
        try:
            return call()
        except AdvisorError as error:
            if "\x1b" in str(error) or "\n" in str(error):
                self.fault(f"{what}: an error that no terminal takes: {str(error)!r}")
            return error
        except Exception as error:  # noqa: BLE001  (any other is what is looked for)
            frames = traceback.extract_tb(error.__traceback__)
            ours = [one for one in frames if "/advisor/" in one.filename]
            where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
            self.fault(f"{type(error).__name__} at {where}: {error}: {what}")
            return error


# The user's SQLite file


def write_template(folder: Path) -> None:
    """Write a data folder in which each table has rows."""
    ledger = Ledger(folder)
    for number, way in enumerate(WAYS * 2):
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
            intended_at=START.timestamp(),
            ends_at=START.timestamp() + 7200.0,
            place="here:/data",
        )
        ledger.intend(entry, lambda entries: None)
        for step, state in enumerate(way.split()):
            at = START.timestamp() + step + 1
            ledger.advance(label, state, at, "why", instance_id=number + 1)  # type: ignore[arg-type]
    records = SampleMarket().search(None).records  # type: ignore[arg-type]
    with open_store(folder) as store:
        for minute, count in ((0, 6), (5, 4), (10, 6)):
            offers, _ = parse_offers(records[:count])
            at = START.replace(minute=minute)
            keep(store, offers, market="sample", at=at, whole=True)
        set_rule(store, HostRule("vast", "machine", 7, True, "slow disk", START))
        run = OwnRun("resnet50", "RTX 4090", 1, 1268.0, None, 12.0, None, 128, "amp")
        keep_run(store, run, "given", START, {"parts": [], "marks": []})
        misfit = ("vast", "job1", "driver_too_old", 7, "image", "RTX 4090", 890.0, 535.0)
        rest = ("amd64", 64.0, 24.0, START.timestamp())
        keep_misfit(store, MisfitRecord(*misfit, *rest))  # type: ignore[arg-type]


def flip(rnd: random.Random, body: bytearray) -> None:
    """Change some bytes of a file."""
    for _ in range(rnd.choice((1, 3, 20, 200))):
        body[rnd.randrange(len(body))] = rnd.randrange(256)


def wrong_bytes(rnd: random.Random, path: Path) -> str:
    """Change the bytes of a file; return how."""
    body = bytearray(path.read_bytes())
    how = rnd.choice(("flipped", "flipped", "cut", "zeroed", "page", "longer", "other"))
    if how == "flipped":
        flip(rnd, body)
    elif how == "cut":
        del body[rnd.randrange(len(body)) :]
    elif how == "zeroed":
        at = rnd.randrange(len(body))
        body[at : at + rnd.choice((16, 4096, len(body)))] = bytes(0)
    elif how == "page":
        at = rnd.randrange(len(body) // 4096) * 4096
        body[at : at + 4096] = rnd.randbytes(4096)
    elif how == "longer":
        body += rnd.randbytes(rnd.choice((1, 4096)))
    else:
        body[:] = rnd.choice((b"", b"<html>" * 900, bytes(4096), b"SQLite format 3\0"))
    path.write_bytes(bytes(body))
    return how


def wrong_rows(rnd: random.Random, path: Path) -> str:
    """Write wild values into rows of any table; return what."""
    told = []
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        store.execute("PRAGMA ignore_check_constraints = ON")
        tables = ["rental"] * 4 + [name for (name,) in store.execute(_TABLES)]
        for _ in range(rnd.choice((1, 1, 3))):
            table = rnd.choice(tables)
            columns = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
            column, value = rnd.choice(columns), rnd.choice((*WILD, b"\xff", b"x"))
            some = (
                ""
                if rnd.random() < 0.3
                else f" WHERE {rnd.randrange(3)} = abs(random()) % 3"
            )
            with suppress(sqlite3.Error):
                store.execute(f"UPDATE {table} SET {column} = ?{some}", (value,))  # noqa: S608
                told.append(f"{table}.{column} = {value!r:.40}")
    return "; ".join(told)


_TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
)


def wrong_schema(rnd: random.Random, path: Path) -> str:
    """Make the file one of another version, or take a table; return what."""
    version = rnd.choice((-1, 0, 1, 4, 5, len(MIGRATIONS) + 1, 99, 2**31 - 1))
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        tables = [name for (name,) in store.execute(_TABLES)]
        change = rnd.choice(
            (
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
    """Leave a rental in the journal alone, and tear that; return how."""
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        store.execute("PRAGMA journal_mode = WAL")
        for number in range(rnd.randint(1, 5)):
            store.execute("UPDATE rental SET reason = ? WHERE number = 1", (f"{number}",))
        beside = path.with_name(f"{path.name}-wal")
        left = {one: one.read_bytes() for one in (path, beside)}
    for one, content in left.items():
        one.write_bytes(content)
    body = bytearray(left[beside])
    if rnd.random() < 0.5:
        flip(rnd, body)
    else:
        del body[rnd.randrange(len(body)) :]
    beside.write_bytes(bytes(body))
    return "journal torn"


@dataclass(frozen=True)
class Truth:
    """What SQLite says of a file.

    Attributes
    ----------
    rows : of all rentals, None if they cannot be read
    is_whole : whether it finds nothing wrong, and each table of ours is there
    """

    rows: tuple[tuple[Any, ...], ...] | None
    is_whole: bool


def truth_of(path: Path) -> Truth:
    """Ask SQLite for what a copy of a file holds."""
    with tempfile.TemporaryDirectory() as name:
        for one in path.parent.glob(f"{path.name}*"):
            if one.is_file() and not one.name.endswith("-shm"):
                shutil.copy(one, name)
        copy = Path(name) / path.name
        rows, is_whole = None, False
        # SQLite's error may quote what is no text.
        with (
            suppress(sqlite3.Error, UnicodeDecodeError),
            closing(sqlite3.connect(copy)) as store,
        ):
            store.text_factory = lambda text: text.decode(errors="replace")
            rows = tuple(store.execute("SELECT * FROM rental NOT INDEXED"))
            checked = store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            version = store.execute("PRAGMA user_version").fetchone()[0]
            is_whole = checked and version == len(MIGRATIONS)
            for table, columns in TEMPLATE_COLUMNS.items():
                found = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
                is_whole = is_whole and set(columns) <= set(found)
        return Truth(rows, is_whole)


TEMPLATE_COLUMNS: dict[str, list[str]] = {}


def fuzz_ledgers(count: int, rnd: random.Random, folder: Path) -> Tally:
    """Wrong the user's file `count` times."""
    template, tally = folder / "template", Tally()
    write_template(template)
    with closing(sqlite3.connect(template / STORE)) as store:
        for (table,) in store.execute(_TABLES).fetchall():
            columns = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
            TEMPLATE_COLUMNS[table] = columns
    good = Ledger(template)
    known = {entry.label: entry for entry in good.entries()}
    rows = dict(zip(known, truth_of(template / STORE).rows or (), strict=True))
    for _ in range(count):
        data = folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        path = Path(shutil.copy(template / STORE, data))
        ways = (
            wrong_bytes,
            wrong_bytes,
            wrong_rows,
            wrong_rows,
            wrong_schema,
            torn_journal,
        )
        how = rnd.choice(ways)(rnd, path)
        tally.tried += 1
        _check_ledger(tally, how, Ledger(data), known, rows)
    return tally


def _check_ledger(
    tally: Tally,
    how: str,
    ledger: Ledger,
    known: Mapping[str, Entry],
    rows: Mapping[str, tuple[Any, ...]],
) -> None:
    """Read and write a wronged file as the commands do."""
    path = ledger.folder / STORE
    before, size = truth_of(path), path.stat().st_size
    entries = tally.tell(f"entries ({how})", ledger.entries)
    torn = tally.tell(f"torn ({how})", ledger.torn)
    tally.tell(f"entries of one ({how})", lambda: ledger.entries(MARKETS[0]))
    for label in known:
        tally.tell(f"history ({how})", lambda name=label: ledger.history(name))
        tally.tell(f"before_gone ({how})", lambda name=label: ledger.before_gone(name))
        tally.tell(f"entry ({how})", lambda name=label: ledger.entry(name))
    for what, read in READERS.items():
        tally.tell(f"{what} ({how})", lambda call=read: _in_store(ledger.folder, call))
    after = truth_of(path)
    if after != before and before.rows is not None:
        tally.fault(f"reading changed the file ({how})")
    if path.stat().st_size < min(size, 100):
        tally.fault(f"reading cut the file ({how})")
    if isinstance(entries, StoreError):
        tally.refused += 1
        if before.is_whole:
            tally.fault(f"a whole file is refused ({how}): {entries}")
        return
    if isinstance(entries, Exception) or isinstance(torn, Exception):
        return
    _check_rows(tally, how, before, entries, torn, rows, known)
    _check_writing(tally, how, ledger, entries, before)


def _check_rows(
    tally: Tally,
    how: str,
    before: Truth,
    entries: Sequence[Entry],
    torn: Sequence[Any],
    rows: Mapping[str, tuple[Any, ...]],
    known: Mapping[str, Entry],
) -> None:
    """Look whether each good row is read, and each other one told."""
    found = before.rows or ()
    there = {entry.label: entry for entry in entries}
    labels = Counter(row[1] for row in found)
    for label, row in rows.items():
        if row in found and labels[label] == 1 and there.get(label) != known[label]:
            tally.fault(f"a good row is lost ({how})")
    told = sum("step" not in one.why for one in torn)
    if len(entries) + told != len(found):
        tally.fault(f"{len(found)} rows, {len(entries)} read, {told} told ({how})")


def _check_writing(
    tally: Tally, how: str, ledger: Ledger, entries: Sequence[Entry], before: Truth
) -> None:
    """Look whether what can be read can be written, and loses nothing of the others."""
    now = START.timestamp() + 100.0
    changed: dict[str, Entry] = {entry.label: entry for entry in entries}
    steps: list[tuple[str, Callable[[str], Any]]] = [
        ("lease", lambda label: ledger.lease(label, "me", now, now + 60.0)),
        ("let_go", lambda label: ledger.let_go(label, "me")),
        ("miss", lambda label: ledger.miss(label, now)),
        ("found", ledger.found),
        ("advance", lambda label: ledger.advance(label, "releasing", now, how)),
    ]
    for entry in entries[:3]:
        for what, step in steps:
            done = tally.tell(f"{what} ({how})", lambda s=step, e=entry: s(e.label))
            if isinstance(done, Entry):
                changed[entry.label] = done
            elif isinstance(done, StoreError) and before.is_whole:
                tally.fault(f"{what} of a whole file is refused ({how}): {done}")
    left = tally.tell(f"entries again ({how})", ledger.entries)
    if isinstance(left, list):
        there = {entry.label: entry for entry in left}
        untouched = [entry.label for entry in entries[3:]]
        if any(there.get(label) != changed[label] for label in untouched):
            tally.fault(f"writing lost a row ({how})")
    elif before.is_whole:
        tally.fault(f"writing broke the file ({how}): {left}")


def _in_store(folder: Path, call: Callable[[sqlite3.Connection], Any]) -> Any:
    with open_store(folder) as store:
        return call(store)


def _survey(store: sqlite3.Connection) -> None:
    spells = load_spells(store)
    price_buckets(spells, "day")
    lives(spells)
    bid_survival(spells)


READERS: Mapping[str, Callable[[sqlite3.Connection], Any]] = {
    "hosts": rules,
    "runs": kept_runs,
    "misfits": lambda store: misfits(store, "vast", "job1", START.timestamp()),
    "history": _survey,
}


# Records of jobs


FIRST_JOB: Mapping[str, Any] = {
    "name": "lab",
    "argv": ["python", "train.py"],
    "folder": "/somewhere",
    "results": "results",
    "checkpoints": "checkpoints",
    "options": {
        "workload": "resnet50",
        "epochs": 2,
        "settings": ["dataset_gb=1"],
        "rental": "on-demand",
        "gpus": ["A100"],
        "market": "vast",
        "budget": 3.0,
        "attempts": 5,
    },
    "includes": ["data/"],
    "excludes": [],
    "before": {"checkpoints/a": [3, 1795186000000000000]},
    "predicted": {"workload": "resnet50", "samples_per_s": 100.0},
    "exit_code": None,
}
"""A record as it was kept first; what this advisor makes of it is wronged as well."""


def wrong_document(rnd: random.Random, document: Any) -> Any:
    """Return a document with some of it replaced, removed or added."""
    document = json.loads(json.dumps(document))
    for _ in range(rnd.randint(1, 4)):
        node, parent, key = document, None, None
        while isinstance(node, dict | list) and node and rnd.random() < 0.8:
            parent = node
            key = rnd.choice(list(node) if isinstance(node, dict) else range(len(node)))
            node = node[key]
        if parent is None:
            document = document if rnd.random() < 0.9 else rnd.choice(WILD_JSON)
        elif rnd.random() < 0.7:
            parent[key] = rnd.choice(WILD_JSON)
        elif isinstance(parent, dict) and rnd.random() < 0.6:
            del parent[key]
        elif isinstance(parent, dict):
            parent[rnd.choice(("other", "", "\x1b", "version"))] = rnd.choice(WILD_JSON)
    return document


def fuzz_jobs(count: int, rnd: random.Random, folder: Path) -> Tally:
    """Wrong the record of a job `count` times."""
    tally = Tally()
    path = folder / "jobs" / "lab" / "job.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(FIRST_JOB))
    save_job(folder, load_job(folder, "lab"))
    records = (FIRST_JOB, json.loads(path.read_bytes()))
    for _ in range(count):
        whole = rnd.choice(records)
        document = wrong_document(rnd, whole)
        body = bytearray(json.dumps(document).encode("utf-8", "surrogatepass"))
        if rnd.random() < 0.2 and body:
            flip(rnd, body)
        elif rnd.random() < 0.1:
            del body[rnd.randrange(len(body) + 1) :]
        path.write_bytes(bytes(body))
        tally.tried += 1
        how = f"{document!r:.120}"
        loaded = tally.tell(f"load_job ({how})", lambda: load_job(folder, "lab"))
        if path.read_bytes() != bytes(body):
            tally.fault(f"reading changed the record ({how})")
        if isinstance(loaded, AdvisorError):
            tally.refused += 1
            if document == whole and bytes(body) == json.dumps(whole).encode():
                tally.fault(f"a whole record is refused: {loaded}")
        elif not isinstance(loaded, Exception):
            tally.tell(f"asked ({how})", lambda one=loaded: one.asked)
            tally.tell(f"save_job ({how})", lambda one=loaded: save_job(folder, one))
            again = tally.tell(f"load_job again ({how})", lambda: load_job(folder, "lab"))
            if again != loaded and again == again:  # noqa: PLR0124  (not NaN)
                tally.fault(f"a record is another when it is kept again ({how})")
    return tally


# Profiles and advisor.toml


def wrong_lines(rnd: random.Random, text: str) -> bytes:
    """Return a TOML file with some of its lines wronged."""
    lines = text.splitlines()
    for _ in range(rnd.randint(1, 4)):
        if not lines:
            break
        at = rnd.randrange(len(lines))
        if "=" in lines[at] and rnd.random() < 0.7:
            lines[at] = f"{lines[at].split('=')[0]}= {rnd.choice(WILD_TOML)}"
        elif rnd.random() < 0.5:
            del lines[at]
        else:
            added = (
                "[x]",
                "extends = 'bert-base'",
                "a.b = 1",
                "= 1",
                "[[a]]",
                "[rental]",
            )
            lines.insert(at, rnd.choice(added))
    body = bytearray("\n".join(lines).encode())
    if rnd.random() < 0.15 and body:
        flip(rnd, body)
    return bytes(body)


PROJECT = """\
[rental]
image = "pytorch/pytorch:2.3.0"
job_budget_usd = 5.0
day_budget_usd = 20.0
[workloads.mine]
extends = "resnet50"
epochs = 3
batch_size = 64
[workloads.other]
extends = "mine"
precision = "amp"
"""


def fuzz_profiles(count: int, rnd: random.Random, folder: Path) -> Tally:
    """Wrong a profile, or an ``advisor.toml``, `count` times."""
    tally, texts = Tally(), [one.read_text() for one in sorted(BUILTIN.glob("*.toml"))]
    for number in range(count):
        is_project = number % 2 == 1
        path = folder / (PROJECT_FILE if is_project else "mine.toml")
        body = wrong_lines(rnd, PROJECT if is_project else rnd.choice(texts))
        path.write_bytes(body)
        tally.tried += 1
        how = f"{body!r:.160}"
        library = Library(None, (path,) if is_project else ())
        names = ("mine", "other") if is_project else (str(path),)
        refused = False
        for name in names:
            found = tally.tell(f"load ({how})", lambda one=name, k=library: k.load(one))
            refused = refused or isinstance(found, AdvisorError)
        if is_project:
            tally.tell(f"settings ({how})", lambda one=path: load_settings((one,)))
            tally.tell(f"all ({how})", library.all)
        tally.refused += refused
        if path.read_bytes() != body:
            tally.fault(f"reading changed the file ({how})")
    return tally


KINDS: Mapping[str, Callable[[int, random.Random, Path], Tally]] = {
    "ledger": fuzz_ledgers,
    "job": fuzz_jobs,
    "profile": fuzz_profiles,
}


def fuzz(kinds: Sequence[str], count: int, seed: int) -> Iterator[tuple[str, Tally]]:
    """Yield what came of each kind."""
    for kind in kinds:
        with tempfile.TemporaryDirectory() as name:
            yield kind, KINDS[kind](count, random.Random(f"{seed}{kind}"), Path(name))  # noqa: S311


def main() -> int:
    """Print the figures of each kind; return 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3000, help="files of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=[*KINDS], action="append")
    options = parser.parse_args()
    failed = False
    begun = time.monotonic()
    for kind, tally in fuzz(options.kind or [*KINDS], options.count, options.seed):
        faults = tally.faults.total()
        print(
            f"{kind}: {tally.tried} files, {tally.refused} refused, {faults} faults, "
            f"{time.monotonic() - begun:.0f} s"
        )
        for what, times in tally.faults.most_common(20):
            print(f"  {times} x {what}")
        failed = failed or bool(faults)
        begun = time.monotonic()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
