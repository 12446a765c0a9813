"""Git is asked where it is there, and runs nothing that a repository names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.base.errors import UsageError
from advisor.rental.outgoing import repository
from advisor.rental.outgoing.decide import Asked, Outgoing, Private, decide

Make = Callable[..., Path]
Git = Callable[..., bytes]


def sent(folder: Path, told: list[str] | None = None) -> list[str]:
    lines: list[str] = [] if told is None else told
    outgoing: Outgoing = decide(Asked(folder), Private(), lines.append)
    return list(outgoing.files)


def test_what_is_tracked_goes_though_it_be_ignored(
    make: Make, git: Git, tmp_path: Path
) -> None:
    """As git itself has it: also in a folder that is ignored, or left out by default."""
    folder = make(
        tmp_path / "p",
        {
            ".gitignore": "data/\n*.bin\n",
            **dict.fromkeys(("data/kept", "data/big", "a.bin", "b.bin", "venv/x"), ""),
            **dict.fromkeys(("venv/y", "new.py"), ""),
        },
    )
    git(folder, "init", "-q")
    git(folder, "add", "-f", "data/kept", "a.bin", "venv/x", ".gitignore")
    git(folder, "commit", "-qm", "first")
    (folder / "gone.py").write_text("")
    git(folder, "add", "gone.py")
    (folder / "gone.py").unlink()
    expected = [".gitignore", "a.bin", "data/kept", "new.py", "venv/x"]
    assert sent(folder) == expected


def test_repositories_inside_go_by_their_own_rules(
    make: Make, git: Git, tmp_path: Path
) -> None:
    """A submodule, and one that the outer repository does not know; no ``.git`` goes."""
    inner = {".gitignore": "*.tmp\n", "a.py": "", "a.tmp": "", "b.log": ""}
    source = make(tmp_path / "source", inner)
    git(source, "init", "-q")
    git(source, "add", "a.py", ".gitignore")
    git(source, "commit", "-qm", "first")
    folder = make(tmp_path / "p", {".gitignore": "*.log\nignored/\n", "a.log": ""})
    git(folder, "init", "-q")
    allowed = ("-c", "protocol.file.allow=always")
    git(folder, *allowed, "submodule", "add", "-q", str(source), "module")
    git(make(folder / "loose", inner), "init", "-q")
    git(make(folder / "ignored" / "one", inner), "init", "-q")
    make(folder / "module", {"new.tmp": ""})
    expected = [".gitignore", ".gitmodules"]
    expected += ["loose/.gitignore", "loose/a.py", "loose/b.log"]
    expected += ["module/.gitignore", "module/a.py"]
    assert sent(folder) == expected


def test_variables_of_another_repository_do_not_count(
    make: Make, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook finds GIT_DIR and GIT_INDEX_FILE set, which are about its own."""
    other = make(tmp_path / "other", {"x": ""})
    git(other, "init", "-q")
    folder = make(tmp_path / "p", {".gitignore": "*.log\n", "a.log": "", "a": ""})
    git(folder, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    assert sent(folder) == [".gitignore", "a"]


def test_no_program_of_a_repository_is_run(make: Make, git: Git, tmp_path: Path) -> None:
    """Its configuration names a file monitor, hooks and filters; none of them runs."""
    mark = tmp_path / "ran"
    hook = make(tmp_path, {"hook": f"#!/bin/sh\ntouch '{mark}'\n"}) / "hook"
    hook.chmod(0o755)
    folder = make(
        tmp_path / "p",
        {".gitignore": "*.log\n", ".gitattributes": "* filter=f\n", "a": "", "a.log": ""},
    )
    git(folder, "init", "-q")
    git(folder, "add", "a")
    for name, value in {
        "core.fsmonitor": str(hook),
        "filter.f.clean": str(hook),
        "filter.f.smudge": str(hook),
        "core.sshCommand": str(hook),
        "core.hooksPath": str(tmp_path),
    }.items():
        git(folder, "config", name, value)
    mark.unlink(missing_ok=True)
    (folder / "a").write_text("changed")
    assert sent(folder) == [".gitattributes", ".gitignore", "a"]
    assert not mark.exists()


def test_where_git_refuses_the_ignore_files_are_read_and_that_is_told(
    make: Make, git: Git, tmp_path: Path
) -> None:
    """An extension that this git does not know; a work tree that is elsewhere."""
    files = {".gitignore": "*.log\n", "a.log": "", "a": ""}
    for name, value, why in (
        ("extensions.unheardOf", "true", "unheardof"),
        ("core.worktree", str(make(tmp_path / "elsewhere", {})), "elsewhere"),
    ):
        folder = make(tmp_path / name, files)
        git(folder, "init", "-q")
        git(folder, "config", "core.repositoryFormatVersion", "1")
        git(folder, "config", name, value)
        told: list[str] = []
        assert sent(folder, told) == [".gitignore", "a"]
        (line,) = told
        assert "git does not tell what it ignores" in line
        assert why in line.lower()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_repository_of_somebody_else_is_not_trusted(
    make: Make, git: Git, tmp_path: Path
) -> None:
    """Git refuses it (safe.directory); its ignore files are read all the same."""
    folder = make(tmp_path / "p", {".gitignore": "*.log\n", "a.log": "", "a": ""})
    git(folder, "init", "-q")
    for place in (folder, *folder.rglob("*")):
        os.chown(place, 12345, 12345)
    told: list[str] = []
    assert sent(folder, told) == [".gitignore", "a"]
    assert "dubious ownership" in told[0] or "safe.directory" in told[0]


def test_a_bare_repository_in_a_folder_is_none(
    make: Make, git: Git, tmp_path: Path
) -> None:
    """What lies in a folder like one may be there to be taken for one."""
    mark = tmp_path / "ran"
    folder = make(tmp_path / "p", {"a": ""})
    git(folder, "init", "-q", "--bare")
    git(folder, "config", "core.bare", "false")
    git(folder, "config", "core.worktree", str(folder))
    git(folder, "config", "core.fsmonitor", f"touch {mark}")
    mark.unlink(missing_ok=True)
    assert "a" in sent(folder)
    assert not mark.exists()


def test_the_users_own_ignore_file_counts_outside_a_repository(
    make: Make, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that git's settings name, else the one where git looks by itself."""
    home = make(
        tmp_path / "home",
        {".gitconfig": "[core]\n\texcludesFile = ~/mine\n", "mine": "*.tmp\n"},
    )
    make(home, {".config/git/ignore": "*.txt\n", "settings/git/ignore": "*.py\n"})
    folder = make(tmp_path / "p", dict.fromkeys(("a", "a.tmp", "a.txt", "a.py"), ""))
    assert sent(folder) == ["a", "a.py", "a.txt"]
    (home / ".gitconfig").unlink()
    assert sent(folder) == ["a", "a.py", "a.tmp"]
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "settings"))
    assert sent(folder) == ["a", "a.tmp", "a.txt"]


@pytest.fixture
def other_git(
    make: Make, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Return what has git do something else when it is to list files."""
    real = shutil.which("git")

    def instead(script: str) -> None:
        line = f'case "$*" in *ls-files*) {script} ;; esac\nexec {real} "$@"'
        program = make(tmp_path / "bin", {"git": f"#!/bin/sh\n{line}\n"}) / "git"
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    return instead


def test_where_git_cannot_list_the_ignore_files_are_read_and_that_is_told(
    make: Make, git: Git, tmp_path: Path, other_git: Callable[[str], None]
) -> None:
    """What it complains of is told in one line."""
    folder = make(tmp_path / "p", {".gitignore": "*.log\n", "a.log": "", "a": ""})
    git(folder, "init", "-q")
    other_git("echo 'index is\n torn' >&2; exit 128")
    told: list[str] = []
    assert sent(folder, told) == [".gitignore", "a"]
    (line,) = told
    assert "git does not tell what it ignores in" in line
    assert "(index is torn)" in line


def test_git_is_not_waited_for_without_end(
    make: Make,
    git: Git,
    tmp_path: Path,
    other_git: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing goes then: what it ignores is not known."""
    folder = make(tmp_path / "p", {"a": ""})
    git(folder, "init", "-q")
    other_git("exec sleep 60")
    monkeypatch.setattr(repository, "_LONGEST_S", 1.0)
    with pytest.raises(UsageError, match=r"does not tell within 1 s .*git ls-files"):
        sent(folder)
