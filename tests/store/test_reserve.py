"""Room is kept on the disk for what becomes of a rental, and used where it is full."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.base.errors import AdvisorError, LeaseLostError, StoreFullError
from advisor.base.resources import STORE
from advisor.store import database, reserve
from advisor.store.ledger import Entry, Ledger
from advisor.store.reserve import NAME, SIZE, Reserve

ENTRY = Entry(
    label="advisor:job:00000000-0000000000000000",
    market="market.test/1",
    job="job",
    state="intended",
    offer_id=5,
    machine_id=7,
    gpu_ids=(1, 2),
    gpu_name="RTX 4090",
    num_gpus=2,
    usd_per_hour=0.5,
    traffic_usd=0.1,
    intended_at=1000.25,
    ends_at=5000.0,
)
LONG = "x" * 1900
"""A reason that makes the file grow every other time."""


def size(folder: Path) -> int:
    return (folder / NAME).stat().st_size


def no_space(*_: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.fixture(params=[True, False], ids=["allocated", "written"])
def made(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Reserve:
    """Return a reserve, made where the system can allocate and where it cannot."""
    if not request.param:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    found = Reserve(tmp_path / "of" / "somebody" / "data")
    found.make()
    return found


def test_it_takes_space_on_the_disk_for_its_user_alone(made: Reserve) -> None:
    """Not a hole in a file: blocks, which nobody else can take."""
    told = made.path.stat()
    assert told.st_size == SIZE == 1 << 20
    assert told.st_mode & 0o777 == 0o600
    assert told.st_blocks * 512 >= SIZE


def test_it_is_given_up_part_by_part(made: Reserve) -> None:
    """A quarter at a time; of an empty one, or of none, there is nothing to give."""
    sizes = []
    while made.give_up():
        sizes.append(made.path.stat().st_size >> 10)
    assert sizes == [768, 512, 256, 0]
    assert made.give_up() is False
    made.path.unlink()
    assert made.give_up() is False


def test_what_was_given_up_is_taken_back(made: Reserve) -> None:
    """All of it, allocated again."""
    made.give_up()
    made.give_up()
    made.renew()
    assert made.path.stat().st_size == SIZE
    assert made.path.stat().st_blocks * 512 >= SIZE


def test_a_crooked_rest_is_given_up_too(made: Reserve) -> None:
    """A part that is smaller than a part is still room."""
    os.truncate(made.path, 1000)
    assert made.give_up()
    assert made.path.stat().st_size == 0


def test_it_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is not made again: every rental asks for it."""
    made = Reserve(tmp_path)
    made.make()
    monkeypatch.setattr(reserve, "_take", no_space)
    made.make()
    made.renew()


def test_where_it_cannot_be_made_nothing_is_rented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check is not even asked, nothing is written down, the way out is told."""
    monkeypatch.setattr(reserve, "_take", no_space)
    asked: list[object] = []
    with pytest.raises(
        StoreFullError, match=r"reserve: No space left.* 1 MiB .*nothing is rented"
    ):
        Ledger(tmp_path).intend(ENTRY, asked.append)
    assert not asked
    assert Ledger(tmp_path).entries() == []


def test_what_cannot_be_taken_leaves_it_as_it_was(
    made: Reserve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an allocation is given back: it would be of use to nobody."""

    def halfway(handle: int, before: int, wanted: int) -> None:
        os.ftruncate(handle, wanted - 1)
        no_space()

    made.give_up()
    monkeypatch.setattr(reserve, "_take", halfway)
    made.renew()
    assert made.path.stat().st_size == SIZE * 3 // 4


def test_what_is_written_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk elsewhere says only then that it is full."""
    sizes: list[int] = []

    def refuse(handle: int) -> None:
        sizes.append(os.fstat(handle).st_size)
        no_space()

    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.setattr(reserve.os, "fsync", refuse)
    with pytest.raises(StoreFullError, match="No space left"):
        Reserve(tmp_path).make()
    assert sizes == [SIZE]
    assert size(tmp_path) == 0


def test_as_much_is_taken_back_as_there_is_room_for(
    made: Reserve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has grown by a little meanwhile."""
    take = reserve._take

    def in_room(handle: int, before: int, wanted: int) -> None:
        if wanted > SIZE - 100_000:
            no_space()
        take(handle, before, wanted)

    made.give_up()
    monkeypatch.setattr(reserve, "_take", in_room)
    made.renew()
    assert made.path.stat().st_size == SIZE - 2 * (SIZE // 16)


class Disk:
    """A disk that is full but for what was given up of the reserve.

    SQLite is told so by the most pages that its file may have.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.needs_given_up, self.opened = folder, 1, 0
        self._connect = sqlite3.connect
        self._pages = (folder / STORE).stat().st_size // 4096
        monkeypatch.setattr(database.sqlite3, "connect", self.connect)

    def connect(self, *args: Any, **options: Any) -> sqlite3.Connection:
        store = self._connect(*args, **options)
        self.opened += 1
        given_up = (SIZE - size(self.folder)) // (SIZE // 4)
        pages = self._pages if given_up < self.needs_given_up else self._pages + 8
        store.execute(f"PRAGMA max_page_count = {pages}")
        return store


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Return a ledger with a rental, the pages of its history nearly full."""
    made = Ledger(tmp_path)
    made.intend(replace(ENTRY, reason=LONG), lambda entries: None)
    return made


@pytest.fixture
def disk(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Return the disk of the ledger, which is full from now on."""
    return Disk(ledger.folder, monkeypatch)


def fill_pages(ledger: Ledger) -> None:
    """Change the rental until SQLite needs another page."""
    ledger.advance(ENTRY.label, "held", 1001.0, LONG, instance_id=9)
    for second in range(9):
        ledger.advance(ENTRY.label, "releasing", 1002.0 + second, LONG)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_the_outcome_is_written_on_a_full_disk(
    ledger: Ledger, disk: Disk, parts: int
) -> None:
    """In the room that was kept, as much of it as that takes; it is taken back then."""
    disk.needs_given_up = parts
    fill_pages(ledger)
    assert disk.opened > 10 + parts  # some of them were tried again
    assert ledger.entry(ENTRY.label).state == "releasing"
    steps = [state for _, state, _ in ledger.history(ENTRY.label)]
    assert steps == ["intended", "held", *["releasing"] * 9]
    assert size(ledger.folder) == SIZE


def test_what_finds_no_room_at_all_is_told(ledger: Ledger, disk: Disk) -> None:
    """One error, after all was tried; what was there stays, the reserve too."""
    disk.needs_given_up = 5
    with pytest.raises(StoreFullError, match=rf"{STORE}.*full.*make room"):
        fill_pages(ledger)
    assert disk.opened > 5
    assert ledger.entry(ENTRY.label).state in {"held", "releasing"}
    assert size(ledger.folder) == SIZE


def test_an_intention_does_not_use_it_up(ledger: Ledger, disk: Disk) -> None:
    """It is for what was rented: on a full disk nothing more is rented."""
    asked: list[object] = []

    def rent_many() -> None:
        for number in range(20):
            another = replace(ENTRY, label=f"advisor:{number}", reason=LONG)
            ledger.intend(another, asked.append)

    with pytest.raises(StoreFullError, match="make room"):
        rent_many()
    assert size(ledger.folder) == SIZE
    written = len(ledger.entries()) - 1  # the first was there before
    assert written == len(asked) - 1  # the last was asked for in vain


def test_what_is_refused_gives_the_room_back(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try finds the disk full, the second another process at work."""
    ledger.lease(ENTRY.label, "one", 1000.0, 1060.0)
    tried: list[str] = []
    found = database.transaction

    def full_once(store: sqlite3.Connection) -> Any:
        tried.append("once")
        if len(tried) == 1:
            raise StoreFullError("full")
        assert size(ledger.folder) < SIZE
        return found(store)

    monkeypatch.setattr("advisor.store.ledger.transaction", full_once)
    with pytest.raises(LeaseLostError):
        ledger.lease(ENTRY.label, "other", 1000.0, 1060.0)
    assert len(tried) == 2
    assert size(ledger.folder) == SIZE


def test_it_is_made_for_a_rental_of_before(tmp_path: Path) -> None:
    """Whoever has no reserve gets one when there is something to write."""
    ledger = Ledger(tmp_path)
    ledger.intend(ENTRY, lambda entries: None)
    (tmp_path / NAME).unlink()
    ledger.entries()
    assert not (tmp_path / NAME).exists()
    ledger.advance(ENTRY.label, "held", 1001.0, instance_id=9)
    assert size(tmp_path) == SIZE


def test_a_try_that_failed_and_was_kept_is_not_repeated(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite may say that a commit failed of which the journal tells otherwise."""
    tried: list[str] = []
    found = database.transaction

    class Lying:
        """A transaction that is kept, the first time with an error."""

        def __init__(self, store: sqlite3.Connection) -> None:
            self._whole = found(store)

        def __enter__(self) -> None:
            self._whole.__enter__()

        def __exit__(self, *error: object) -> None:
            self._whole.__exit__(*error)
            tried.append("once")
            if len(tried) == 1:
                raise StoreFullError("full")

    monkeypatch.setattr("advisor.store.ledger.transaction", Lying)
    after = ledger.advance(ENTRY.label, "held", 1001.0, "why", instance_id=9)
    assert (after.state, after.instance_id, len(tried)) == ("held", 9, 2)
    assert ledger.entry(ENTRY.label) == after
    assert len(ledger.history(ENTRY.label)) == 2


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Return a disk of 2 MiB of its own.

    Not below pytest's folders, which it could not clean if this process were killed.
    """
    folder = Path(tempfile.mkdtemp(prefix="advisor-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        folder.rmdir()
        pytest.skip("no disk can be mounted here: that takes root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


@pytest.fixture
def fill(small_disk: Path) -> Callable[[], None]:
    """Return what takes all room that is left on the small disk."""

    def take_all() -> None:
        with (small_disk / "log").open("ab", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(512))
                except OSError:
                    return

    return take_all


def test_a_rental_lives_and_ends_on_a_disk_that_is_full(
    small_disk: Path, fill: Callable[[], None]
) -> None:
    """A log takes each byte that is free, all the while; only nothing new is rented."""
    ledger = Ledger(small_disk / "data")
    ledger.intend(ENTRY, lambda entries: None)
    fill()
    ledger.advance(ENTRY.label, "held", 1001.0, LONG, instance_id=9)
    fill()
    for minute in range(50):
        now = 1000.0 + 60 * minute
        ledger.lease(ENTRY.label, "launcher", now, now + 300)
        fill()
    assert len(ledger.entries()) == 1
    fill()
    for state in ("working", "releasing", "released"):
        ledger.advance(ENTRY.label, state, 5000.0, LONG)
        fill()
    assert [state for _, state, _ in ledger.history(ENTRY.label)] == [
        "intended",
        "held",
        "working",
        "releasing",
        "released",
    ]
    assert size(ledger.folder) >= SIZE // 2
    fill()
    with pytest.raises(StoreFullError, match="make room"):
        ledger.intend(replace(ENTRY, label="another"), lambda entries: None)
    (small_disk / "log").unlink()
    ledger.intend(replace(ENTRY, label="another"), lambda entries: None)
    assert size(ledger.folder) == SIZE


def test_a_ledger_on_a_disk_that_is_read_only_can_be_read(small_disk: Path) -> None:
    """And whatever would be written is one error that says so."""
    ledger = Ledger(small_disk / "data")
    ledger.intend(ENTRY, lambda entries: None)
    mount = ["mount", "-o", "remount,ro", str(small_disk)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("no disk can be mounted anew here")
    assert ledger.entries() == [ENTRY]
    assert len(ledger.history(ENTRY.label)) == 1
    with pytest.raises(AdvisorError, match=r"readonly.*who may write"):
        ledger.advance(ENTRY.label, "held", 1001.0, instance_id=9)
    with pytest.raises(AdvisorError, match=r"nothing is rented|readonly"):
        ledger.intend(replace(ENTRY, label="another"), lambda entries: None)
