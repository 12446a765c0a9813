"""The tree of a folder, and which of it goes by the rules of names alone.

Three layers decide about an entry, the strongest first, each by its own name:

2. the user: `Asked.includes`, then `Asked.excludes`;
1. ``.advisorignore``, the nearest file first;
0. git's rules (`repository`), the weakest of them what is left out by default.

What decides about a folder holds for all in it of which no layer says something itself.
A folder that does not go is entered only where a pattern with a slash names something in
it, so that its size costs no time.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from advisor.base.errors import Given, UsageError
from advisor.rental.incoming.names import INCOMING
from advisor.rental.outgoing.ignored import OWN_IGNORE, NestedIgnores
from advisor.rental.outgoing.patterns import Pattern
from advisor.rental.outgoing.repository import REPOSITORY, Rules, rules_of
from advisor.rental.outgoing.secret_names import secret_file, secret_folder

Kind = Literal["ignored", "excluded", "secret", "own", "link", "special"]

HELD_BACK: frozenset[Kind] = frozenset({"secret", "own", "link", "special"})
"""Kinds of what stays here although nobody has said so."""


Identity = tuple[int, int]
"""What a folder is known by, however it is reached: device and number."""

NEVER_SENT = frozenset({REPOSITORY, INCOMING})
"""Names of folders that go to no machine, which nobody is told of."""

HISTORY = "a whole history of git"
"""What is said of a repository that has no work tree: it has what was ever committed,
packed so that no search sees into it."""


@dataclass(frozen=True, slots=True)
class Left:
    """Something that stays here, with all that is in it.

    Attributes
    ----------
    path : relative to the folder that is sent, with ``/``
    kind : *own* is advisor's; *special* is neither file, folder nor link
    why : in words, without any text of it
    """

    path: str
    kind: Kind
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """A file or a link that goes, as far as its name tells.

    Attributes
    ----------
    path : relative to the folder that is sent, with ``/``
    size : bytes; of a link 0
    is_link : it is sent as one
    named : `Asked.includes` names it, so that it goes even if it is a secret
    secret : what it is by its name, ``""`` if that tells no secret
    stamp : changes when the file does
    """

    path: str
    size: int
    is_link: bool
    named: bool
    secret: str
    stamp: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _State:
    """How it stands with a folder.

    Attributes
    ----------
    goes : what is in it goes unless something says otherwise
    level : layer that decided
    rules : of git; None in a folder that was brought back, where all goes, and in one
        that does not go
    prefix : path of the folder that `rules` are about, ``""`` or with a slash at its end
    door : name of the folder of secrets that it is, or is in; ``""``: there is none
    secret : what that holds
    named : `Asked.includes` names that folder, and so all in it
    """

    goes: bool
    level: int
    rules: Rules | None = None
    prefix: str = ""
    door: str = ""
    secret: str = ""
    named: bool = False

    def lets(self, include: Pattern) -> bool:
        """Say whether a pattern may bring back what is in it.

        Secrets do not come with others: it has to name their folder.
        """
        if not self.door or self.named:
            return True
        return include.leads_through(self.door, _tells_folder)


_OUT = _State(goes=False, level=2)


class Walk:
    """A walk through a folder; it is made once, by `run`.

    Parameters
    ----------
    root : the folder, resolved
    includes, excludes : patterns of the command line
    own : folders that are advisor's
    notify : takes a line for people

    Attributes
    ----------
    found : files and links that go
    folders : that go, also empty ones
    left : what stays here
    hits : patterns of the command line that matched something
    own : folders that are advisor's, as far as they are there
    """

    def __init__(
        self,
        root: Path,
        includes: Sequence[Pattern],
        excludes: Sequence[Pattern],
        own: Sequence[Path],
        notify: Callable[[str], None],
    ) -> None:
        self.found: list[Found] = []
        self.folders: list[str] = []
        self.left: list[Left] = []
        self.hits: set[Pattern] = set()
        self._root = root
        self._includes = includes
        self._excludes = excludes
        self.own = {known for one in own if (known := identity(one)) is not None}
        self._notify = notify
        self._ignores = NestedIgnores(root, OWN_IGNORE)

    def run(self) -> None:
        """Look at everything that may go.

        Raises
        ------
        UsageError
            if a folder or an ignore file cannot be read
        """
        rules = rules_of(self._root, self._notify)
        waiting = [("", _State(goes=True, level=0, rules=rules))]
        while waiting:
            folder, state = waiting.pop()
            entered = []
            for entry in entries_of(self._root / folder):
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.name in NEVER_SENT:
                    continue
                with suppress(FileNotFoundError):  # it has gone meanwhile
                    inner = self._look_at(entry, path, state)
                    if inner is not None:
                        entered.append((path, inner))
            waiting += reversed(entered)

    def _look_at(
        self, entry: os.DirEntry[str], path: str, above: _State
    ) -> _State | None:
        """Look at an entry; return how it stands with it if it is to be entered."""
        is_folder = entry.is_dir(follow_symlinks=False)
        if not (is_folder or entry.is_symlink() or entry.is_file()):
            if above.goes:  # git does not list it
                self._leave(path, "special", "neither file, folder nor link")
            return None
        includes = [one for one in self._includes if above.lets(one)]
        included = self._matching(includes, path, is_folder=is_folder)
        state, why = self._decided(
            path, above, is_folder=is_folder, included=bool(included)
        )
        if not state.goes and above.goes:
            self._leave(path, "excluded" if state.level == 2 else "ignored", why)
        if is_folder:
            inner = replace(
                state, door=above.door, secret=above.secret, named=above.named
            )
            return self._folder(entry, path, inner, included)
        if state.goes:
            self._file(entry, path, included, above)
        return None

    def _decided(
        self, path: str, above: _State, *, is_folder: bool, included: bool
    ) -> tuple[_State, str]:
        """Return how it stands with an entry, and what leaves it out."""
        excluded = self._matching(self._excludes, path, is_folder=is_folder)
        if included:
            return _State(goes=True, level=2), ""
        if excluded:
            return _OUT, "a pattern of yours"
        own = None
        if above.goes or above.level == 0:
            own = self._ignores.deciding(path, is_folder=is_folder)
        if own is not None and not own[0].negated:
            return _State(goes=False, level=1), own[1]
        by = None
        if above.rules is not None:
            inner = path[len(above.prefix) :]
            by = above.rules.ignored_by(inner, is_folder=is_folder)
        if by is None and (above.goes or own is None):
            return above, ""
        if own is not None:
            return _State(goes=True, level=1), ""
        return _State(goes=False, level=0), by or ""

    def _folder(
        self,
        entry: os.DirEntry[str],
        path: str,
        state: _State,
        included: Sequence[Pattern],
    ) -> _State | None:
        """Return how it stands with a folder, None if it is not to be entered."""
        if self.own and identity(Path(entry.path)) in self.own:
            self._leave(path, "own", "advisor's own folder")
            return None
        secret = secret_folder(entry.name, _last(path.rpartition("/")[0]))
        if not secret and _is_bare_repository(entry.path):
            secret = HISTORY
        if state.door:  # what names something in a folder of secrets means it
            state = replace(state, named=state.named or bool(included))
        elif secret:
            named = any(one.means(entry.name, _tells_folder) for one in included)
            if state.goes and not named:
                self._leave(path, "secret", secret)
            state = state if named else _OUT
            state = replace(state, door=entry.name, secret=secret, named=named)
        if not state.goes:
            return state if self._leads_into(path, state) else None
        self.folders.append(path)
        if state.rules is not None and os.path.lexists(f"{entry.path}/{REPOSITORY}"):
            rules = rules_of(Path(entry.path), self._notify)
            state = replace(state, rules=rules, prefix=f"{path}/")
        return state

    def _leads_into(self, path: str, state: _State) -> bool:
        """Say whether a pattern names something in a folder that does not go."""
        if any(one.leads_into(path) and state.lets(one) for one in self._includes):
            return True
        return state.level == 0 and any(
            line.negated and line.leads_into(path[len(prefix) :])
            for prefix, patterns in self._ignores.lists(path.rpartition("/")[0])
            for line in patterns.lines
        )

    def _file(
        self,
        entry: os.DirEntry[str],
        path: str,
        included: Sequence[Pattern],
        above: _State,
    ) -> None:
        """Note what is no folder, as far as it goes.

        Where its name tells a secret, a pattern such as ``.env*`` names it; where its
        text does, only its whole name is one: ``*.py`` is not said of secrets.
        """
        folder = _last(path.rpartition("/")[0])

        def tells(name: str) -> str:
            return secret_file(name, folder)

        secret = tells(entry.name) or above.secret
        named = above.named or bool(above.door and included)
        meant = named or any(one.means(entry.name, tells) for one in included)
        if entry.is_symlink() and (why := leads_out(entry.path, self._root)):
            self._leave(path, "link", why)
        elif secret and not meant:
            self._leave(path, "secret", secret)
        else:
            named |= bool(secret) or any(one.is_literal for one in included)
            status = entry.stat(follow_symlinks=False)
            self.found.append(found_at(status, path, named=named, secret=secret))

    def _matching(
        self, patterns: Sequence[Pattern], path: str, *, is_folder: bool
    ) -> list[Pattern]:
        """Return the patterns of the command line that match an entry; note them."""
        if not patterns:
            return []
        found = [one for one in patterns if one.matches(path, is_folder=is_folder)]
        self.hits.update(found)
        return found

    def _leave(self, path: str, kind: Kind, why: str) -> None:
        self.left.append(Left(path, kind, why))


def entries_of(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder, by name; nothing if it has gone.

    Raises
    ------
    UsageError
        if it cannot be read
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be read ({error.strerror}): mend that, or leave it out ",
            *("with ", Given("excludes")),
        ) from error


def found_at(
    status: os.stat_result, path: str, *, named: bool = False, secret: str = ""
) -> Found:
    """Return a file or a link, whose own status was asked for."""
    is_link = stat.S_ISLNK(status.st_mode)
    stamp = (status.st_size, status.st_mtime_ns)
    size = 0 if is_link else status.st_size
    return Found(path, size, is_link, named, secret, stamp)


def leads_out(link: str, root: Path) -> str:
    """Return why a link is not sent, ``""`` if it leads to something in the folder."""
    if Path(link).readlink().is_absolute():
        return "a link to an absolute path, which is not followed"
    if not Path(os.path.realpath(link)).is_relative_to(root):
        return "a link that leads out of the folder, which is not followed"
    return ""


def identity(folder: Path) -> Identity | None:
    """Return what a folder is known by, however it is reached."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_bare_repository(folder: str) -> bool:
    """Say whether a folder is what a ``.git`` is, as git itself sees that."""
    inner = ("HEAD", "objects", "refs")
    return all(os.path.lexists(os.path.join(folder, one)) for one in inner)  # noqa: PTH118


def _tells_folder(name: str) -> str:
    """Return what a folder of this name holds wherever it is, ``""`` if no secret."""
    return secret_folder(name, "")


def _last(folder: str) -> str:
    return folder.rpartition("/")[2]
