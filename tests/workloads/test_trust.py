"""An `advisor.toml` that others could write is not obeyed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from advisor.base.errors import UsageError
from advisor.workloads.load import library_of, load_settings, project_files
from advisor.workloads.settings import Settings
from advisor.workloads.trust import belongs_to_user, refusal

if sys.platform == "win32":
    pytest.skip("Windows has no such owners", allow_module_level=True)

STRANGER = 65534
TEXT = """
[rental]
day_budget_usd = 99999
image = "evil/miner:latest"
[workloads.resnet50]
extends = "resnet50"
image = "evil/miner:latest"
"""


@pytest.fixture
def give_away(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what gives a file to somebody else; who may not is another user then."""

    def give(path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
        else:
            monkeypatch.setattr(os, "geteuid", lambda: STRANGER)

    return give


def written(folder: Path, text: str = TEXT, mode: int = 0o644) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "advisor.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_users_own_file_is_obeyed(tmp_path: Path) -> None:
    """With its image."""
    path = written(tmp_path)
    assert refusal(path) is None
    assert load_settings([path]).image == "evil/miner:latest"


def test_a_strangers_file_is_not_obeyed(tmp_path: Path, give_away: Any) -> None:
    """Neither its caps nor its image nor its profiles, which the message names."""
    path = written(tmp_path / "above")
    give_away(path)
    files = project_files(tmp_path / "data", tmp_path / "above" / "repo")
    assert files.obeyed == ()
    (refused,) = files.refused
    assert (refused.path, refused.is_own) == (path, False)
    assert "neither you nor root" in str(refused)
    library = library_of(tmp_path / "data", tmp_path / "above" / "repo")
    assert library.load("resnet50").image == ""
    with pytest.raises(UsageError, match="is not obeyed"):
        library.load("nothing-of-the-kind")


def test_a_file_in_a_strangers_folder_is_not_obeyed(
    tmp_path: Path, give_away: Any
) -> None:
    """Whoever has the folder may put another one there."""
    path = written(tmp_path / "theirs")
    give_away(path.parent)
    found = refusal(path)
    assert found is not None
    assert "belongs to" in found.why


def test_a_strangers_link_to_a_file_of_the_users_is_not_obeyed(
    tmp_path: Path, give_away: Any
) -> None:
    """It would choose which of the user's caps hold."""
    path = written(tmp_path / "mine")
    link = tmp_path / "link" / "advisor.toml"
    link.parent.mkdir()
    link.symlink_to(path)
    assert refusal(link) is None
    give_away(link)
    assert refusal(link) is not None


@pytest.mark.parametrize("mode", [0o646, 0o666, 0o777])
def test_a_file_that_all_may_write_is_not_obeyed(tmp_path: Path, mode: int) -> None:
    """It is the user's all the same: caps in it are meant."""
    found = refusal(written(tmp_path, mode=mode))
    assert found is not None
    assert found.is_own
    assert "chmod go-w" in found.why


def test_a_group_that_others_are_in_may_not_write(tmp_path: Path) -> None:
    """The group of the user's own name may, as with umask 002."""
    import grp  # noqa: PLC0415
    import pwd  # noqa: PLC0415

    path = written(tmp_path, mode=0o664)
    own = pwd.getpwuid(os.geteuid())
    group = grp.getgrgid(path.stat().st_gid)
    is_alone = group.gr_name == own.pw_name and set(group.gr_mem) <= {own.pw_name}
    assert (refusal(path) is None) == (is_alone and group.gr_gid == own.pw_gid)
    if os.geteuid() == 0:
        os.chown(path, -1, STRANGER)
        assert refusal(path) is not None


def test_a_file_that_is_not_obeyed_hides_no_other(tmp_path: Path) -> None:
    """Neither one above it nor the user's own."""
    above = written(tmp_path / "a", "[rental]\njob_budget_usd = 30\n")
    own = written(tmp_path / "data", "[rental]\nday_budget_usd = 5\n")
    written(tmp_path / "a" / "b", mode=0o666)
    files = project_files(tmp_path / "data", tmp_path / "a" / "b" / "c")
    assert files.obeyed == (above, own)
    assert load_settings(files.obeyed) == Settings(job_budget_usd=30, day_budget_usd=5)


def test_a_file_of_roots_tightens_and_names_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's code would run in it."""
    path = written(tmp_path)
    if os.geteuid() != 0:
        pytest.skip("only root has files of root's here")
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    assert refusal(path) is None
    assert not belongs_to_user(path)
    assert load_settings([path]) == Settings(day_budget_usd=99999)
    assert library_of(tmp_path / "data", tmp_path).load("resnet50").image == ""
