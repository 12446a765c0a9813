"""Snapshots: what is saved is read back; what is damaged says so and loses nothing."""

from __future__ import annotations

import gzip
import json
import math
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.market.offers import parse_offers
from advisor.market.snapshot import (
    FileMarket,
    SnapshotRecords,
    load_snapshot,
    save_snapshot,
)
from advisor.market.types import Answer, Query

MOMENT = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
)
RECORDS = st.lists(st.dictionaries(st.text(), VALUES | st.lists(VALUES)))


def answer(*records: dict[str, Any]) -> Answer:
    """Return an answer of the live market."""
    return Answer(
        records=list(records),
        market="vast",
        origin="console.vast.ai",
        fetched_at=MOMENT,
        complete=True,
        notes=("a note",),
    )


@given(records=RECORDS, complete=st.sampled_from([True, False, None]))
def test_what_is_saved_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[dict[str, Any]],
    complete: bool | None,
) -> None:
    """Any records survive the round trip, with where and when they are from."""
    path = tmp_path_factory.mktemp("snapshots") / "market.json.gz"
    saved = Answer(records, "vast", "x", MOMENT, complete, simulated=True, notes=("n",))
    save_snapshot(saved, path)
    loaded = load_snapshot(path)
    assert loaded.records == records
    assert (loaded.market, loaded.fetched_at) == ("vast", MOMENT)
    assert (loaded.complete, loaded.simulated) == (complete, True)
    assert (loaded.notes, loaded.origin) == (("n",), str(path))


def test_infinity_and_nan_survive(tmp_path: Path) -> None:
    """The odd numbers that markets send come back as they were."""
    path = tmp_path / "market.json.gz"
    save_snapshot(answer({"a": math.inf, "b": math.nan}), path)
    (record,) = load_snapshot(path).records
    assert record["a"] == math.inf
    assert math.isnan(record["b"])


def test_the_same_answer_gives_the_same_bytes(tmp_path: Path) -> None:
    """A snapshot can be compared and committed: it holds no time of its own."""
    one, other = tmp_path / "one.gz", tmp_path / "other.gz"
    save_snapshot(answer({"id": 1}), one)
    save_snapshot(answer({"id": 1}), other)
    assert one.read_bytes() == other.read_bytes()


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    """What cannot be encoded leaves the file that was there, and no scraps."""
    path = tmp_path / "market.json.gz"
    save_snapshot(answer({"id": 1}), path)
    with pytest.raises(TypeError):
        save_snapshot(answer({"id": {1, 2}}), path)
    assert load_snapshot(path).records == [{"id": 1}]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["no/such/folder/file.gz", "."])
def test_a_place_that_cannot_be_written_is_a_usage_error(
    tmp_path: Path, place: str
) -> None:
    """A missing folder, or a folder in the file's place, is said in one line."""
    with pytest.raises(UsageError, match="cannot write"):
        save_snapshot(answer(), tmp_path / place)


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    """What is no regular file, as /dev/null, stays what it is."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(UsageError, match="no regular file"):
        save_snapshot(answer(), path)
    assert path.is_fifo()


def test_offers_nested_too_deep_are_a_usage_error(tmp_path: Path) -> None:
    """Offers that cannot be written are one line, and leave no file."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(UsageError, match="nested too deep"):
        save_snapshot(answer({"id": deep}), tmp_path / "market.json.gz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrap", [lambda r: r, lambda r: {"offers": r}])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_files_of_others_are_read(tmp_path: Path, wrap: Any, pack: Any) -> None:
    """A bare list or an object with offers, plain or gzipped, is a market."""
    path = tmp_path / "offers"
    path.write_bytes(pack(json.dumps(wrap([{"id": 1}])).encode()))
    loaded = FileMarket(path).search(Query())
    assert loaded.records == [{"id": 1}]
    assert (loaded.market, loaded.complete, loaded.simulated) == ("file", None, False)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-08-17T08:40:24+00:00", datetime(2026, 8, 17, 8, 40, 24, tzinfo=UTC)),
        ("2026-08-17T10:40:24+02:00", datetime(2026, 8, 17, 8, 40, 24, tzinfo=UTC)),
        ("2026-08-17", datetime(2026, 8, 17, tzinfo=UTC)),
        ("yesterday", None),
        ("0001-01-01T00:00:00+23:00", None),
        (17, None),
    ],
)
def test_the_time_is_read_if_it_is_one(
    tmp_path: Path, text: object, moment: datetime | None
) -> None:
    """The age of a file comes from what it says; what is no time is unknown."""
    path = tmp_path / "offers.json"
    path.write_text(json.dumps({"updated": text, "offers": []}))
    assert load_snapshot(path).fetched_at == moment


WHOLE = gzip.compress(b'{"offers": []}', mtime=0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html></html>",
        b"{",
        b"null",
        b"3",
        b'{"offers": 3}',
        b'{"bundles": []}',
        b"[1, 2]",
        b'{"offers": [{"id": 1}, null]}',
        b'{"schema_version": 99, "offers": []}',
        b"[" * 100_000,
        b"\xff\xff",
        WHOLE[:-9],
        WHOLE[:12] + b"\x00\x00" + WHOLE[14:],
        b"\x1f\x8b rest",
        None,
    ],
)
def test_a_damaged_file_is_a_usage_error(tmp_path: Path, content: bytes | None) -> None:
    """A torn, empty or foreign file, or none, is one line that names it."""
    path = tmp_path / "market.json.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"market\.json\.gz") as caught:
        load_snapshot(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("content", [b"", b" \n", gzip.compress(b"\n", mtime=0)])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, content: bytes) -> None:
    """A shell makes one of a command that failed."""
    path = tmp_path / "market.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"market\.json: an empty file"):
        load_snapshot(path)


ONE = {"id": 7, "gpu_name": "RTX 4090", "dph_total": 0.4}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_a_shell_saves_is_read(tmp_path: Path, encoding: str, pack: Any) -> None:
    """PowerShell writes UTF-16, or UTF-8 with a mark before it."""
    path = tmp_path / "offers.json"
    path.write_bytes(pack(json.dumps([ONE]).encode(encoding)))
    assert FileMarket(path).search(Query()).records == [ONE]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ONE),
        json.dumps({"offers": ONE}),
        json.dumps(ONE, indent=1) + "\n",
        "\n".join([json.dumps(ONE)] * 2),
    ],
)
def test_one_offer_and_json_lines_are_read(tmp_path: Path, text: str) -> None:
    """An offer alone, as the market answers for one id, and one offer a line."""
    path = tmp_path / "offers.json"
    path.write_text(text)
    answer = FileMarket(path).search(Query())
    assert list(answer.records) in ([ONE], [ONE, ONE])
    assert answer.fetched_at is None


def test_the_time_is_found_behind_the_offers_too(tmp_path: Path) -> None:
    """Files of others may tell their time at the end, large ones as well."""
    path = tmp_path / "offers.json"
    path.write_text(json.dumps({"offers": [ONE] * 3000, "updated": "2026-11-01"}))
    for large in (1 << 26, 1000):
        answer = FileMarket(path, large).search(Query())
        assert answer.fetched_at == datetime(2026, 11, 1, tzinfo=UTC)
        assert len(answer.records) == 3000


def test_a_large_file_is_read_in_pieces(tmp_path: Path) -> None:
    """Its records are those of a small one, to be gone through as often as one likes."""
    path = tmp_path / "market.json.gz"
    records = [ONE | {"id": at, "pad": "x" * 500} for at in range(4000)]
    save_snapshot(answer(*records), path)
    found = FileMarket(path, 10_000).search(Query())
    assert not isinstance(found.records, list)
    assert list(found.records) == list(found.records) == records
    assert len(found.records) == 4000
    assert found.records[-1] == found.records[3999] == records[-1]
    assert list(found.records[5:9:2]) == records[5:9:2]
    assert (found.market, found.fetched_at, found.complete) == ("vast", MOMENT, True)
    with pytest.raises(IndexError):
        found.records[4000]


def test_a_large_file_that_is_torn_says_so_when_it_is_read(tmp_path: Path) -> None:
    """What is damaged far behind the beginning is an error, not a shorter market."""
    path = tmp_path / "offers.json"
    text = json.dumps([ONE | {"id": at} for at in range(40_000)])
    path.write_text(text[:-100])
    found = FileMarket(path, 10_000).search(Query())
    with pytest.raises(UsageError, match="torn"):
        list(found.records)


def test_a_folder_is_a_usage_error(tmp_path: Path) -> None:
    """A folder in a file's place is one line."""
    with pytest.raises(UsageError, match="cannot read"):
        FileMarket(tmp_path).search(Query())


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    """What cannot be read twice, as a pipe, is loaded however large it is."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    records = [ONE | {"id": at} for at in range(2000)]
    writer = threading.Thread(target=path.write_text, args=[json.dumps(records)])
    writer.start()
    found = FileMarket(path, 1000).search(Query())
    writer.join()
    assert found.records == records


DSTACK = {"backend": "runpod", "instance_type": "x", "resources": {}, "price": 0.7}
GPUHUNT = "instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot\n"
SKYPILOT = "InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,Price\n"
INSTANCE = ONE | {"actual_status": "running", "intended_status": "running"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json.dumps({"project": "main", "offers": [DSTACK]}), r"no id.*dstack"),
        (json.dumps([{"price": 1.0}]), r"no offers \(no id\)"),
        (json.dumps([{"id": "NVIDIA A100", "memoryInGb": 80}]), r"no id"),
        ('{"price": 1}\n{"price": 2}', r"no id"),
        (json.dumps([INSTANCE]), "rented machines"),
        (json.dumps({"instances": [INSTANCE]}), "rented machines"),
        (json.dumps({"price": 1.0}), "no list of offers"),
        (json.dumps({"success": False, "error": "x"}), "no list of offers"),
        (GPUHUNT + "a,b,1,2,3,4,A100,80,False", "catalog of gpuhunt"),
        (SKYPILOT + "a,1,2,A100,1,3", "catalog of SkyPilot"),
        ("a,b,c\n1,2,3", "table in CSV"),
        ("ID        CUDA  N   Model     PCIE\n1 12.4 1x RTX_4090 24", "add --raw"),
        (" #  BACKEND  REGION  INSTANCE\n 1  runpod  EU", "dstack"),
        ("<!doctype html><html></html>", "HTML page"),
        ("\ufeff<html></html>", "HTML page"),
        ("no offers today", "torn or no JSON"),
    ],
)
def test_files_of_other_tools_are_named(tmp_path: Path, content: str, words: str) -> None:
    """What holds no offer at all is a usage error that says what it is."""
    path = tmp_path / "file.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=words) as caught:
        FileMarket(path).search(Query())
    assert str(caught.value).isprintable()


def test_records_without_an_id_among_offers_stay(tmp_path: Path) -> None:
    """One offer is enough: what else there is will be counted as malformed."""
    path = tmp_path / "file.json"
    path.write_text(json.dumps([{"price": 1}, ONE]))
    assert len(FileMarket(path).search(Query()).records) == 2


def test_an_empty_list_is_an_empty_market(tmp_path: Path) -> None:
    """No offers are no damage."""
    path = tmp_path / "file.json"
    path.write_text("[]")
    assert list(FileMarket(path).search(Query()).records) == []


def test_records_of_a_large_file_are_a_sequence(tmp_path: Path) -> None:
    """Places from either end, slices either way, and none beyond."""
    path = tmp_path / "offers.json"
    records = [ONE | {"id": at} for at in range(9)]
    path.write_text(json.dumps(records))
    found = SnapshotRecords(path)
    assert [found[at] for at in (0, 8, -1, -9)] == [records[at] for at in (0, 8, -1, -9)]
    for part in (slice(2, 7, 2), slice(None, None, -1), slice(-3, None), slice(20, 30)):
        assert list(found[part]) == records[part]
    for at in (9, -10):
        with pytest.raises(IndexError):
            found[at]


def test_a_large_file_may_begin_with_what_is_no_offer(tmp_path: Path) -> None:
    """Offers far behind are found, and none at all is said as of a small file."""
    path = tmp_path / "offers.json"
    odd = [{"price": 1, "pad": "x" * 500}] * 1000
    path.write_text(json.dumps([*odd, ONE | {"num_gpus": 1}]))
    offers, excluded = parse_offers(FileMarket(path, 1000).search(Query()).records)
    assert offers.offer_id.tolist() == [7]
    assert excluded == {"malformed": 1000}
    path.write_text(json.dumps(odd))
    with pytest.raises(UsageError, match="no id"):
        FileMarket(path, 1000).search(Query())
