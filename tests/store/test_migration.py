"""A file that an older advisor wrote is copied, then migrated, and loses nothing.

`old/data` is such a data folder; `old/README.md` says how it came to be.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from advisor.app.jobs import load_job
from advisor.base.errors import AdvisorError, StoreError, StoreFullError
from advisor.base.resources import STORE
from advisor.store import backup, database
from advisor.store.database import open_store
from advisor.store.history import GAP_S
from advisor.store.hosts import rules
from advisor.store.ledger import Ledger
from advisor.store.listing_intervals import stored_gpu_names
from advisor.store.migrations import MIGRATIONS
from advisor.store.misfits import misfits
from advisor.store.runs import stored_runs

OLD = Path(__file__).parent / "old" / "data"
MARKET = "127.0.0.1:8799/900001"
BACKUP = f"{STORE}.v5.bak"
BEGUN = 1795186800.0
"""20 November 2026, 15:00 UTC."""

Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the old data folder."""
    return Path(shutil.copytree(OLD, tmp_path / "data"))


def rows(path: Path) -> Rows:
    """Return all that a file holds, of whatever version."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        tables = [
            name
            for (name,) in store.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            )
        ]
        return {
            name: store.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall()  # noqa: S608
            for name in tables
        }


def version(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        return int(store.execute("PRAGMA user_version").fetchone()[0])


def test_every_rental_is_there_and_two_owners_have_two_states(folder: Path) -> None:
    """What a job of `run` has is working; all else is as it was, to the last field."""
    ledger = Ledger(folder)
    states = {one.job: one.state for one in ledger.entries()}
    assert states == {
        "intended": "intended",
        "unknown": "unknown",
        "held": "held",
        "mine": "handed",
        "lab": "working",
        "ending": "releasing",
        "ended": "released",
        "refused": "refused",
        "missed": "handed",
        "theirs": "handed",
    }
    assert len(ledger.entries(MARKET)) == 9
    assert ledger.torn() == []
    (lab,) = [one for one in ledger.entries() if one.job == "lab"]
    assert (lab.handed_at, lab.instance_id, lab.reason) == (
        BEGUN + 101,
        21000005,
        "it runs a job",
    )
    assert (lab.place, lab.holder, lab.lease_until) == ("", "", None)
    assert [state for _, state, _ in ledger.history(lab.label)] == [
        "intended",
        "held",
        "working",
    ]
    (mine,) = [one for one in ledger.entries() if one.job == "mine"]
    assert [state for _, state, _ in ledger.history(mine.label)][-1] == "handed"
    (missed,) = [one for one in ledger.entries() if one.job == "missed"]
    assert missed.absent_at == BEGUN + 200


def test_nothing_is_lost_or_changed_beside(folder: Path) -> None:
    """Each row of each table, each column that was there: but for the new states.

    Columns and tables that there were not are empty.
    """
    before = rows(folder / STORE)
    with open_store(folder):
        pass
    after = rows(folder / STORE)
    assert version(folder / STORE) == len(MIGRATIONS) == 8
    new = {name: after[name] for name in set(after) - set(before)}
    assert new == {name: [] for name in ("bench", "sweep", "sweep_job", "sweep_event")}
    for name in set(before) - {"rental", "rental_event", "run"}:
        assert after[name] == before[name], name
    assert after["run"] == [(*row, None, None) for row in before["run"]]
    working = "it runs a job"

    def as_now(state: str, reason: str) -> str:
        return "working" if (state, reason) == ("handed", working) else state

    assert [row[:19] for row in after["rental"]] == [
        (*row[:4], as_now(row[4], row[18]), *row[5:]) for row in before["rental"]
    ]
    assert after["rental_event"] == [
        (label, at, as_now(state, why), why)
        for label, at, state, why in before["rental_event"]
    ]


def test_the_rest_of_the_file_is_read_as_before(folder: Path) -> None:
    """History, hosts, runs and misfits."""
    with open_store(folder) as store:
        assert len(stored_gpu_names(store)) == 3
        assert [rule.id for rule in rules(store, "vast")] == [77, 5501]
        assert [kept.run.samples_per_s for kept in stored_runs(store)] == [1268.0]
        assert [one.job for one in misfits(store, "vast", "lab", BEGUN + GAP_S)] == [
            "lab"
        ]


def test_jobs_of_before_are_read(folder: Path) -> None:
    """With and without what their records have had since."""
    lab, older = load_job(folder, "lab")[0], load_job(folder, "older")[0]
    assert lab.argv == ("python", "train.py", "--epochs", "2")
    assert lab.before == {"checkpoints/last.pt": (1024, 1795186000000000000)}
    assert (older.before, older.exit_code) == ({}, None)
    assert older.argv == ("sh", "-c", "make")


def test_new_rentals_are_written_beside_the_old(folder: Path) -> None:
    """With a number of their own, and the old ones go on."""
    ledger = Ledger(folder)
    by_job = {one.job: one for one in ledger.entries()}
    ended = ledger.advance(by_job["lab"].label, "releasing", BEGUN + 500, "by hand")
    assert ended.handed_at == BEGUN + 101
    again = ledger.advance(by_job["held"].label, "gone", BEGUN + 500)
    assert ledger.before_gone(again.label) == "held"


def test_the_file_is_copied_before(folder: Path) -> None:
    """Whole, of the old version, for its user alone; nothing else is left behind."""
    before = (folder / STORE).read_bytes()
    with open_store(folder):
        pass
    copy = folder / BACKUP
    assert version(copy) == 5
    assert rows(copy) == rows(OLD / STORE)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert len(copy.read_bytes()) == len(before)
    assert {one.name for one in folder.iterdir()} == {STORE, BACKUP, "jobs"}


def test_what_is_in_the_journal_alone_is_copied_too(folder: Path) -> None:
    """The launcher that wrote it was killed before it was folded in."""
    script = (
        "import os, sqlite3, sys\n"
        "store = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "store.execute('PRAGMA journal_mode = WAL')\n"
        "store.execute('UPDATE rental SET reason = ? WHERE number = 1', ('late',))\n"
        "os._exit(0)\n"
    )
    path = folder / STORE
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    assert (folder / f"{STORE}-wal").stat().st_size > 0
    assert Ledger(folder).entries()[0].reason == "late"
    assert rows(folder / BACKUP)["rental"][0][18] == "late"


def test_an_earlier_copy_is_never_overwritten(folder: Path) -> None:
    """Another one stands beside it, as often as it takes."""
    (folder / BACKUP).write_bytes(b"of last year")
    (folder / f"{STORE}.v5.2.bak").write_bytes(b"of this year")
    with open_store(folder):
        pass
    assert (folder / BACKUP).read_bytes() == b"of last year"
    assert (folder / f"{STORE}.v5.2.bak").read_bytes() == b"of this year"
    assert version(folder / f"{STORE}.v5.3.bak") == 5


def test_the_second_copy_is_the_second(folder: Path) -> None:
    """It is numbered so."""
    (folder / BACKUP).write_bytes(b"of last year")
    with open_store(folder):
        pass
    assert version(folder / f"{STORE}.v5.2.bak") == 5


def test_the_same_copy_is_not_kept_twice(folder: Path) -> None:
    """A migration that was broken off and tried again does not fill the disk."""
    with open_store(folder):
        pass
    first = (folder / BACKUP).read_bytes()
    shutil.copyfile(OLD / STORE, folder / STORE)
    with open_store(folder):
        pass
    assert {one.name for one in folder.iterdir()} == {STORE, BACKUP, "jobs"}
    assert (folder / BACKUP).read_bytes() == first


def test_a_new_file_needs_no_copy(tmp_path: Path) -> None:
    """There is nothing to lose; nor is a file copied that is of this version."""
    for _ in range(2):
        with open_store(tmp_path):
            pass
    assert [one.name for one in tmp_path.iterdir()] == [STORE]


def test_without_a_copy_nothing_is_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way out is told, the file stays of its version, half a copy is removed."""

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_sync", full)
    with pytest.raises(
        StoreError, match=r"^/.*v5\.bak cannot be written .*No space left"
    ):
        Ledger(folder).entries()
    assert rows(folder / STORE) == rows(OLD / STORE)
    assert version(folder / STORE) == 5
    assert not list(folder.glob("*.bak*"))


def test_what_a_broken_copy_left_does_no_harm(folder: Path) -> None:
    """Neither its pages nor its journal get into the next copy."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        (folder / f"{BACKUP}.new{suffix}").write_bytes(b"half a copy" * 500)
    with open_store(folder):
        pass
    assert rows(folder / BACKUP) == rows(OLD / STORE)
    assert {one.name for one in folder.iterdir()} == {STORE, BACKUP, "jobs"}


def test_of_a_copy_that_fails_nothing_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor of one before it that was broken off."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        (folder / f"{BACKUP}.new{suffix}").write_bytes(b"half a copy")

    def refuse(file: Path, path: Path) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(backup, "_copy", refuse)
    with pytest.raises(StoreError, match="disk I/O error"):
        Ledger(folder).entries()
    assert not list(folder.glob("*.bak*"))


def test_the_system_is_asked_to_write_the_copy(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file, then its folder; and both are closed again."""
    synced: list[int] = []
    sync = os.fsync

    def noted(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        sync(handle)
        handles.append(handle)

    handles: list[int] = []
    monkeypatch.setattr(backup.os, "fsync", noted)
    with open_store(folder):
        pass
    assert synced == [(folder / BACKUP).stat().st_ino, folder.stat().st_ino]
    for handle in set(handles):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(handle)


def test_of_many_that_migrate_one_makes_a_copy(folder: Path) -> None:
    """The others find it done, and copy nothing."""
    threads = [threading.Thread(target=Ledger(folder).entries) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.name for one in folder.glob("*.bak*")] == [BACKUP]
    assert len(Ledger(folder).entries()) == 10


def test_the_copy_is_on_the_disk_before_the_file_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First what is in it, then its name: nothing of the file is written before."""
    synced: list[str] = []
    sync = backup._sync

    def noted(path: Path) -> None:
        assert version(folder / STORE) == 5
        sync(path)
        synced.append(path.name)

    monkeypatch.setattr(backup, "_sync", noted)
    with open_store(folder):
        pass
    assert synced == [f"{BACKUP}.new", "data"]


def test_a_torn_row_does_not_stop_the_others(folder: Path) -> None:
    """Rows that the old table would not take are carried over, and told."""
    with closing(sqlite3.connect(folder / STORE)) as store:
        store.execute("PRAGMA ignore_check_constraints = ON")
        store.execute("UPDATE rental SET state = 'x' WHERE job = 'mine'")
        store.execute("UPDATE rental SET gpu_ids = '-1' WHERE job = 'held'")
        store.commit()
    ledger = Ledger(folder)
    assert len(ledger.entries()) == 8
    assert sorted(one.why for one in ledger.torn(MARKET)) == [
        "its gpu_ids is '-1'",
        "its state is 'x'",
    ]


KILLED = """
import os, sqlite3, sys
from pathlib import Path
left = int(sys.argv[2])

def count(*_):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)

connect = sqlite3.connect

def counted(*args, **options):
    store = connect(*args, **options)
    store.set_trace_callback(count)
    return store

sqlite3.connect = counted
from advisor.store.database import open_store
sys.addaudithook(lambda event, _: count() if event in ("open", "os.rename") else None)
with open_store(Path(sys.argv[1])):
    pass
print(left)
"""


def test_a_migration_that_is_killed_anywhere_is_made_later(tmp_path: Path) -> None:
    """At each statement and each change of a file: it is old or new, and whole."""
    points = 200
    step, killed = 1, 0
    while step < points:
        folder = Path(shutil.copytree(OLD, tmp_path / str(step)))
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(folder), str(step)],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode == 0:
            points = step
        else:
            assert done.returncode == -9, done.stderr
            killed += 1
            assert version(folder / STORE) in {0, 5, 6}
        assert len(Ledger(folder).entries()) == 10
        assert rows(folder / BACKUP) == rows(OLD / STORE)
        names = {one.name for one in folder.iterdir()}
        assert names == {STORE, BACKUP, "jobs"}
        step += 1
    assert killed > 12  # statements and files


def limited(pages: int) -> Callable[..., sqlite3.Connection]:
    """Return what opens files that cannot grow above so many pages."""
    connect = sqlite3.connect

    def opened(*args: Any, **options: Any) -> sqlite3.Connection:
        store = connect(*args, **options)
        store.execute(f"PRAGMA max_page_count = {pages}")
        return store

    return opened


def test_a_disk_that_fills_while_it_migrates_leaves_the_old_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All or nothing; with room again it is migrated."""
    with monkeypatch.context() as patched:
        patched.setattr(database.sqlite3, "connect", limited(18))
        with pytest.raises(StoreFullError, match="make room"):
            Ledger(folder).entries()
    assert version(folder / STORE) == 5
    assert rows(folder / STORE) == rows(OLD / STORE)
    assert len(Ledger(folder).entries()) == 10


@pytest.mark.parametrize("wrong", [1, 3])
def test_a_version_that_is_wrong_loses_nothing(folder: Path, wrong: int) -> None:
    """A file that has later tables already is told, and stays as it was."""
    with closing(sqlite3.connect(folder / STORE)) as store:
        store.execute(f"PRAGMA user_version = {wrong}")
    before = rows(folder / STORE)
    with pytest.raises(AdvisorError, match="already exists"):
        Ledger(folder).entries()
    assert rows(folder / STORE) == before
