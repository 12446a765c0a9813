"""What is checked before anything is paid, piece by piece."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from advisor.base.errors import AdvisorError, UsageError
from advisor.rental import preflight
from advisor.rental.preflight import (
    check_comes_back,
    check_folder,
    check_places,
    check_programs,
    check_room,
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


def test_a_program_that_is_missing_is_told_with_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is paid that it is needed for."""
    check_programs()
    monkeypatch.setenv("PATH", "/nowhere")
    for name, package in (("rsync", "rsync"), ("ssh", "openssh-client")):
        with pytest.raises(UsageError, match=f"{name} is missing.*install {package}"):
            check_programs(name)


def test_a_folder_that_cannot_go_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not there, is not to be read, or is not for others."""
    for name in ("p", "own/in", ".ssh/in"):
        (tmp_path / name).mkdir(parents=True)
    own = [tmp_path / "other", tmp_path / "own"]
    check_folder(tmp_path / "p", own)
    for name, words in (
        ("no", "there is no folder"),
        ("own", "advisor's own folder"),
        ("own/in", "advisor's own folder"),
        (".ssh/in", "it goes to no machine"),
    ):
        with pytest.raises(UsageError, match=words):
            check_folder(tmp_path / name, own)
    monkeypatch.setattr(preflight.os, "access", lambda *_: False)
    with pytest.raises(UsageError, match="cannot be read: mend its permissions"):
        check_folder(tmp_path / "p", own)


def test_a_folder_that_may_not_be_written_takes_nothing_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one in which it would be made is named."""
    monkeypatch.setattr(preflight.os, "access", lambda *_: False)
    with pytest.raises(UsageError, match=f"^{tmp_path} may not be written"):
        check_comes_back(tmp_path, ["deep/er"])


def test_what_a_machine_sends_never_reaches_advisors_own(tmp_path: Path) -> None:
    """Neither in it nor above it by names that a machine can give."""
    own = [tmp_path / "p" / "data" / "advisor", tmp_path / "p" / "hid" / ".advisor"]
    for one in own:
        one.mkdir(parents=True)
    for name in ("data", "data/advisor", "data/advisor/x", "."):
        with pytest.raises(UsageError, match="must not reach advisor's own folder"):
            check_places(tmp_path / "p", [name], own)
    check_places(tmp_path / "p", ["results", "hid", "data2"], own)


@pytest.mark.parametrize(("free_mb", "goes"), [(99.0, False), (101.0, True)])
def test_on_a_full_disk_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mb: float, goes: bool
) -> None:
    """Neither in a folder that is there nor in one that is made."""
    usage = shutil.disk_usage(tmp_path)._replace(free=int(free_mb * 1e6))
    asked: list[Path] = []

    def told(folder: Path) -> object:
        asked.append(folder)
        return usage

    monkeypatch.setattr(preflight.shutil, "disk_usage", told)
    if goes:
        check_room(tmp_path, tmp_path / "not" / "there")
        assert asked == [tmp_path, tmp_path]
        return
    with pytest.raises(AdvisorError, match=r"has 99 MB free: .* are the least"):
        check_room(tmp_path)
