"""What comes home of a job gets its place when all of it is here."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.fleet.home import put_in_place


def folder(place: Path, text: str) -> Path:
    place.mkdir(parents=True)
    (place / "out").write_text(text)
    return place


def test_what_has_come_whole_is_the_result(tmp_path: Path) -> None:
    """What earlier attempts have sent of it is gone then."""
    place = tmp_path / "results" / "job*"
    folder(tmp_path / "results" / ".job*.1.coming", "half")
    other = folder(tmp_path / "results" / ".jobs.1.coming", "another job's")
    put_in_place(folder(tmp_path / "results" / ".job*.2.coming", "whole"), place)
    assert (place / "out").read_text() == "whole"
    assert sorted(one.name for one in place.parent.iterdir()) == [other.name, "job*"]


def test_a_result_that_comes_again_replaces_what_came(tmp_path: Path) -> None:
    """A launcher was killed between the two: nothing of both is mixed."""
    place = folder(tmp_path / "job", "first")
    (place / "more").write_text("of the first")
    put_in_place(folder(tmp_path / ".job.1.coming", "again"), place)
    assert [one.name for one in place.iterdir()] == ["out"]
    assert (place / "out").read_text() == "again"
