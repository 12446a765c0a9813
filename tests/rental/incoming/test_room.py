"""A machine takes neither the last room on a disk here nor another process's files."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from advisor.base.errors import RemoteError, TooMuchError
from advisor.rental.incoming import room as rooms
from advisor.rental.incoming.copying import Incoming, _Watch
from advisor.rental.incoming.place import Came, Placing, resolve_links, total_bytes
from advisor.rental.incoming.room import Room
from advisor.rental.incoming.stage import Stage, staged

MB = 1000**2


@pytest.mark.parametrize(
    ("free_mb", "left_mb"),
    [
        (5000, 4500),  # 500 MB are left free
        (1000, 500),
        (998, 499),  # or half, where that is less
        (200, 100),
        (150, 50),  # and 100 MB in any case
        (50, -50),
    ],
)
def test_some_room_is_left_free(tmp_path: Path, free_mb: int, left_mb: int) -> None:
    """For whatever else the user does, and for the ledger."""
    room = Room.of(tmp_path, lambda _: free_mb * MB)
    assert room.left_bytes == left_mb * MB
    if left_mb < 0:
        with pytest.raises(TooMuchError, match=r"has 50 MB free: free some"):
            room.check()
        return
    room.check()
    room.check(left_mb * MB)
    with pytest.raises(TooMuchError, match=r"MB more do not fit: the disk of"):
        room.check(left_mb * MB + 1)


def test_some_files_are_left_free(tmp_path: Path) -> None:
    """A hundred thousand, or half of what there was."""
    found = rooms._free_files(tmp_path)
    if found is None:
        pytest.skip("this disk does not count its files")
    room = Room.of(tmp_path)
    assert room.least_files == min(100_000, found // 2) or found != rooms._free_files(
        tmp_path
    )
    many = Room(tmp_path, 0, 2**62, lambda _: 10**12)
    with pytest.raises(TooMuchError, match=r"has room for .* files: free some"):
        many.check()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Return a stage in which a machine's files are."""
    place = tmp_path / "place"
    place.mkdir()
    made = Stage(place, tmp_path / "root")
    made.tree.parent.mkdir()
    made.begin()
    return made


def test_what_comes_too_much_or_not_at_all_is_noticed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the bytes that are here: more than may come, or none for half an hour."""
    now, free = [1000.0], [10**12]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    room = Room(stage.place, 0, 0, lambda _: free[0])
    told: list[int] = []
    watch = _Watch(
        stage,
        room,
        max_bytes=10,
        too_much=lambda size: TooMuchError(f"{size}"),
        meanwhile=lambda: None,
        told=told.append,
    )
    (stage.tree / "a").write_bytes(b"x" * 10)
    watch.check()
    now[0] += 1800.0
    watch.check()
    (stage.tree / "a").write_bytes(b"x" * 9)
    now[0] += 1.0
    watch.check()
    now[0] += 1800.1
    with pytest.raises(RemoteError, match="nothing has come for 30 minutes"):
        watch.check()
    assert told == [10, 10, 9, 9]
    (stage.aside / "b").write_bytes(b"xx")
    with pytest.raises(TooMuchError, match="11"):
        watch.check()
    free[0] = -1
    with pytest.raises(TooMuchError, match="MB free"):
        watch.check()


def test_names_are_told_once(tmp_path: Path) -> None:
    """Three of them, and how many more; those that were told are not counted again."""
    said: list[str] = []
    incoming = Incoming(said.append, 1.0, "--most")
    incoming._tell("are links", [])
    incoming._tell("are links", ["a", "b", "c"])
    incoming._tell("are links", ["a", "d", "e", "f", "g\n", "h"])
    incoming._tell("are links", ["h", "a"])
    assert said == [
        "of what the machine sent 3 are links: a, b, c",
        "of what the machine sent 5 are links: d, e, f and 2 more",
    ]


def test_a_file_goes_to_its_place_on_another_disk(tmp_path: Path, stage: Stage) -> None:
    """Where one is mounted in the folder: whole, over what has come before."""
    disk = stage.place / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "x", str(disk)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {done.stderr.decode().strip()}")
    try:
        for content in ("first", "second"):
            (stage.tree / "disk").mkdir(exist_ok=True)
            (stage.tree / "disk" / "a").write_text(content)
            Placing(stage, {}).run()
            assert [(one.name, one.read_text()) for one in disk.iterdir()] == [
                ("a", content)
            ]
            shutil.rmtree(stage.tree / "disk")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_is_as_deep_as_a_hundred_others(stage: Stage) -> None:
    """No program makes so many; what is deeper stays there and is told."""
    deep = stage.tree.joinpath(*["d"] * 101)
    deep.mkdir(parents=True)
    (deep / "lost").write_text("x")
    (deep.parent / "kept").write_text("x")
    placing = Placing(stage, {})
    placing.run()
    assert placing.left == ["/".join(["d"] * 101)]
    assert [one.name for one in stage.place.rglob("*") if one.is_file()] == ["kept"]


def test_what_came_is_counted_once(stage: Stage) -> None:
    """In its place, or in the stage that is about to replace it."""
    record: dict[tuple[Path, str], Came] = {}
    (stage.tree / "a").write_bytes(b"x" * 10)
    (stage.tree / "b").write_bytes(b"x" * 5)
    Placing(stage, record).run()
    assert total_bytes(record) == 15
    (stage.tree / "a").write_bytes(b"x" * 7)
    assert total_bytes(record) == 15
    assert total_bytes(record, stage) == 12


def test_a_link_becomes_a_file_if_what_it_leads_to_came(stage: Stage) -> None:
    """And there is room for it, and nothing of its name; the others are told."""
    (stage.tree / "a").write_bytes(b"x" * 10)
    (stage.tree / "file").write_bytes(b"")
    links = {"b": "a", "c/d": "a", "file/e": "a", "f": "missing", "file": "a"}
    room = Room(stage.place, 0, 0, lambda _: 10)
    assert resolve_links(stage, links, {}, room) == ["f", "file/e"]
    assert (stage.tree / "b").read_bytes() == (stage.tree / "c" / "d").read_bytes()
    assert (stage.tree / "file").read_bytes() == b""
    full = Room(stage.place, 0, 0, lambda _: 9)
    with pytest.raises(TooMuchError):
        resolve_links(stage, {"g": "a"}, {}, full)


def test_a_link_to_what_came_before_becomes_a_file(stage: Stage) -> None:
    """As long as it is as it came: what the user has put there is private."""
    record: dict[tuple[Path, str], Came] = {}
    room = Room(stage.place, 0, 0, lambda _: 10**9)
    (stage.tree / "a").write_bytes(b"x" * 10)
    Placing(stage, record).run()
    assert resolve_links(stage, {"b": "a"}, record, room) == []
    assert (stage.tree / "b").read_bytes() == b"x" * 10
    (stage.place / "a").write_bytes(b"mine")
    assert resolve_links(stage, {"c": "a"}, record, room) == ["c"]
    assert resolve_links(stage, {"c": "a"}, {}, room) == ["c"]


def test_one_process_copies_from_a_source_at_a_time(tmp_path: Path) -> None:
    """Another source may come beside it."""
    with (
        staged(tmp_path, "m"),
        staged(tmp_path, "n"),
        pytest.raises(RemoteError, match="another process copies"),
    ):
        staged(tmp_path, "m").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_system_that_counts_no_files_bounds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes are bounded all the same."""
    monkeypatch.delattr(os, "statvfs", raising=False)
    room = Room.of(tmp_path, lambda _: 10**9)
    assert room.least_files == 0
    room.check(1)
    with pytest.raises(TooMuchError):
        room.check(10**9)


def test_what_is_no_file_stays_there(stage: Stage) -> None:
    """A pipe would be waited at for ever by who reads it."""
    os.mkfifo(stage.tree / "pipe")
    (stage.tree / "a").write_text("x")
    placing = Placing(stage, {})
    placing.run()
    assert placing.left == ["pipe"]
    assert [one.name for one in stage.place.iterdir()] == ["a"]


def test_a_file_that_cannot_be_moved_is_an_error(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there stays as it was."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (stage.place / "a").write_text("before")
    (stage.tree / "a").write_text("after")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        Placing(stage, {}).run()
    assert (stage.place / "a").read_text() == "before"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """As what cannot be written; the machine is not even asked."""
    (tmp_path / "file").write_text("x")
    ssh: Any = None
    said = f"what comes back cannot be written: File exists: {tmp_path / 'file'}"
    with pytest.raises(RemoteError) as caught:
        Incoming(lambda _: None, 1.0, "--most").pull(ssh, "x", tmp_path / "file")
    assert str(caught.value) == said
