"""The user's file is looked at, and nothing of it changes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.base.errors import StoreError, StoreTornError
from advisor.base.resources import STORE
from advisor.store.entry import Entry
from advisor.store.health import check_copy, copies_of, look_at
from advisor.store.ledger import Ledger
from advisor.store.migrations import MIGRATIONS

OLD = Path(__file__).parent / "old" / "data"
ENTRY = Entry(
    label="advisor:job:00000000-0000000000000000",
    market="market.test/1",
    job="job",
    state="intended",
    offer_id=5,
    machine_id=7,
    gpu_ids=(1,),
    gpu_name="RTX 4090",
    num_gpus=1,
    usd_per_hour=0.5,
    traffic_usd=0.1,
    intended_at=1000.0,
    ends_at=5000.0,
)

Tree = dict[str, tuple[int, int, bytes]]


def tree(folder: Path) -> Tree:
    """Return what a folder holds, with times."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_mode, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data folder with one rental in its ledger."""
    made = tmp_path / "data"
    Ledger(made).intend(ENTRY, lambda _: None)
    return made


def test_a_file_as_it_should_be(folder: Path) -> None:
    """Its version, every page, and the rentals; the folder is as it was."""
    before = tree(folder)
    found = look_at(folder, 60.0)
    assert found is not None
    assert (found.version, found.is_current, found.is_whole) == (
        len(MIGRATIONS),
        True,
        True,
    )
    assert (list(found.entries), list(found.torn), found.writer) == ([ENTRY], [], None)
    assert tree(folder) == before


def test_where_there_is_none(tmp_path: Path) -> None:
    """None is made."""
    assert look_at(tmp_path / "none", 60.0) is None
    assert not (tmp_path / "none").exists()


KILLED = """
import os, sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("UPDATE rental SET state = 'unknown'")
os._exit(0)
"""


@pytest.mark.parametrize("with_index", [True, False])
def test_what_a_killed_process_left_is_seen(folder: Path, with_index: bool) -> None:
    """Its change is in the write-ahead log alone, which stays as it is."""
    subprocess.run([sys.executable, "-c", KILLED, str(folder / STORE)], check=True)
    assert (folder / f"{STORE}-wal").stat().st_size > 0
    if not with_index:
        (folder / f"{STORE}-shm").unlink()
    before = tree(folder)
    found = look_at(folder, 60.0)
    assert found is not None
    assert list(found.entries) == [replace(ENTRY, state="unknown")]
    assert tree(folder) == before


def test_a_file_that_may_only_be_read(folder: Path) -> None:
    """Nothing is written beside it, so that none needs to be."""
    (folder / STORE).chmod(0o400)
    folder.chmod(0o500)
    found = look_at(folder, 60.0)
    folder.chmod(0o700)
    assert found is not None
    assert list(found.entries) == [ENTRY]


def test_an_older_file_is_read_as_the_newest_has_it(tmp_path: Path) -> None:
    """And it stays of its version, without a copy of it being made."""
    folder = Path(shutil.copytree(OLD, tmp_path / "data"))
    before = tree(folder)
    found = look_at(folder, 60.0)
    assert tree(folder) == before
    assert found is not None
    assert not found.is_current
    assert list(found.entries) == list(Ledger(folder).entries())


@pytest.mark.parametrize("at", [0, 4096])
def test_a_torn_file_is_told(folder: Path, at: int) -> None:
    """Whether its first page or another one is torn."""
    with (folder / STORE).open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * 3000)
    with pytest.raises(StoreTornError, match="no whole database"):
        look_at(folder, 60.0)


def test_a_newer_file_is_told(folder: Path) -> None:
    """As every command would."""
    with closing(sqlite3.connect(folder / STORE)) as store:
        store.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreTornError, match="newer advisor"):
        look_at(folder, 60.0)


def test_an_empty_file_is_one_without_rentals(tmp_path: Path) -> None:
    """A process may have been killed before it made the tables."""
    (tmp_path / STORE).touch()
    found = look_at(tmp_path, 60.0)
    assert found is not None
    assert list(found.entries) == []
    assert (tmp_path / STORE).stat().st_size == 0


def test_a_large_file_is_checked_in_part(folder: Path) -> None:
    """As far as there is time; the ledger is read all the same."""
    with closing(sqlite3.connect(folder / STORE)) as store:
        rows = ((f"w{n}", "GPU", 1, 1.0, 1, "amp", "s" * 200, n) for n in range(20_000))
        store.executemany(
            "INSERT INTO run (workload, gpu, num_gpus, samples_per_s, batch_size, "
            "precision, source, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        store.commit()
    found = look_at(folder, 0.0)
    assert found is not None
    assert not found.is_whole
    assert list(found.entries) == [ENTRY]


def test_copies_are_told_the_newest_first(folder: Path) -> None:
    """And one that is no database is refused."""
    good, bad = (folder / f"{STORE}.v{n}.bak" for n in (4, 5))
    shutil.copy(folder / STORE, good)
    bad.write_text("no database")
    os.utime(good, (1000, 1000))
    assert list(copies_of(folder)) == [bad, good]
    check_copy(good)
    with pytest.raises(StoreError):
        check_copy(bad)


def test_a_file_that_nobody_may_read_is_told(folder: Path) -> None:
    """With what to look at, where its log would have to be copied."""
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (folder / f"{STORE}-wal").write_bytes(b"x")
    (folder / STORE).chmod(0o000)
    with pytest.raises(StoreError, match="who may read it"):
        look_at(folder, 60.0)
