"""One list, what is told of it, and what a job itself wrote."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.base.errors import UsageError
from advisor.rental.outgoing.decide import Asked, Outgoing, Private, decide
from advisor.rental.outgoing.words import document, lines, too_large

Make = Callable[..., Path]


def sent(asked: Asked) -> Outgoing:
    return decide(asked, Private(), lambda _: None)


def test_what_a_job_wrote_goes_to_its_next_machine(make: Make, tmp_path: Path) -> None:
    """Though git ignores it; what was there before the job goes by the rule alone."""
    files = {".gitignore": "checkpoints/\n", "checkpoints/old": "1", "train.py": ""}
    folder = make(tmp_path / "p", {**files, "checkpoints/same": "1"})
    first = sent(Asked(folder, written="checkpoints"))
    assert list(first.files) == [".gitignore", "train.py"]
    assert [one.path for one in first.ignored] == ["checkpoints"]
    make(folder, {"checkpoints/old": "22", "checkpoints/a/new": "333"})
    (folder / "checkpoints" / "latest").symlink_to("a/new")
    (folder / "checkpoints" / "away").symlink_to("../../elsewhere")
    make(folder, {"checkpoints/.git/hook": "", "checkpoints/key": "-" * 5})
    asked = Asked(folder, written="checkpoints", before=first.before)
    second = sent(asked)
    wrote = ["checkpoints/a/new", "checkpoints/key", "checkpoints/latest"]
    expected = [".gitignore", *wrote, "checkpoints/old", "train.py"]
    assert list(second.files) == expected
    assert second.written_bytes == 2 + 3 + 5
    assert [one.path for one in second.ignored] == []
    assert sent(replace(asked, excludes=("checkpoints",))).files == second.files


def test_what_is_not_ignored_goes_from_the_start(make: Make, tmp_path: Path) -> None:
    """Checkpoints that the project keeps are a start that its user wants."""
    folder = make(tmp_path / "p", {"checkpoints/old": "1", "a": ""})
    first = sent(Asked(folder, written="checkpoints"))
    assert list(first.files) == ["a", "checkpoints/old"]
    assert first.written_bytes == 0


def test_it_is_told_what_goes_and_what_stays(make: Make, tmp_path: Path) -> None:
    """How many, how large, the largest, what is held back and what is ignored."""
    folder = make(
        tmp_path / "p",
        {
            ".gitignore": "data/\n",
            "a": "x" * 1500,
            "b/c": "x" * 20,
            "d": "x" * 3,
            "e": "",
            **dict.fromkeys((".env", "data/x"), "x"),
        },
    )
    told = list(lines(sent(Asked(folder, excludes=("no",)))))
    assert told[0] == (
        f"5 files, 1.53 kB, of {folder} go to the machine; largest: a (1.5 kB), "
        "b/c (20 bytes), .gitignore (6 bytes)"
    )
    assert told[1].startswith("held back: .env (environment file); includes PATH")
    assert told[2].startswith("ignored, stays here: data; includes PATH")
    assert told[3:] == ["excludes 'no' matches nothing"]


def test_a_long_list_is_cut_and_the_document_has_all(make: Make, tmp_path: Path) -> None:
    """A line is to be read by people."""
    names = {f"{at}.env": "" for at in range(50)}
    outgoing = sent(Asked(make(tmp_path / "p", {**names, "a": ""})))
    assert " and 30 more; " in list(lines(outgoing))[1]
    whole = document(outgoing)
    assert len(whole["held_back"]) == 50
    assert whole["files"] == [{"path": "a", "bytes": 0}]
    assert whole["held_back"][0] == {
        "path": "0.env",
        "kind": "secret",
        "reason": "environment file",
    }


def test_too_much_says_of_what(make: Make, tmp_path: Path) -> None:
    """The folders that most of it is in."""
    folder = make(tmp_path / "p", {"big/a": "x" * 900, "big/b": "x" * 900, "c": "x"})
    told = too_large(sent(Asked(folder)), 1e-6)
    assert told.startswith(f"1.8 kB of {folder} would go to the machine, more than 1e-06")
    assert "(big 1.8 kB, c 1 byte)" in told


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_refused(make: Make, tmp_path: Path) -> None:
    """Before a machine is paid for; not where it would stay here."""
    folder = make(tmp_path / "p", {"a/b": "", "c": ""})
    for name in ("c", "a"):
        (folder / name).chmod(0)
        with pytest.raises(UsageError, match=r"cannot be read .*excludes"):
            sent(Asked(folder))
        assert sent(Asked(folder, excludes=(name,))) is not None
        (folder / name).chmod(0o755)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    """One that is missing, and a file."""
    (tmp_path / "file").write_text("")
    for name in ("nothing", "file"):
        with pytest.raises(UsageError, match="there is no folder"):
            sent(Asked(tmp_path / name))


def test_a_name_cannot_write_on_the_terminal(make: Make, tmp_path: Path) -> None:
    """A clone may have names with escape codes."""
    folder = make(tmp_path / "p", {"\x1b]0;x\x07": "xx", "\x1b[2J.env": "", "a\nb": ""})
    outgoing = sent(Asked(folder))
    assert all(line.isprintable() for line in lines(outgoing))
    assert document(outgoing)["files"][0]["path"] == "\x1b]0;x\x07"


def test_too_much_is_known_before_anything_is_read(make: Make, tmp_path: Path) -> None:
    """Gigabytes are not read to be refused."""
    folder = make(tmp_path / "p", {"a.txt": "x" * 40, "b": ""})
    seen: list[int] = []

    def allow(by_name: Outgoing) -> None:
        seen.append(by_name.bytes)
        make(folder, {"a.txt": "the-key-of-the-market".ljust(40)})

    private = Private(keys=("the-key-of-the-market",))
    outgoing = decide(Asked(folder), private, lambda _: None, allow)
    assert seen == [40]
    assert list(outgoing.files) == ["b"]
