"""The disk: read and written within bounds, and nothing stays on it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from advisor.measure.probe.budget import Budget
from advisor.measure.probe.disk import NoRoomError, measure_disk
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
