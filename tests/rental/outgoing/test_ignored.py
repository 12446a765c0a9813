"""Ignore files say what stays: read by git where it is, and else as git reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from advisor.errors import UsageError
from advisor.rental.outgoing.decide import Asked, Outgoing, Private, decide

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

Decide = Callable[..., Outgoing]


@pytest.fixture(autouse=True)
def users_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a test a user of its own, without settings of git."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture(params=["git", "library"])
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Decide:
    """Return what decides, with git at hand and without it."""
    if request.param == "git" and shutil.which("git") is None:
        pytest.skip("git is not installed")

    def decided(folder: Path, told: list[str] | None = None, **asked: Any) -> Outgoing:
        with monkeypatch.context() as patch:
            if request.param == "library":
                patch.setenv("PATH", "/nowhere")
            lines = [] if told is None else told
            return decide(Asked(folder, **asked), Private(), lines.append)

    return decided


def make(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def git(folder: Path, *words: str) -> bytes:
    command = ["git", "-c", "user.name=n", "-c", "user.email=e", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout


def repository(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.which("git") is None:
        (folder / ".git").mkdir()
    else:
        git(folder, "init", "-q")
    return folder


def paths(outgoing: Outgoing) -> list[str]:
    return [one for one in outgoing.files if not one.endswith("ignore")]


CASES: Mapping[str, tuple[Mapping[str, str], list[str]]] = {
    "nested, with negation": (
        {
            ".gitignore": "*.bin\nout/\n",
            "sub/.gitignore": "!kept.bin\n",
            "sub/deep/.gitignore": "*\n!*.py\n",
            **dict.fromkeys(("a.bin", "out/x", "sub/kept.bin", "sub/b.bin"), ""),
            **dict.fromkeys(("sub/deep/a.py", "sub/deep/b.txt", "train.py"), ""),
        },
        ["sub/deep/a.py", "sub/kept.bin", "train.py"],
    ),
    "a folder that is ignored keeps what is in it": (
        {".gitignore": "data/\n!data/kept\n", "data/kept": "", "a": ""},
        ["a"],
    ),
    "all in a folder but one": (
        {
            ".gitignore": "foo/**\n!foo/kept\n/bar/*\n!/bar/in\n",
            **dict.fromkeys(("foo/kept", "foo/x", "bar/x", "bar/in", "in/bar/x"), ""),
        },
        ["bar/in", "foo/kept", "in/bar/x"],
    ),
    "only what is listed": (
        {
            ".gitignore": "*\n!*/\n!*.py\n",
            **dict.fromkeys(("a.py", "a.txt", "sub/b.py", "sub/b.txt"), ""),
        },
        ["a.py", "sub/b.py"],
    ),
    "escapes, comments, line ends": (
        {
            ".gitignore": "\ufeff# c\r\n\\#x\r\n\\!y\nz \nw\\ \n\n",
            **dict.fromkeys(("#x", "!y", "z", "w ", "w", "# c"), ""),
        },
        ["# c", "w"],
    ),
    "a folder's pattern is about no file": (
        {".gitignore": "name/\n", "name": "", "sub/name/x": ""},
        ["name"],
    ),
    "the own file is the stronger one": (
        {
            ".gitignore": "data/\n*.log\n",
            ".advisorignore": "!data/\nnotes/\ndata/raw/\n",
            "sub/.advisorignore": "*.txt\n!good.txt\n",
            **dict.fromkeys(("data/x", "data/y.log", "data/raw/z", "a.log"), ""),
            **dict.fromkeys(("notes/n", "sub/a.txt", "sub/good.txt", "b.txt"), ""),
        },
        ["b.txt", "data/x", "data/y.log", "sub/good.txt"],
    ),
    "the own file leads into an ignored folder": (
        {
            ".gitignore": "data/\n",
            ".advisorignore": "!data/small/\nheld/\n!held/x\n",
            **dict.fromkeys(("data/small/x", "data/big/x", "held/x", "a"), ""),
        },
        ["a", "data/small/x"],
    ),
    "defaults are the weakest": (
        {
            ".gitignore": "!node_modules\n",
            "sub/.advisorignore": "!venv/\n",
            **dict.fromkeys(("node_modules/a", "venv/a", "sub/venv/b", "a.pyc"), ""),
        },
        ["node_modules/a", "sub/venv/b"],
    ),
}


@pytest.mark.parametrize(("files", "expected"), CASES.values(), ids=CASES.keys())
def test_what_ignore_files_say(
    by: Decide, tmp_path: Path, files: Mapping[str, str], expected: list[str]
) -> None:
    """Nested files, negations and our own file, in a repository and outside of one."""
    inside = make(repository(tmp_path / "in"), files)
    outside = make(tmp_path / "out", files)
    assert paths(by(inside)) == expected
    assert paths(by(outside)) == expected


_NAMES = st.sampled_from(["a", "b", "foo", "x.py", "y.txt", "b c", "-d", "[e]"])
_PARTS = st.sampled_from(
    ["a", "b", "foo", "*", "**", "*.py", "?", "[a-f]*", "[!a]*", "x.*", "b c", "\\[e\\]"]
)
_LINE = st.builds(
    lambda negated, first, parts, last: negated + first + "/".join(parts) + last,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/", "**/"]),
    st.lists(_PARTS, min_size=1, max_size=3),
    st.sampled_from(["", "", "/", "/**", "/*", " "]),
)
_TREE = st.lists(
    st.lists(_NAMES, min_size=1, max_size=4).map("/".join), min_size=1, max_size=12
)
_IGNORES = st.dictionaries(
    st.sampled_from(["", "a/", "foo/", "a/b/"]),
    st.lists(_LINE, min_size=1, max_size=5),
    min_size=1,
    max_size=3,
)


@needs_git
@settings(max_examples=60)
@given(tree=_TREE, ignores=_IGNORES, excluded=st.lists(_LINE, max_size=2))
@example(tree=["foo/a", "foo/b"], ignores={"": ["foo/**", "!foo/a"]}, excluded=[])
@example(tree=["a/foo", "a/b"], ignores={"": ["a", "!a/"]}, excluded=[])
@example(tree=["a/a/a"], ignores={"": ["a/**/a"]}, excluded=["**/a/"])
@example(tree=["a/a", "a/b/a"], ignores={"": ["a/a"]}, excluded=["**/*/a"])
@example(tree=["a", "b/a"], ignores={"": ["x"]}, excluded=["**/*"])
@example(tree=["a", "b/a"], ignores={"": ["x"]}, excluded=["/**/**"])
def test_without_git_the_same_files_go(
    tmp_path_factory: pytest.TempPathFactory,
    tree: list[str],
    ignores: dict[str, list[str]],
    excluded: list[str],
) -> None:
    """What is read without git is what ``git ls-files`` lists, whatever the patterns."""
    folder = repository(tmp_path_factory.mktemp("law"))
    made = []
    for name in tree:
        place = folder / name
        if any(one.is_file() for one in place.parents) or place.exists():
            continue
        make(folder, {name: ""})
        made.append(name)
    for where, lines in ignores.items():
        if (folder / where).is_dir():
            make(folder, {f"{where}.gitignore": "\n".join(lines)})
    make(folder, {".git/info/exclude": "\n".join(excluded)})
    listed = git(folder, "ls-files", "-z", "--others", "--exclude-standard")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/nowhere")
        outgoing = decide(Asked(folder), Private(), lambda _: None)
    shutil.rmtree(folder)
    assert list(outgoing.files) == sorted(os.fsdecode(listed).split("\0")[:-1])
