"""Files that the user names are written whole, and nothing else is in their place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from advisor.base.errors import UsageError
from advisor.base.files import write_output


def test_a_pipe_or_a_device_stays_what_it_is(tmp_path: Path) -> None:
    """A file in the place of /dev/null would be there for every other program."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    link = tmp_path / "link"
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(UsageError, match="no regular file; name another"):
            write_output(path, b"x")
    assert pipe.is_fifo()
    assert link.is_symlink()


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    """As by a shell's ``>``, also where there is nothing yet."""
    file, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to(file)
    for body in (b"new", b"newer"):
        write_output(link, body)
        assert link.is_symlink()
        assert file.read_bytes() == body
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "link"]


@pytest.mark.parametrize(
    "place", ["no/folder/file", ".", "file/below", "circle", "n" * 300]
)
def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, place: str) -> None:
    """It names the path as the user wrote it."""
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(UsageError, match="cannot write") as caught:
        write_output(tmp_path / place, b"x")
    assert "\n" not in str(caught.value)
    assert str(tmp_path / place) in str(caught.value)
    assert (tmp_path / "file").read_bytes() == b"kept"
