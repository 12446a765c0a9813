"""The user's file: made, migrated, shared, and never lost."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from advisor.errors import AdvisorError, StoreError, UsageError
from advisor.resources import STORE
from advisor.store.database import MIGRATIONS, open_store, transaction


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
