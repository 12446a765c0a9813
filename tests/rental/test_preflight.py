"""What is checked before anything is paid, piece by piece."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.base.errors import UsageError
from advisor.rental.preflight import (
    check_comes_back,
    inner_folder,
    is_too_much,
)


@pytest.mark.parametrize(
    "name", ["/etc", "..", "a/../..", ".", "", ".git", "a/.git/hooks", ".ssh", "a\0b"]
)
def test_only_a_folder_inside_comes_back(name: str) -> None:
    """And none whose files programs of this machine obey."""
    with pytest.raises(UsageError):
        inner_folder(name)


def test_a_folder_inside_has_a_plain_name() -> None:
    """As rsync and the machine's shell are given it."""
    assert inner_folder("./out//x/") == "out/x"


def test_what_is_no_folder_takes_nothing_back(tmp_path: Path) -> None:
    """A file, and a link, through which another folder would be written."""
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    check_comes_back(tmp_path, ["results", "deep/er"])
    for name in ("file", "link"):
        with pytest.raises(UsageError, match="is no folder"):
            check_comes_back(tmp_path, [name])


def test_the_home_folder_and_what_holds_it_is_too_much(tmp_path: Path) -> None:
    """Also by another path; a folder in it is not."""
    home = tmp_path / "home"
    (home / "project").mkdir(parents=True)
    (tmp_path / "link").symlink_to(home)
    for folder in (home, tmp_path, Path("/"), tmp_path / "link", home / "project" / ".."):
        assert is_too_much(folder, home)
    for folder in (home / "project", tmp_path / "other"):
        assert not is_too_much(folder, home)
