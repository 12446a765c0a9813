"""A place says which computer, and which data folder on it, wrote a rental down."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisor.store import place
from advisor.store.place import place_of


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    """Ask who this computer is in each test, and after it."""
    place._computer.cache_clear()
    yield
    place._computer.cache_clear()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that names this computer's installation."""
    path = tmp_path / "machine-id"
    path.write_text("0123456789abcdef0123456789abcdef\n")
    monkeypatch.setattr(place, "_MACHINE_ID", path)
    return path


def test_a_folder_has_one_place(installed: Path, tmp_path: Path) -> None:
    """However it is named; another folder has another one."""
    (tmp_path / "link").symlink_to(tmp_path)
    told = place_of(tmp_path / "data")
    assert told == place_of(tmp_path / "link" / "data")
    assert told == place_of(Path(os.path.relpath(tmp_path / "data")))
    assert told != place_of(tmp_path / "other")
    assert told.endswith(f":{tmp_path.resolve() / 'data'}")


def test_another_installation_is_another_computer(
    installed: Path, tmp_path: Path
) -> None:
    """Also under the same name, as clones have it."""
    told = place_of(tmp_path)
    installed.write_text("another")
    place._computer.cache_clear()
    assert place_of(tmp_path) != told


def test_the_systems_own_id_is_not_told(installed: Path, tmp_path: Path) -> None:
    """It is confidential (machine-id(5)): a digest of ours stands for it."""
    told = place_of(tmp_path).partition(":")[0]
    assert installed.read_text().strip()[:8] not in told
    assert len(told) == 12


def test_where_no_system_tells_its_id_the_folder_must_do(
    installed: Path, tmp_path: Path
) -> None:
    """As on macOS and in containers: a copy that took its name is another one."""
    installed.unlink()
    data = tmp_path / "data"
    data.mkdir()
    told = place_of(data)
    assert told == place_of(data)
    data.rename(tmp_path / "before")
    data.mkdir()
    assert place_of(data) != told


def test_who_this_is_is_asked_once(installed: Path, tmp_path: Path) -> None:
    """A file that goes away under a launcher makes no other computer of it."""
    told = place_of(tmp_path)
    installed.unlink()
    assert place_of(tmp_path) == told


def test_a_place_is_as_the_ledger_keeps_it(installed: Path, tmp_path: Path) -> None:
    """Else no rental would be of this place that lies in a folder of such a name."""
    told = place_of(tmp_path / "a\x1bb\udcff")
    assert told.endswith("/a b ")


def test_the_installation_is_named_where_linux_has_it() -> None:
    """See machine-id(5)."""
    assert str(place._MACHINE_ID) == "/etc/machine-id"
