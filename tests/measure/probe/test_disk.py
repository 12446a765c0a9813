"""The disk: read and written within bounds, and nothing stays on it."""

from __future__ import annotations

import mmap
import shutil
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from advisor.measure.probe import disk
from advisor.measure.probe.bench import Asked, _Parts
from advisor.measure.probe.budget import Budget
from advisor.measure.probe.disk import NoRoomError, measure_disk
from advisor.measure.probe.lines import Result
from advisor.measure.probe.samples import Samples
from advisor.measure.probe.scratch import (
    NoPlaceError,
    chosen_folder,
    is_in_memory,
    room,
    scratch_folder,
)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of Linux")

MOUNTS = """\
22 1 0:21 / / rw - overlay overlay rw
23 22 0:22 / /mnt rw - tmpfs tmpfs rw
24 23 0:23 / /mnt/disk\\040one rw - ext4 /dev/vdb rw
"""


def measured(folder: Path, size: float) -> tuple[dict[str, float], Budget]:
    """Return the figures by name, and what was written."""
    samples, budget = Samples(), Budget(60.0, size)
    measure_disk(
        samples, folder, size=size, seconds=0.3, budget=budget, tell=lambda *_: None
    )
    return {one.name: one.value for one in samples.lines()}, budget


def test_all_three_are_measured_and_nothing_is_left(tmp_path: Path) -> None:
    """Writing, reading in order and at random; the folder is as it was."""
    lines, budget = measured(tmp_path, 96e6)
    assert set(lines) == {
        "disk.write.sequential",
        "disk.read.sequential",
        "disk.read.random",
    }
    assert all(value > 0.0 for value in lines.values())
    assert 0 < budget.written <= 96e6
    assert list(tmp_path.iterdir()) == []


def test_too_little_to_write_is_told(tmp_path: Path) -> None:
    """A bound of a few bytes leaves nothing to measure."""
    with pytest.raises(NoRoomError, match="67 MB at least"):
        measured(tmp_path, 1e6)
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_memory_is_no_disk(tmp_path: Path) -> None:
    """The mount nearest to the folder counts."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(MOUNTS)
    assert is_in_memory(Path("/mnt/x"), tmp_path)
    assert not is_in_memory(Path("/home/x"), tmp_path)
    assert not is_in_memory(Path("/mnt/disk one/x"), tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The user's own folder is measured, or none."""
    assert chosen_folder(str(tmp_path)) == tmp_path
    with pytest.raises(NoPlaceError):
        chosen_folder(str(tmp_path / "none"))


def test_a_folder_is_where_its_links_lead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its whole path it is seen whether it is in memory."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    monkeypatch.chdir(tmp_path)
    there = (tmp_path / "there").resolve()
    assert chosen_folder("link") == chosen_folder("there") == there


def test_a_disk_that_takes_no_pictures_hides_no_gpu(tmp_path: Path) -> None:
    """What is fed from it is left out, and said; on a disk with room it is not."""
    found = Result("full")
    parts = _Parts(found, Asked("full", None, ()), Budget(60.0, 1e9), lambda *_: None)
    parts._files = [b"a picture"]
    for folder, count in ((tmp_path, room(tmp_path) > 9.0), (tmp_path / "gone", 0)):
        parts._folder = folder
        with ExitStack() as stack:
            assert len(parts._kept_pictures(stack)) == count
        assert list(tmp_path.iterdir()) == []
    assert found.skipped[-1] == ("train.fed", "No such file or directory")


def test_a_disk_is_never_filled(tmp_path: Path) -> None:
    """Some room stays free, whatever may be written."""
    free = shutil.disk_usage(tmp_path).free
    assert 0.0 <= room(tmp_path) <= max(free - 1e9, 0.0) * 1.001


def interrupted(parent: Path) -> None:
    with scratch_folder(parent) as folder:
        (folder / "x.jpg").write_bytes(b"x")
        raise KeyboardInterrupt


def test_the_scratch_folder_is_removed_whatever_happens(tmp_path: Path) -> None:
    """Also on Ctrl-C, with all in it."""
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_disk_is_left_as_it_was(tmp_path: Path) -> None:
    """Ctrl-C while readers read: none reads on a file that is closed, all have ended."""
    before = threading.active_count()
    samples, budget = Samples(), Budget(60.0, 96e6)

    def tell(words: str, _share: float) -> None:
        if words.endswith("random"):
            budget.end()

    with pytest.raises(KeyboardInterrupt):
        measure_disk(samples, tmp_path, size=96e6, seconds=0.3, budget=budget, tell=tell)
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []
    assert "disk.read.sequential" in {one.name for one in samples.lines()}


def test_without_direct_io_the_page_cache_is_dropped(tmp_path: Path) -> None:
    """On a file system that refuses it the same is measured, and the note says how."""
    samples, budget = Samples(), Budget(60.0, 96e6)
    with (tmp_path / "x").open("w+b") as whole, mmap.mmap(-1, disk._BLOCK) as block:
        file = disk._File(whole.fileno(), False, "dropped")
        size = disk._write(
            samples, file, block, size=int(96e6), seconds=5.0, budget=budget
        )
        disk._drop_cached(file)
        disk._read(samples, file, block, size=size, seconds=5.0, budget=budget)
        disk._drop_cached(file)
        disk._read_at_random(samples, file, size, 1.0, budget)
    notes = {one.name: one.note for one in samples.lines()}
    assert len(notes) == 3
    assert "dropped" in notes["disk.read.sequential"]
    assert "dropped" in notes["disk.read.random"]
