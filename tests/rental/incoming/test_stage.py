"""rsync sees a folder of its own, and of the user's files nothing but size and time."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from advisor.base.errors import RemoteError
from advisor.rental.incoming import stage as stages
from advisor.rental.incoming.names import INCOMING
from advisor.rental.incoming.place import Placing
from advisor.rental.incoming.stage import Stage, staged


def dying(place: Path, source: str, begun: Callable[[Stage], object]) -> None:
    """Begin to copy, and break off."""
    with suppress(KeyError), staged(place, source) as stage:
        begun(stage)
        raise KeyError


def write(name: str, stage: Stage) -> None:
    (stage.tree / name).write_text("x")


def test_what_is_here_is_shown_without_its_content(tmp_path: Path) -> None:
    """Rsync sends checksums of what it finds: they would tell of the user's files."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "secret").write_text("my password")
    os.utime(tmp_path / "a" / "secret", ns=(1, 10**18 + 7))
    with staged(tmp_path, "m") as stage:
        stage.show(["a/secret", "a/other"])
        (shown,) = (stage.tree / "a").iterdir()
        assert (shown.stat().st_size, shown.stat().st_mtime_ns) == (11, 10**18 + 7)
        assert shown.read_bytes() == b"\0" * 11
        Placing(stage, {}).run()
    assert (tmp_path / "a" / "secret").read_text() == "my password"


def test_no_link_of_the_users_is_looked_through(tmp_path: Path) -> None:
    """Neither to a file nor to a folder."""
    place, outside = tmp_path / "place", tmp_path / "outside"
    outside.mkdir()
    place.mkdir()
    (outside / "x").write_text("x")
    (place / "folder").symlink_to(outside)
    (place / "file").symlink_to(outside / "x")
    with staged(place, "m") as stage:
        stage.show(["folder/x", "file"])
        assert [one for one in stage.tree.rglob("*") if one.is_file()] == []


def test_what_was_shown_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    """Also after a process has died in the middle, and lost what marks it."""
    (tmp_path / "a").write_bytes(b"x" * 10_000)
    stamp = (tmp_path / "a").stat().st_mtime_ns
    dying(tmp_path, "m", lambda stage: stage.show(["a"]))
    for hole in (tmp_path / INCOMING).rglob("holes/*"):
        hole.unlink()
    with staged(tmp_path, "m") as stage:
        assert list(stage.tree.iterdir()) == []
        Placing(stage, {}).run()
    assert (tmp_path / "a").read_bytes() == b"x" * 10_000
    assert (tmp_path / "a").stat().st_mtime_ns == stamp
    assert not (tmp_path / INCOMING).exists()


def test_what_another_process_has_left_is_removed(tmp_path: Path) -> None:
    """Of another machine, once it is not used and not quite new."""
    for name in ("old", "new"):
        dying(tmp_path, name, partial(write, name))
    roots = {one.name: one.parents[1] for one in (tmp_path / INCOMING).glob("*/tree/*")}
    os.utime(roots["old"], (1e9, 1e9))
    with staged(tmp_path, "mine"):
        assert roots["new"].exists()
        assert not roots["old"].exists()


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    """What comes would go where that leads."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / INCOMING).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RemoteError, match="is no folder"), staged(tmp_path, "m"):
        pytest.fail("it is used")


def test_a_disk_without_holes_is_shown_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is here is copied again, rather than written a second time as zeros."""
    (tmp_path / "a").write_bytes(b"x" * 10)
    monkeypatch.setattr(stages, "_MOST_HOLE_BYTES", -1)
    with staged(tmp_path, "m") as stage:
        stage.show(["a"])
        assert list(stage.tree.iterdir()) == []
        assert stage.shown_bytes == 0


def test_what_is_shown_is_counted(tmp_path: Path) -> None:
    """It is no part of what the machine has sent."""
    (tmp_path / "a").write_bytes(b"x" * 10)
    (tmp_path / "b").write_bytes(b"x" * 5)
    with staged(tmp_path, "m") as stage:
        stage.show(["a", "b", "c"])
        assert (stage.shown_bytes, stage.size(), stage.sizes()) == (15, 0, {})
        (stage.tree / "c").write_bytes(b"x" * 3)
        (stage.aside / "d").write_bytes(b"x")
        assert (stage.size(), stage.sizes()) == (4, {"c": 3})


def test_a_tree_too_deep_for_python_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine may have made it so."""

    def too_deep(*_: object, **__: object) -> None:
        raise RecursionError

    (tmp_path / "tree" / "a" / "b").mkdir(parents=True)
    monkeypatch.setattr(stages.shutil, "rmtree", too_deep)
    stages._remove(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()
