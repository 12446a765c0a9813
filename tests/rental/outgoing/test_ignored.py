"""Ignore files say what stays: read by git where it is, and else as git reads them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.rental.outgoing.decide import Asked, Outgoing, Private, decide

Decide = Callable[..., Outgoing]


@pytest.fixture(params=["git", "library"])
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Decide:
    """Return what decides, with git at hand and without it."""
    if request.param == "git":
        request.getfixturevalue("git")

    def decided(folder: Path, **asked: Any) -> Outgoing:
        with monkeypatch.context() as patch:
            if request.param == "library":
                patch.setenv("PATH", "/nowhere")
            return decide(Asked(folder, **asked), Private(), lambda _: None)

    return decided


def repository(folder: Path) -> Path:
    """Make what git takes for a repository, also where there is no git."""
    (folder / ".git" / "info").mkdir(parents=True)
    (folder / ".git" / "objects").mkdir()
    (folder / ".git" / "refs").mkdir()
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
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
    "classes of characters, and what is no pattern": (
        {
            ".gitignore": "[[:digit:]]*\n*.[[:upper:][:space:]_]\nq[![:alpha:]]\n"
            "[:x:]y\n[[:foo:]]z\n*[[:punct:]]\n[\nend\\\n",
            **dict.fromkeys(("1", "1a", "a.B", "a._", "a. ", "q1", "xy", ":y", "n~"), ""),
            **dict.fromkeys(("a", "a.b", "b1", "fz", "n", "qa", "z", "["), ""),
        },
        ["a", "a.b", "b1", "fz", "n", "qa", "z"],
    ),
    "classes of what is printed": (
        {
            ".gitignore": "g[[:graph:]]\np[[:print:]]\nc[[:cntrl:]]\nn[![:graph:]]\n",
            **dict.fromkeys(("g!", "ga", "g[", "p ", "p~", "c\t", "n "), ""),
            **dict.fromkeys(("g ", "g\t", "p\t", "c ", "ca", "n!"), ""),
        },
        ["c ", "ca", "g\t", "g ", "n!", "p\t"],
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
    by: Decide,
    make: Callable[..., Path],
    tmp_path: Path,
    files: Mapping[str, str],
    expected: list[str],
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


@settings(max_examples=60)
@given(tree=_TREE, ignores=_IGNORES, excluded=st.lists(_LINE, max_size=2))
@example(tree=["foo/a", "foo/b"], ignores={"": ["foo/**", "!foo/a"]}, excluded=[])
@example(tree=["a/foo", "a/b"], ignores={"": ["a", "!a/"]}, excluded=[])
@example(tree=["a/a/a"], ignores={"": ["a/**/a"]}, excluded=["**/a/"])
@example(tree=["a/a", "a/b/a"], ignores={"": ["a/a"]}, excluded=["**/*/a"])
@example(tree=["a", "b/a"], ignores={"": ["x"]}, excluded=["**/*"])
@example(tree=["a", "b/a"], ignores={"": ["x"]}, excluded=["/**/**"])
def test_without_git_the_same_files_go(
    make: Callable[..., Path],
    git: Callable[..., bytes],
    tmp_path_factory: pytest.TempPathFactory,
    tree: list[str],
    ignores: dict[str, list[str]],
    excluded: list[str],
) -> None:
    """What is read without git is what ``git ls-files`` lists, whatever the patterns."""
    folder = repository(tmp_path_factory.mktemp("law"))
    for name in tree:
        place = folder / name
        if any(one.is_file() for one in place.parents) or place.exists():
            continue
        make(folder, {name: ""})
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


def test_patterns_of_the_user_and_of_the_repository_count(
    by: Decide, make: Callable[..., Path], tmp_path: Path
) -> None:
    """``.git/info/exclude`` and the user's own file; a file of the project overrules."""
    make(tmp_path / "home", {".config/git/ignore": "*.mine\n*.kept\n"})
    folder = make(
        repository(tmp_path / "p"),
        {
            ".git/info/exclude": "*.own\n",
            ".gitignore": "!*.kept\n",
            **dict.fromkeys(("a.mine", "a.own", "a.kept", "sub/b.own", "train.py"), ""),
        },
    )
    assert paths(by(folder)) == ["a.kept", "train.py"]


def test_a_folder_in_a_repository_keeps_the_rules_above_it(
    by: Decide, make: Callable[..., Path], tmp_path: Path
) -> None:
    """Those of all folders up to the repository's own."""
    top = make(
        repository(tmp_path / "p"),
        {
            ".gitignore": "*.log\n/exp/one/data\n",
            "exp/.gitignore": "*.tmp\n",
            **dict.fromkeys(("exp/one/a.log", "exp/one/a.tmp", "exp/one/data"), ""),
            **dict.fromkeys(("exp/one/sub/data", "exp/one/train.py", "other"), ""),
        },
    )
    assert paths(by(top / "exp" / "one")) == ["sub/data", "train.py"]


def test_a_folder_that_is_ignored_itself_is_sent_by_its_own_rules(
    by: Decide, make: Callable[..., Path], tmp_path: Path
) -> None:
    """As where the home folder is a repository that ignores all: it was named."""
    make(repository(tmp_path / "p"), {".gitignore": "*\n"})
    folder = make(
        tmp_path / "p" / "work" / "proj",
        {".gitignore": "*.log\n", "a.log": "", "train.py": ""},
    )
    assert paths(by(folder)) == ["train.py"]


def test_an_ignored_folder_is_not_looked_into(
    by: Decide, make: Callable[..., Path], tmp_path: Path, looked: list[str]
) -> None:
    """However large it is, it costs no time; neither does one that is left out so."""
    folder = make(
        repository(tmp_path / "p"),
        {
            ".gitignore": "data/\n",
            **dict.fromkeys(("data/a/b", "node_modules/a/b", "src/a", "out/x"), ""),
        },
    )
    outgoing = by(folder, excludes=("out",))
    assert paths(outgoing) == ["src/a"]
    assert {one.path: one.why for one in outgoing.ignored} == {
        "data": ".gitignore",
        "node_modules": "default",
        "out": "a pattern of yours",
    }
    assert looked == [str(folder), str(folder / "src")]


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the folders that were listed, as the system was asked."""
    seen: list[str] = []
    scandir = os.scandir

    def spy(path: Any) -> Any:
        seen.append(str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", spy)
    return seen


def test_options_are_the_strongest(
    by: Decide, make: Callable[..., Path], tmp_path: Path
) -> None:
    """Of two that name the same the one that brings it; of folder and file the file."""
    folder = make(
        repository(tmp_path / "p"),
        {
            ".gitignore": "data/\nbig/\n*.pt\n",
            ".advisorignore": "notes/\n",
            **dict.fromkeys(("data/a", "data/raw/b", "big/a/b", "big/c", "a.pt"), ""),
            **dict.fromkeys(("init.pt", "notes/n", "src/x.tmp", "src/a.py"), ""),
        },
    )
    includes = ("data/", "big/a/*", "init.pt", "notes")
    outgoing = by(folder, includes=includes, excludes=("/data/raw", "*.tmp", "src/no"))
    assert paths(outgoing) == ["big/a/b", "data/a", "init.pt", "notes/n", "src/a.py"]
    assert outgoing.unused == ("src/no",)
    whole = by(folder, includes=(f"{folder}/big/c", "./init.pt"), excludes=("data",))
    assert paths(whole) == ["big/c", "init.pt", "src/a.py", "src/x.tmp"]


def test_links_stay_links_and_lead_nowhere_else(
    by: Decide, make: Callable[..., Path], tmp_path: Path
) -> None:
    """One that leads out is named and not followed; neither is a pipe sent."""
    make(tmp_path / "elsewhere", {"secret": "s", "sub/x": ""})
    folder = make(repository(tmp_path / "p"), {"sub/a": "aaa", ".gitignore": "no\n"})
    for name, target in {
        "in": "sub/a",
        "sub/up": "../sub",
        "out": "../elsewhere",
        "file": "../elsewhere/secret",
        "whole": str(folder / "sub"),
        "again": "out",
        "no": "sub",
    }.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe")
    outgoing = by(folder)
    assert outgoing.files == {".gitignore": 3, "in": 0, "sub/a": 3, "sub/up": 0}
    kinds = {one.path: one.kind for one in outgoing.held_back}
    links = dict.fromkeys(("again", "file", "out", "whole"), "link")
    assert kinds == {**links, "pipe": "special"}
    with pytest.raises(UsageError, match="out stays here: a link that leads out"):
        by(folder, includes=("out",))


def test_empty_folders_are_made(
    by: Decide, make: Callable[..., Path], tmp_path: Path
) -> None:
    """Programs write into them; git itself would not list them."""
    folder = make(repository(tmp_path / "p"), {".gitignore": "*.log\n", "logs/a.log": ""})
    (folder / "empty" / "in it").mkdir(parents=True)
    outgoing = by(folder)
    assert outgoing.folders == ("empty", "empty/in it", "logs")


def test_an_ignore_file_that_is_none_counts_for_nothing(
    by: Decide, make: Callable[..., Path], tmp_path: Path
) -> None:
    """A folder of that name, and a link, through which git reads nothing either."""
    folder = make(repository(tmp_path / "p"), {"rules": "*\n", "sub/a": "", "b/c": ""})
    (folder / ".gitignore").symlink_to("rules")
    (folder / "sub" / ".gitignore").mkdir()
    assert set(by(folder).files) == {".gitignore", "b/c", "rules", "sub/a"}


def test_our_own_file_counts_in_whatever_guise(
    by: Decide, make: Callable[..., Path], tmp_path: Path
) -> None:
    """Read through a link; what cannot be read so would ignore nothing: refused."""
    files = {"rules": "data/\n", "data/x": "", "a": ""}
    folder = make(repository(tmp_path / "p"), files)
    ours = folder / ".advisorignore"
    ours.symlink_to("rules")
    assert "data/x" not in by(folder).files
    ours.unlink()
    ours.symlink_to("nowhere")
    with pytest.raises(UsageError, match="is no file"):
        by(folder)
    ours.unlink()
    ours.mkdir()
    with pytest.raises(UsageError, match="is no file"):
        by(folder)
    ours.rmdir()
    for code in ("utf-16", "utf-16-be"):
        ours.write_bytes("\ufeffdata/\n".encode(code))
        with pytest.raises(UsageError, match="save it as UTF-8"):
            by(folder)
    ours.write_bytes("data/\r\n".encode("utf-8-sig"))
    assert "data/x" not in by(folder).files


def test_an_include_that_brings_nothing_is_refused(
    by: Decide, make: Callable[..., Path], tmp_path: Path
) -> None:
    """A job would lack what its user has asked for."""
    files = {".gitignore": "data/\n", "data/x.bin": "", ".env": "A=1\n", "a": ""}
    folder = make(repository(tmp_path / "p"), files)
    with pytest.raises(
        UsageError, match=r"'\.evn' matches nothing: did you mean '\.env'"
    ):
        by(folder, includes=(".evn",))
    with pytest.raises(
        UsageError, match=r"only a path leads into a folder that is ignored or holds"
    ):
        by(folder, includes=("*.bin",))
    for pattern in ("!a", "", " ", "/"):
        with pytest.raises(UsageError, match=r"a pattern as in \.gitignore"):
            by(folder, excludes=(pattern,))
    with pytest.raises(UsageError, match="both given 'a'"):
        by(folder, includes=("a",), excludes=("a",))


def test_an_ignore_file_that_cannot_be_read_is_told(by: Decide, tmp_path: Path) -> None:
    """What it ignores must not go."""
    users = tmp_path / "home" / ".config" / "git"
    users.mkdir(parents=True)
    (users / "ignore").symlink_to("ignore")
    (tmp_path / "p").mkdir()
    with pytest.raises(UsageError, match="says what must not be sent and cannot be read"):
        by(tmp_path / "p")


def test_a_link_is_an_ignore_file_where_git_takes_it_for_one(
    by: Decide, make: Callable[..., Path], tmp_path: Path
) -> None:
    """Not in a work tree, where nobody knows what it leads to; else it is."""
    folder = make(repository(tmp_path / "p"), dict.fromkeys(("a.x", "a.y", "a"), ""))
    make(tmp_path, {"one": "*.x\n", "two": "*.y\n"})
    (folder / ".gitignore").symlink_to(tmp_path / "one")
    (folder / ".git" / "info" / "exclude").symlink_to(tmp_path / "two")
    assert paths(by(folder)) == ["a", "a.x"]
