"""An archive: what it holds, that it only grows, that it answers as the record does."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("duckdb", reason="the extra 'archive' is not installed")
pytest.importorskip("pyarrow", reason="the extra 'archive' is not installed")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from pyarrow.dataset import dataset

from advisor.base.errors import AdvisorError, UsageError
from advisor.market.offers import parse_offers
from advisor.store.archive import questions
from advisor.store.archive.engine import database
from advisor.store.archive.export import export, listing_id
from advisor.store.archive.layout import COLUMNS, VERSION, VERSION_KEY, partition_file
from advisor.store.archive.questions import open_archive
from advisor.store.archive.stored_sums import stored_sums
from advisor.store.archive.summing import sum_up
from advisor.store.database import open_store
from advisor.store.history import store_snapshot
from advisor.store.listing_intervals import ListingIntervals, load_intervals
from advisor.store.market_statistics import BUCKETS, Bucket, market_history
from tests.conftest import RECORD

START = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
WIDE: tuple[Bucket, ...] = ("day", "week")
GPUS = ("RTX 4090", "A100 SXM4", 'it\'s "one"')


class Recorder:
    """Keeps snapshots of some listings in a store."""

    def __init__(self, store: sqlite3.Connection, market: str = "vast") -> None:
        self.now, self._store, self._market = START, store, market

    def keep(self, *seen: dict[str, Any], after_s: int = 300, whole: bool = True) -> None:
        self.now += timedelta(seconds=after_s)
        offers, _ = parse_offers([RECORD | {"id": i, **x} for i, x in enumerate(seen, 1)])
        store_snapshot(self._store, offers, market=self._market, at=self.now, whole=whole)


@contextmanager
def world() -> Iterator[tuple[sqlite3.Connection, Path]]:
    with tempfile.TemporaryDirectory() as name, open_store(Path(name)) as store:
        yield store, Path(name) / "archive"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path) as connection:
        yield connection


def contents(folder: Path) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in folder.rglob("*.parquet")}


def rows_of(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.rglob("*.parquet"))
    return [row for one in files for row in pq.ParquetFile(one).read().to_pylist()]


listings = st.fixed_dictionaries(
    {
        "machine_id": st.integers(1, 4),
        "num_gpus": st.sampled_from((1, 3)),
        "gpu_name": st.sampled_from(GPUS),
        "dph_base": st.sampled_from((0.1, 0.3, 0.7, None)),
        "min_bid": st.sampled_from((0.05, 0.1, 0.15, 0.31, None)),
    }
)
snapshots = st.tuples(
    st.lists(listings, max_size=6),
    st.sampled_from((300, 600, 1800, 2400, 40_000, 2_000_000)),
    st.booleans(),
)


@pytest.mark.slow
@settings(max_examples=20)
@given(
    taken=st.lists(snapshots, min_size=1, max_size=12),
    by=st.sampled_from(BUCKETS),
    names=st.sampled_from((None, {GPUS[0]}, {GPUS[1], GPUS[2]})),
    ago_s=st.sampled_from((None, 0, 450, 3600, 3_000_000)),
    at_once=st.sampled_from((1, 4_000_000)),
    early=st.integers(0, 12),
    summed=st.booleans(),
)
def test_an_archive_answers_as_the_record_does(
    taken: list[tuple[list[dict[str, Any]], int, bool]],
    by: Bucket,
    names: set[str] | None,
    ago_s: int | None,
    at_once: int,
    early: int,
    summed: bool,
) -> None:
    """Equal to the last bit, however often it grew, with its sums and without them."""
    with world() as (store, folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(questions, "_AT_ONCE", at_once)
        recorder = Recorder(store)
        for number, (seen, after_s, whole) in enumerate(taken):
            recorder.keep(*seen, after_s=after_s, whole=whole)
            if number == early:
                export(store, folder)
        if not export(store, folder).partitions:
            assert not folder.exists()
            return
        if not summed:
            shutil.rmtree(folder / "_sums")
        since = None if ago_s is None else recorder.now - timedelta(seconds=ago_s)
        intervals = load_intervals(store, names, "vast", since)
        with open_archive(folder, "vast") as archive:
            found = archive.history(by, names, since)
        if not len(intervals):
            assert found is None
        else:
            assert found is not None
            assert repr(asdict(found)) == repr(asdict(market_history(intervals, by)))


def months_of_intervals(seed: int) -> pa.Table:
    """Return intervals of six months: prices that follow each other, ends, gaps."""
    random = np.random.default_rng(seed)
    rows, begin = [], int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    for listing in range(8):
        at, born = begin + 3600 * int(random.integers(200)), False
        while at < begin + 180 * 86_400:
            end = at + 3600 * int(random.choice([0, 20, 30, 900, 2500]))
            fate, price = random.random(), float(random.choice([0.1, 0.12, 0.4]))
            told = price / 2 if random.random() < 0.9 else None
            one = {"listing": listing - 4, "machine_id": 1, "num_gpus": 1 + listing % 2}
            one |= {"gpu_ids": "", "gpu_name": GPUS[listing % 2], "first_at": at}
            one |= {"last_at": end, "born": born, "gone": fate < 0.2, "dph_base": price}
            rows.append(one | {"storage_usd_per_gb_month": None, "min_bid": told})
            born = fate < 0.2
            absent = 0 if 0.2 < fate < 0.9 else 3600 * int(random.integers(1, 1500))
            at = max(end + absent, at + 60)  # no two begin at once
    kinds = {"VARCHAR": pa.string(), "BOOLEAN": pa.bool_(), "DOUBLE": pa.float64()}
    return pa.Table.from_pylist(
        rows, pa.schema([(n, kinds.get(k, pa.int64())) for n, k in COLUMNS.items()])
    )


@pytest.mark.parametrize(
    ("seed", "shuffled", "summed"),
    [
        (0, False, "none"),
        (1, False, "all"),
        (2, True, "none"),
        (3, True, "all"),
        (4, False, "odd"),
    ],
)
def test_months_add_up(seed: int, shuffled: bool, summed: str, tmp_path: Path) -> None:
    """Lifetimes and periods of several months count once, in any order of the rows.

    Also where some months have their sums beside them, and others have not.
    """
    table = months_of_intervals(seed)
    rows = table.to_pylist()
    for month in range(1, 7):
        name = f"2026-{month:02d}"
        part = [
            row
            for row in rows
            if f"{datetime.fromtimestamp(row['first_at'], UTC):%Y-%m}" == name
        ]
        if not part:
            continue
        if shuffled:
            np.random.default_rng(seed).shuffle(part)  # type: ignore[arg-type]
        file = partition_file(tmp_path, "vast", name)
        file.parent.mkdir(parents=True)
        metadata = {VERSION_KEY: str(VERSION)}
        whole = pa.Table.from_pylist(part, table.schema)
        pq.write_table(whole.replace_schema_metadata(metadata), file)
        if summed == "all" or (summed == "odd" and month % 2):
            with database() as connection:
                sum_up(connection, file)
    middle = [row["first_at"] for row in rows][len(rows) // 3]
    for cut in (0, middle, middle + 1):
        since = datetime.fromtimestamp(cut, UTC) if cut else None
        seen = [row for row in rows if row["last_at"] >= cut]
        columns = {name: np.array([row[name] for row in seen]) for name in COLUMNS}
        intervals = ListingIntervals(
            listing=columns["listing"],
            num_gpus=columns["num_gpus"].astype(float),
            first_at=np.maximum(columns["first_at"], cut),
            last_at=columns["last_at"],
            born=columns["born"] & (columns["first_at"] >= cut),
            gone=columns["gone"],
            dph_base=columns["dph_base"].astype(float),
            min_bid=columns["min_bid"].astype(float),
        )
        for by in WIDE:
            with open_archive(tmp_path) as archive:
                found = archive.history(by, None, since)
            assert found is not None
            assert repr(asdict(found)) == repr(asdict(market_history(intervals, by)))


def test_a_file_of_no_month_is_refused(store: sqlite3.Connection, tmp_path: Path) -> None:
    """The message names the file, and how a folder is named."""
    Recorder(store).keep({})
    (done,) = export(store, tmp_path / "archive").partitions
    done.file.parent.rename(done.file.parent.with_name("month=october"))
    with (
        pytest.raises(UsageError, match="of no month: its folder"),
        open_archive(tmp_path / "archive"),
    ):
        pass


def test_a_row_says_what_the_record_says(
    store: sqlite3.Connection, tmp_path: Path
) -> None:
    """All columns, prices that nobody told as nulls, each month in a file of its own."""
    recorder = Recorder(store, "a/b")
    recorder.keep({"dph_base": 0.3, "min_bid": None, "storage_cost": 0.2})
    recorder.keep({"dph_base": 0.4, "min_bid": 0.2}, after_s=3000)
    folder = tmp_path / "archive"
    export(store, folder)
    first, second = sorted(folder.rglob("*.parquet"))
    assert first.parent == folder / "market=a%2Fb" / "month=2026-10"
    assert second.parent.name == "month=2026-11"
    (row,) = pq.ParquetFile(first).read().to_pylist()
    assert tuple(row) == tuple(COLUMNS)
    assert row == {
        "listing": listing_id("a/b", 7, 1, "11", "RTX 4090"),
        "machine_id": 7,
        "num_gpus": 1,
        "gpu_ids": "11",
        "gpu_name": "RTX 4090",
        "first_at": int((START + timedelta(seconds=300)).timestamp()),
        "last_at": int((START + timedelta(seconds=300)).timestamp()),
        "born": False,
        "gone": False,
        "dph_base": 0.3,
        "storage_usd_per_gb_month": 0.2,
        "min_bid": None,
    }


def test_an_export_again_writes_only_what_changed(
    store: sqlite3.Connection, tmp_path: Path
) -> None:
    """A file that has all of the record stays as it is, byte for byte."""
    recorder, folder = Recorder(store), tmp_path / "archive"
    recorder.keep({"dph_base": 0.3})
    recorder.keep({"dph_base": 0.4}, after_s=3000)
    assert [one.written for one in export(store, folder).partitions] == [True, True]
    before = contents(folder)
    assert [one.written for one in export(store, folder).partitions] == [False, False]
    assert contents(folder) == before
    recorder.keep({"dph_base": 0.4})
    assert [one.written for one in export(store, folder).partitions] == [False, True]
    assert [one["last_at"] - one["first_at"] for one in rows_of(folder)] == [0, 300]


def test_an_archive_keeps_what_the_record_has_lost(tmp_path: Path) -> None:
    """A new file of the user's adds to it; an older copy of one takes nothing back."""
    folder = tmp_path / "archive"
    with open_store(tmp_path / "one") as store:
        recorder = Recorder(store)
        recorder.keep({"machine_id": 1})
        shutil.copytree(tmp_path / "one", tmp_path / "copy")
        recorder.keep({"machine_id": 1})
        recorder.keep({"machine_id": 3})
        export(store, folder)
    before = rows_of(folder)
    lasted = {
        one["machine_id"]: (one["last_at"] - one["first_at"], one["gone"])
        for one in before
    }
    assert lasted == {1: (600, True), 3: (0, False)}
    with open_store(tmp_path / "copy") as store:
        export(store, folder)
    assert rows_of(folder) == before
    with open_store(tmp_path / "two") as store:
        recorder = Recorder(store)
        recorder.keep({"machine_id": 2}, after_s=1200)
        export(store, folder)
    assert sorted(one["machine_id"] for one in rows_of(folder)) == [1, 2, 3]


def test_a_market_and_a_time_alone(store: sqlite3.Connection, tmp_path: Path) -> None:
    """Only they are written; an archive of several is asked for one or all."""
    for market in ("vast", "other"):
        recorder = Recorder(store, market)
        recorder.keep({"machine_id": 1})
        recorder.keep({"machine_id": 2}, after_s=86_400)
    folder = tmp_path / "archive"
    since = START + timedelta(hours=12)
    (only,) = export(store, folder, market="other", since=since).partitions
    assert (only.market, only.month, only.rows) == ("other", "2026-11", 1)
    assert len(export(store, folder).partitions) == 4
    for market, count in (("vast", 1), (None, 2), ("none", 0)):
        with open_archive(folder, market) as archive:
            found = archive.history("week", None, since)
            assert archive.gpu_names() == ({"RTX 4090"} if count else frozenset())
        seen = 0 if found is None else found.prices[-1].listings
        assert seen == count


def test_a_row_of_the_record_that_is_torn_is_left_out(
    store: sqlite3.Connection, tmp_path: Path
) -> None:
    """It hides no other; a listing without a name is told."""
    recorder = Recorder(store)
    recorder.keep(*({"machine_id": number} for number in (1, 2, 3)))
    store.execute("UPDATE listing SET gpu_name = x'00ff' WHERE machine_id = 1")
    store.execute("UPDATE spell SET dph_base = 'torn' WHERE listing = 2")
    done = export(store, tmp_path / "archive")
    assert done.torn_listings == 1
    assert [one["machine_id"] for one in rows_of(tmp_path / "archive")] == [3]


def test_a_file_is_whole_or_as_it_was(
    store: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk fails, and after an export that was killed."""
    recorder, folder = Recorder(store), tmp_path / "archive"
    recorder.keep({"dph_base": 0.3})
    (done,) = export(store, folder).partitions
    before = contents(folder)
    recorder.keep({"dph_base": 0.3})

    def fails(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(UsageError, match=r"cannot write into .*: No space left"):
            export(store, folder)
    assert contents(folder) == before
    killed = done.file.with_name(f".{done.file.name}.123")
    killed.write_bytes(b"half")
    export(store, folder)
    assert not killed.exists()
    assert contents(folder).keys() == before.keys()
    assert contents(folder) != before


def test_one_export_at_a_time(store: sqlite3.Connection, tmp_path: Path) -> None:
    """The second is told so, and writes nothing."""
    Recorder(store).keep({})
    folder = tmp_path / "archive"
    folder.mkdir()
    with (
        FileLock(folder / ".lock"),
        pytest.raises(UsageError, match="another export writes into"),
    ):
        export(store, folder)
    assert not contents(folder)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b"no parquet"), "cannot be read as Parquet"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "cannot be read as"),
        (
            lambda path: pq.write_table(pa.table({"a": [1]}), path),
            "is of no archive of version 1",
        ),
        (
            lambda path: pq.write_table(
                pa.table({"a": [1]}).replace_schema_metadata(
                    {"advisor_archive_version": "1"}
                ),
                path,
            ),
            "has not the columns of an archive",
        ),
    ],
)
def test_what_is_no_archive_is_refused(
    store: sqlite3.Connection, tmp_path: Path, spoil: Any, said: str
) -> None:
    """In one line, by who asks it and by who would write into it; it is left as it is."""
    Recorder(store).keep({})
    folder = tmp_path / "archive"
    (done,) = export(store, folder).partitions
    spoil(done.file)
    before = contents(folder)
    with pytest.raises(UsageError, match=said), open_archive(folder):
        pass
    with pytest.raises(UsageError, match=said):
        export(store, folder)
    assert contents(folder) == before


def test_a_folder_without_files_is_no_archive(tmp_path: Path) -> None:
    """Nor is one that is not there."""
    for folder, said in ((tmp_path, "is no archive"), (tmp_path / "no", "is no folder")):
        with pytest.raises(UsageError, match=said), open_archive(folder):
            pass


def test_any_folder_will_do(store: sqlite3.Connection, tmp_path: Path) -> None:
    """Characters that stand for others in patterns, and quotes, are plain names."""
    Recorder(store).keep({})
    folder = tmp_path / "it's [a]* market=x {b}"
    export(store, folder)
    export(store, folder)
    with open_archive(folder) as archive:
        assert archive.gpu_names() == {"RTX 4090"}


def test_rows_that_make_no_sense_do_not_count(
    store: sqlite3.Connection, tmp_path: Path
) -> None:
    """An archive may be somebody else's."""
    Recorder(store).keep({"dph_base": 0.3, "min_bid": 0.1})
    (done,) = export(store, tmp_path / "archive").partitions
    table = pq.ParquetFile(done.file).read()
    (row,) = table.to_pylist()
    wrong = [
        row | {"num_gpus": 0},
        row | {"last_at": row["first_at"] - 1},
        row | {"first_at": -5},
        row | {"last_at": 2**60},
        row | {"first_at": row["first_at"] - 40 * 86_400},  # of another month
        row | {"dph_base": float("nan")},
        row | {"dph_base": float("inf")},
        row | {"min_bid": -1.0},
    ]
    with open_archive(tmp_path / "archive") as archive:
        right = archive.history("day", None, None)
    pq.write_table(pa.Table.from_pylist([row, *wrong], schema=table.schema), done.file)
    with open_archive(tmp_path / "archive") as archive:
        assert repr(archive.history("day", None, None)) == repr(right)


def ask_for_hours() -> None:
    with database() as connection:
        connection.execute(
            "SELECT count(*) FROM range(1000000) AS a, range(1000000) AS b "
            "WHERE hash(a.range + b.range) % 3 = 1"
        ).fetchall()


def test_ctrl_c_ends_a_question_at_once() -> None:
    """As anywhere else, and not as a failure of the archive."""
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        ask_for_hours()
    timer.join()


def test_whole_months_are_answered_from_their_sums(
    store: sqlite3.Connection, tmp_path: Path
) -> None:
    """Their intervals are not read: here they cannot be, though their index can."""
    recorder, folder = Recorder(store), tmp_path / "archive"
    recorder.keep({"dph_base": 0.3}, {"machine_id": 8, "dph_base": 0.5})
    recorder.keep({"dph_base": 0.4}, after_s=3000)
    export(store, folder)
    for file in folder.rglob("*.parquet"):
        with file.open("r+b") as spoiled:
            spoiled.seek(4)
            spoiled.write(b"\xff" * 32)
    expected = market_history(load_intervals(store), "day")
    with open_archive(folder) as archive:
        assert repr(archive.history("day", None, None)) == repr(expected)
    with pytest.raises(AdvisorError, match="cannot be read"), open_archive(folder) as one:
        one.history("hour", None, None)


def test_an_export_writes_the_sums_that_lack(
    store: sqlite3.Connection, tmp_path: Path
) -> None:
    """Of an archive that an advisor before wrote; those of another file are removed."""
    recorder, folder = Recorder(store), tmp_path / "archive"
    recorder.keep({"dph_base": 0.3})
    (done,) = export(store, folder).partitions
    first = stored_sums(done.file).folder
    shutil.rmtree(folder / "_sums")
    (done,) = export(store, folder).partitions
    assert not done.written
    assert [one.name for one in first.parent.iterdir()] == [first.name]
    (first.parent / f".{first.name}.123").mkdir()  # of an export that was killed
    recorder.keep({"dph_base": 0.3})
    export(store, folder)
    now = stored_sums(done.file).folder
    assert now != first
    assert list(now.parent.iterdir()) == [now]


def test_sums_that_cannot_be_written_leave_nothing(
    store: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The intervals are there by then, and answer."""
    recorder, folder = Recorder(store), tmp_path / "archive"
    recorder.keep({"dph_base": 0.3})
    synced, sync = list[int](), os.fsync

    def fails(file: int) -> None:
        synced.append(file)
        if len(synced) > 1:
            raise OSError(28, "No space left on device")
        sync(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(UsageError, match="No space left"):
            export(store, folder)
    (file,) = folder.rglob("*.parquet")
    assert not list(stored_sums(file).folder.parent.iterdir())
    with open_archive(folder) as archive:
        assert archive.history("day", None, None) is not None


def test_other_readers_see_the_intervals_alone(
    store: sqlite3.Connection, tmp_path: Path
) -> None:
    """Arrow (so pandas) and DuckDB, told the folder; Dask: see the example's test."""
    Recorder(store).keep({})
    folder = tmp_path / "archive"
    export(store, folder)
    assert sum(one.is_file() for one in folder.rglob("_sums/**/*")) > 1
    assert dataset(folder, partitioning="hive").count_rows() == 1
    with database() as connection:
        for pattern in ("*/*/*.parquet", "**/*.parquet"):
            rows = connection.execute(f"FROM '{folder}/{pattern}'").fetchall()
            assert len(rows) == 1
