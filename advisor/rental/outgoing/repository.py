"""What git says of a folder; where it cannot be asked, what its ignore files say.

A repository that came from elsewhere may name programs in its configuration: nothing that
git would run for it is run, and nothing is fetched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from advisor.base.errors import UsageError
from advisor.rental.outgoing.ignored import (
    DEFAULTS,
    GIT_IGNORE,
    NestedIgnores,
    default_patterns,
    read_patterns,
)
from advisor.rental.remote.channel import last_line

REPOSITORY = ".git"

_LONGEST_S = 300.0
_HARMLESS = (
    *("-c", "core.fsmonitor=false"),
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", "safe.bareRepository=explicit"),
)
"""Settings against programs that a repository names (git-config(1))."""

_KEPT_VARIABLES = frozenset(
    {
        "GIT_CEILING_DIRECTORIES",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_SYSTEM",
        "GIT_EXEC_PATH",
    }
)
"""Of the variables of git those that the user's set-up has. The others, such as the
``GIT_DIR`` that a hook finds, are about another repository."""


class Rules(Protocol):
    """Which files of a folder git would leave out."""

    def ignored_by(self, path: str, *, is_folder: bool) -> str | None:
        """Return what has an entry ignored; None: it is not.

        An entry in a folder that is ignored is not asked about.

        Parameters
        ----------
        path : relative to the folder, with ``/``
        """
        ...


@dataclass(frozen=True, slots=True)
class FileRules:
    """The rules by the ignore files alone; what git tracks is not known.

    Attributes
    ----------
    ignores : of the work tree that the folder is in, else of the folder
    prefix : path from there to the folder, ``""`` or with a slash at its end
    """

    ignores: NestedIgnores
    prefix: str = ""

    def ignored_by(self, path: str, *, is_folder: bool) -> str | None:
        """Return the file that has an entry ignored."""
        found = self.ignores.deciding(self.prefix + path, is_folder=is_folder)
        return None if found is None or found[0].negated else found[1]


@dataclass(frozen=True, slots=True)
class GitRules:
    """The rules as git itself applied them.

    Attributes
    ----------
    listed : files that are tracked, or neither tracked nor ignored; also folders that
        are repositories of their own
    folders : that hold some of them
    by_files : for a folder of which git says nothing, since no file of it would go
    """

    listed: frozenset[str]
    folders: frozenset[str]
    by_files: FileRules

    def ignored_by(self, path: str, *, is_folder: bool) -> str | None:
        """Return what has an entry ignored."""
        if path in self.listed or (is_folder and path in self.folders):
            return None
        if not is_folder:
            return "git"
        for folder in (*_above(path), path):
            if origin := self.by_files.ignored_by(folder, is_folder=True):
                return origin
        return None


def rules_of(folder: Path, notify: Callable[[str], None]) -> Rules:
    """Return the rules of a folder, by git if that can be.

    Parameters
    ----------
    folder : resolved
    notify : takes a line for people: why git could not be asked

    Raises
    ------
    UsageError
        if git does not answer, or an ignore file cannot be read
    """
    git = shutil.which("git")
    if git is None:
        return _by_files(folder, git)
    done = _ask(git, folder, "rev-parse", "--show-toplevel")
    if done.returncode != 0:
        if b"not a git repository" not in done.stderr:
            notify(_refused(folder, _reason(done.stderr)))
        return _by_files(folder, git)
    top = Path(os.fsdecode(done.stdout.removesuffix(b"\n"))).resolve()
    if not folder.is_relative_to(top):
        notify(_refused(folder, f"its work tree is {top}"))
        return _by_files(folder, git)
    by_files = _by_files(folder, git)
    done = _ask(
        git,
        folder,
        *("ls-files", "-z", "--cached", "--others"),
        # Before the others, which so are the stronger ones.
        f"--exclude-from={DEFAULTS}",
        "--exclude-standard",
    )
    if done.returncode != 0:
        notify(_refused(folder, _reason(done.stderr)))
        return by_files
    names = [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
    if not names:  # all of it is ignored, or it is itself
        return by_files
    listed = frozenset(name.rstrip("/") for name in names)
    folders = {one for name in listed for one in _above(name)}
    return GitRules(listed, frozenset(folders), by_files)


def _refused(folder: Path, why: str) -> str:
    return (
        f"git does not tell what it ignores in {folder} ({why}): its ignore files are "
        "read without it, and what it tracks all the same stays here"
    )


def _reason(stderr: bytes) -> str:
    """Return what git complained of in one line: its first words say the most."""
    return last_line(b" ".join(stderr.split())) or "it says no reason"


def _ask(git: str, folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name in _KEPT_VARIABLES
    }
    variables |= {
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        # Objects that a partial clone lacks are not fetched, by no program.
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
    }
    try:
        return subprocess.run(  # noqa: S603  (our own words, no shell)
            [git, *_HARMLESS, *words],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_LONGEST_S,
        )
    except subprocess.TimeoutExpired as error:
        message = (
            f"git does not tell within {_LONGEST_S:.0f} s what it ignores in {folder}: "
            "look what 'git ls-files --others --exclude-standard' waits for there"
        )
        raise UsageError(message) from error


def _by_files(folder: Path, git: str | None) -> FileRules:
    """Return the rules of the ignore files in a folder, and of those above it.

    Those above do not count where they ignore the folder itself: it was named.
    """
    above = (folder, *folder.parents)
    top = next((one for one in above if (one / REPOSITORY).exists()), folder)
    users = _users_file(git)
    upper = (
        read_patterns(
            top / REPOSITORY / "info" / "exclude", ".git/info/exclude", through=True
        ),
        read_patterns(users, str(users), through=True),
        default_patterns(),
    )
    known = tuple(one for one in upper if one is not None)
    prefix = "".join(f"{name}/" for name in folder.relative_to(top).parts)
    rules = FileRules(NestedIgnores(top, GIT_IGNORE, known))
    if any(rules.ignored_by(one, is_folder=True) for one in _above(prefix)):
        return FileRules(NestedIgnores(folder, GIT_IGNORE, known))
    return FileRules(rules.ignores, prefix)


def _users_file(git: str | None) -> Path:
    """Return where the user's own ignore file is (gitignore(5))."""
    if git is not None:
        words = ("config", "--type=path", "--get", "core.excludesFile")
        done = _ask(git, Path("/"), *words)
        if done.returncode == 0 and done.stdout.strip():
            return Path("/", os.fsdecode(done.stdout.removesuffix(b"\n")))
    settings = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(settings, "git", "ignore")


def _above(path: str) -> Iterator[str]:
    """Yield the folders that an entry is in, the outermost first."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
