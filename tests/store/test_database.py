"""The user's file: made, migrated, shared, and never lost."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from advisor.base.errors import (
    AdvisorError,
    StoreError,
    StoreFullError,
    StoreTornError,
    UsageError,
)
from advisor.base.resources import STORE
from advisor.store import database
from advisor.store.database import open_store, transaction
from advisor.store.migrations import MIGRATIONS


def version(folder: Path) -> int:
    with open_store(folder) as store:
        (found,) = store.execute("PRAGMA user_version").fetchone()
        return int(found)


def test_a_new_file_has_the_newest_schema(tmp_path: Path) -> None:
    """The folder is made too, and opening again changes nothing."""
    folder = tmp_path / "a" / "b"
    assert version(folder) == len(MIGRATIONS)
    assert version(folder) == len(MIGRATIONS)


def test_an_older_file_is_migrated(tmp_path: Path) -> None:
    """A file of version 0 with a stranger's table gets ours and keeps its own."""
    with sqlite3.connect(tmp_path / STORE) as older:
        older.execute("CREATE TABLE mine (x)")
        older.execute("INSERT INTO mine VALUES (7)")
    older.close()
    assert version(tmp_path) == len(MIGRATIONS)
    with open_store(tmp_path) as store:
        assert store.execute("SELECT x FROM mine").fetchall() == [(7,)]


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    """A file of a later advisor is not touched, and the way out is told."""
    with sqlite3.connect(tmp_path / STORE) as newer:
        newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    newer.close()
    with pytest.raises(UsageError, match="update advisor"), open_store(tmp_path):
        pass


@pytest.mark.parametrize("content", [b"<html>no database</html>" * 50, b"\x00" * 4096])
def test_what_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """A file of something else is named, and stays as it was."""
    (tmp_path / STORE).write_bytes(content)
    with pytest.raises(AdvisorError, match=STORE), open_store(tmp_path):
        pass
    assert (tmp_path / STORE).read_bytes() == content


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file in the folder's place is an error of the store, as all its errors are."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file"), open_store(tmp_path / "file"):
        pass


def test_a_commit_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    """Else a machine could be rented that nobody knows of after the power went.

    SQLite calls fsync for each commit then (2 stands for FULL); on macOS it also makes
    the drive write (fullfsync), which other systems do by themselves.
    """
    for _ in range(2):  # made, and opened again
        with open_store(tmp_path) as store:
            assert store.execute("PRAGMA synchronous").fetchone() == (2,)
            assert store.execute("PRAGMA fullfsync").fetchone() == (1,)
            assert store.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert store.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_sqlite_that_was_built_to_hurry_waits_for_the_disk_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not set is another on another computer: macOS has NORMAL in this mode."""
    connect = sqlite3.connect

    def hurried(*args: Any, **options: Any) -> sqlite3.Connection:
        store = connect(*args, **options)
        for hurry in ("synchronous = OFF", "fullfsync = OFF", "foreign_keys = OFF"):
            store.execute(f"PRAGMA {hurry}")
        return store

    monkeypatch.setattr(database.sqlite3, "connect", hurried)
    with open_store(tmp_path) as store:
        assert store.execute("PRAGMA synchronous").fetchone() == (2,)
        assert store.execute("PRAGMA fullfsync").fetchone() == (1,)
        assert store.execute("PRAGMA foreign_keys").fetchone() == (1,)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_system_is_asked_to_write_to_the_disk(tmp_path: Path) -> None:
    """Between what a transaction writes and what its process does next."""
    script = (
        "import sys; from pathlib import Path\n"
        "from advisor.store.database import open_store, transaction\n"
        "with open_store(Path(sys.argv[1])) as store:\n"
        "    with transaction(store):\n"
        "        store.execute('CREATE TABLE mine (x)')\n"
        "    print('done', flush=True)\n"
    )
    log = tmp_path / "calls"
    calls = "trace=fsync,fdatasync,pwrite64,write"
    words = ["strace", "-f", "-qq", "-o", str(log), "-e", calls, sys.executable]
    done = subprocess.run(
        [*words, "-c", script, str(tmp_path / "data")], check=False, capture_output=True
    )
    if b"done" not in done.stdout:
        pytest.skip(f"strace may not be used here: {done.stderr.decode()[-200:]}")
    made = log.read_text()
    before, _, _ = made.partition('"done')
    assert re.findall(r"pwrite64|fsync|fdatasync", before)[-1] in {"fsync", "fdatasync"}


def test_what_is_kept_is_nobody_elses_to_read(tmp_path: Path) -> None:
    """Neither the file nor what SQLite keeps beside it."""
    with open_store(tmp_path) as store, transaction(store):
        store.execute("INSERT INTO snapshot VALUES ('vast', 1, 1, 1)")
        modes = {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        assert len(list(tmp_path.iterdir())) == 3
    assert modes == {0o600}


def test_bytes_that_are_no_text_do_not_hide_the_rest(tmp_path: Path) -> None:
    """They are read as signs that say so."""
    with open_store(tmp_path) as store:
        assert store.execute("SELECT CAST(x'ff61' AS TEXT)").fetchone() == ("\ufffda",)


def test_a_torn_file_may_quote_what_is_no_text(tmp_path: Path) -> None:
    """SQLite names what it cannot read of the schema, whatever bytes that is."""
    with open_store(tmp_path) as store:
        store.execute("PRAGMA writable_schema = ON")
        store.execute(
            "UPDATE sqlite_master SET sql = CAST(x'ff62ff' AS TEXT) WHERE name = 'run'"
        )
        store.execute(
            "UPDATE sqlite_master SET name = CAST(x'ff' AS TEXT) WHERE name = 'run'"
        )
    with pytest.raises(StoreTornError, match="no whole database"), open_store(tmp_path):
        pass


def test_a_version_that_no_advisor_wrote_is_told(tmp_path: Path) -> None:
    """The file stays as it was; what to do is told."""
    with closing(sqlite3.connect(tmp_path / STORE)) as store:
        store.execute("PRAGMA user_version = -3")
    before = (tmp_path / STORE).read_bytes()
    with (
        pytest.raises(StoreTornError, match=r"^/.*version -3.*move it away"),
        open_store(tmp_path),
    ):
        pass
    with closing(sqlite3.connect(tmp_path / STORE)) as store:
        assert store.execute("PRAGMA user_version").fetchone() == (-3,)
    assert len((tmp_path / STORE).read_bytes()) == len(before)


FAULTS = [
    (sqlite3.DatabaseError, "SQLITE_CORRUPT", StoreTornError, 2, "move it away"),
    (sqlite3.DatabaseError, "SQLITE_NOTADB", StoreTornError, 2, "advisor reconcile"),
    (sqlite3.OperationalError, "SQLITE_ERROR", StoreTornError, 2, "no whole database"),
    (sqlite3.OperationalError, "SQLITE_BUSY", StoreError, 1, "for 10 s; try again"),
    (sqlite3.OperationalError, "SQLITE_BUSY_SNAPSHOT", StoreError, 1, "try again"),
    (sqlite3.OperationalError, "SQLITE_LOCKED", StoreError, 1, "another process"),
    (sqlite3.OperationalError, "SQLITE_FULL", StoreFullError, 1, "make room"),
    (sqlite3.OperationalError, "SQLITE_IOERR_WRITE", StoreFullError, 1, "make room"),
    (sqlite3.OperationalError, "SQLITE_IOERR_READ", StoreError, 1, "check the disk"),
    (sqlite3.OperationalError, "SQLITE_CANTOPEN", StoreError, 1, "check the disk"),
    (sqlite3.OperationalError, "SQLITE_READONLY", StoreError, 1, "who may write"),
    (sqlite3.IntegrityError, "SQLITE_CONSTRAINT", StoreError, 1, "check the disk"),
    (sqlite3.ProgrammingError, "", StoreError, 1, "check the disk"),
]


@pytest.mark.parametrize(("kind", "code", "becomes", "status", "told"), FAULTS)
def test_each_fault_of_the_file_is_one_error_that_says_what_to_do(
    tmp_path: Path,
    kind: type[sqlite3.Error],
    code: str,
    becomes: type[StoreError],
    status: int,
    told: str,
) -> None:
    """By SQLite's code; its words are shown as far as a terminal takes them."""
    fault = kind("some \x1b[2J thing")
    if code:
        fault.sqlite_errorcode = getattr(sqlite3, code)
    with pytest.raises(StoreError, match=told) as raised, open_store(tmp_path):
        raise fault
    assert type(raised.value) is becomes
    assert raised.value.exit_status == status
    assert raised.value.__cause__ is fault
    assert str(raised.value).startswith(str(tmp_path / STORE))
    assert "some thing" in str(raised.value)
    assert isinstance(raised.value, UsageError) is (status == 2)


@pytest.mark.parametrize("code", ["SQLITE_IOERR_SHMSIZE", "SQLITE_CANTOPEN"])
@pytest.mark.parametrize(
    ("free", "becomes"), [(2**18 - 1, StoreFullError), (2**18, StoreError)]
)
def test_without_room_a_fault_of_the_system_is_a_full_disk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    free: int,
    becomes: type[StoreError],
) -> None:
    """SQLite does not say so of all that it cannot make there."""
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(database.shutil, "disk_usage", lambda folder: usage)
    fault = sqlite3.OperationalError("disk I/O error")
    fault.sqlite_errorcode = getattr(sqlite3, code)
    with pytest.raises(StoreError) as raised, open_store(tmp_path):
        raise fault
    assert type(raised.value) is becomes


@pytest.mark.parametrize(("free", "becomes"), [(0, StoreFullError), (2**30, StoreError)])
def test_a_file_that_cannot_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, becomes: type[StoreError]
) -> None:
    """Where there is no room for it, as that."""

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(database.shutil, "disk_usage", lambda folder: usage)
    monkeypatch.setattr(database.os, "open", refuse)
    with (
        pytest.raises(
            StoreError, match=r"^/.*: No space left on device: check the disk"
        ) as raised,
        open_store(tmp_path),
    ):
        pass
    assert type(raised.value) is becomes


def test_a_disk_that_says_nothing_is_not_taken_for_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own error is told, not that nobody knows how much room there is."""

    def refuse(folder: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(database.shutil, "disk_usage", refuse)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="File exists"), open_store(tmp_path / "file"):
        pass


@pytest.mark.parametrize("name", ["file:x", "a?mode=ro", "a%20b", "a#b"])
def test_a_folder_may_have_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Also one that SQLite could take for an address."""
    monkeypatch.chdir(tmp_path)
    assert version(Path(name)) == len(MIGRATIONS)
    assert (tmp_path / name / STORE).stat().st_size > 0


class ReadOnly:
    """A disk that says it is read-only."""

    f_flag = os.ST_RDONLY


def test_a_file_on_a_read_only_disk_is_opened_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made beside it, and what would be written is refused."""
    with open_store(tmp_path) as store, transaction(store):
        store.execute("INSERT INTO snapshot VALUES ('vast', 1, 1, 1)")
    monkeypatch.setattr(database.os, "statvfs", lambda folder: ReadOnly)
    with open_store(tmp_path) as store:
        assert store.execute("SELECT count(*) FROM snapshot").fetchone() == (1,)
        assert [path.name for path in tmp_path.iterdir()] == [STORE]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            store.execute("DELETE FROM snapshot")


def test_what_is_in_the_journal_alone_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file beside a journal that holds more is read with it, or not at all."""
    with open_store(tmp_path) as other:
        other.execute("INSERT INTO snapshot VALUES ('vast', 1, 1, 1)")
        assert (tmp_path / f"{STORE}-wal").stat().st_size > 0
        monkeypatch.setattr(database.os, "statvfs", lambda folder: ReadOnly)
        with open_store(tmp_path) as store:
            assert store.execute("SELECT count(*) FROM snapshot").fetchone() == (1,)


def test_a_transaction_that_the_file_has_undone_is_not_undone_again(
    tmp_path: Path,
) -> None:
    """The error that made it do so is told, not one of its own."""
    fault = sqlite3.OperationalError("disk is full")
    fault.sqlite_errorcode = sqlite3.SQLITE_FULL

    def fail() -> None:
        with open_store(tmp_path) as store, transaction(store):
            store.execute("ROLLBACK")  # as a full disk does
            raise fault

    with pytest.raises(StoreFullError, match="disk is full"):
        fail()


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    """What was written before an error is taken back."""

    class StopError(Exception):
        """Something that goes wrong halfway."""

    def fail(store: sqlite3.Connection) -> None:
        with transaction(store):
            store.execute("INSERT INTO snapshot VALUES ('vast', 1, 1, 1)")
            raise StopError

    with open_store(tmp_path) as store:
        with pytest.raises(StopError):
            fail(store)
        assert store.execute("SELECT count(*) FROM snapshot").fetchone() == (0,)


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Of eight that migrate together one does it, and all go on."""
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(version(tmp_path))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [len(MIGRATIONS)] * 8
