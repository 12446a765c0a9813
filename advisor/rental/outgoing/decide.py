"""The one list of what leaves this machine."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from advisor.base.errors import Given, UsageError
from advisor.base.units import BYTES_PER_MB
from advisor.rental.outgoing.patterns import Pattern
from advisor.rental.outgoing.tokens import SecretText
from advisor.rental.outgoing.walk import (
    HELD_BACK,
    NEVER_SENT,
    Found,
    Identity,
    Left,
    Walk,
    entries_of,
    found_at,
    identity,
    leads_out,
)

_INCLUDES, _EXCLUDES = Given("includes"), Given("excludes")

MAX_SYNC_GB = 5.0
"""Most that goes unless the user allows more: an hour at 11 Mbit/s, so that a forgotten
data set or a folder of models shows before a machine waits for it; an assumption."""

Stamps = Mapping[str, tuple[int, int]]
"""Path of a file -> what changes when the file does."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be sent, as the user says it.

    Attributes
    ----------
    folder : here
    includes : patterns in the syntax of ``.gitignore`` of what goes although it is
        ignored; a secret goes if one names the file itself
    excludes : patterns of what stays
    written : folder in it that the job writes to, whose files go to its next machine
        even if they are ignored; ``""``: there is none
    before : of the files in `written`, those that the job has found there
    """

    folder: Path
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    written: str = ""
    before: Stamps | None = None


@dataclass(frozen=True, slots=True)
class Private:
    """What of this machine nobody is to get.

    Attributes
    ----------
    keys : texts of keys of markets; they show up nowhere
    folders : advisor's own
    home : the user's home folder, which is sent whole by mistake alone
    """

    keys: tuple[str, ...] = field(default=(), repr=False)
    folders: tuple[Path, ...] = ()
    home: Path | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What leaves this machine: this, and nothing else.

    Attributes
    ----------
    folder : here, resolved
    files : path -> bytes, links among them with 0
    folders : that are made there, also where nothing is in them
    left : what stays here, without what is in it
    named : secrets that go since `Asked.includes` names them, and what they are
    unused : patterns of `Asked.excludes` that match nothing
    before : files that the job has found in the folder that it writes to
    written_bytes : of the files, what the job itself wrote, by their names
    found : path of a file -> what was found there
    secrets : what no file may hold
    notify : takes a line for people
    """

    folder: Path
    files: Mapping[str, int]
    folders: tuple[str, ...]
    left: tuple[Left, ...]
    named: Mapping[str, str]
    unused: tuple[str, ...]
    before: Stamps
    written_bytes: int
    found: Mapping[str, Found] = field(repr=False)
    secrets: SecretText = field(repr=False, compare=False)
    notify: Callable[[str], None] = field(repr=False, compare=False)

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(self.files.values())

    @property
    def held_back(self) -> tuple[Left, ...]:
        """What stays here although nobody said so: secrets, links that lead out."""
        return tuple(one for one in self.left if one.kind in HELD_BACK)

    @property
    def ignored(self) -> tuple[Left, ...]:
        """What stays here because an ignore file or an option says so."""
        return tuple(one for one in self.left if one.kind not in HELD_BACK)

    def has(self, path: str) -> bool:
        """Say whether a file or folder of this name will be there."""
        return path in self.files or path in self.folders or path == "."

    def left_at(self, path: str) -> Left | None:
        """Return what has an entry stay here, None if nothing does."""
        parts = path.split("/")
        above = {"/".join(parts[:count]) for count in range(1, len(parts) + 1)}
        return next((one for one in self.left if one.path in above), None)


def decide(
    asked: Asked,
    private: Private,
    notify: Callable[[str], None],
    allow: Callable[[Outgoing], None] | None = None,
) -> Outgoing:
    """Return what leaves this machine.

    Each file is read at most once, most of them whole, for the texts of secrets.

    Parameters
    ----------
    notify : takes a line for people
    allow : given what would go by the names alone, before anything is read; raises if
        that is not to be

    Raises
    ------
    UsageError
        if the folder or a file in it cannot be read, or a pattern is none or includes
        nothing
    """
    if not asked.folder.is_dir():
        message = f"there is no folder {asked.folder} to copy to the machine"
        raise UsageError(message)
    folder = asked.folder.resolve()
    includes = _patterns(asked.includes, folder, _INCLUDES)
    excludes = _patterns(asked.excludes, folder, _EXCLUDES)
    if both := {one.text for one in includes} & {one.text for one in excludes}:
        raise UsageError(
            *(_INCLUDES, " and ", _EXCLUDES, f" are both given {min(both)!r}")
        )
    walk = Walk(folder, includes, excludes, private.folders, notify)
    walk.run()
    _check_used(includes, walk)
    there = {one.path: one for one in _all_in(folder, asked.written, walk.own)}
    before = asked.before
    if before is None:
        before = {path: one.stamp for path, one in there.items()}
    written = {path: one for path, one in there.items() if before.get(path) != one.stamp}
    found = written | {one.path: one for one in walk.found}
    left = (one for one in walk.left if not (written and _within(one, asked.written)))
    by_name = Outgoing(
        folder=folder,
        files={path: found[path].size for path in sorted(found)},
        folders=tuple(sorted(walk.folders)),
        left=tuple(sorted(left, key=lambda one: one.path)),
        named={},
        unused=tuple(one.text for one in excludes if one not in walk.hits),
        before=before,
        written_bytes=sum(one.size for one in written.values()),
        found=found,
        secrets=SecretText(private.keys),
        notify=notify,
    )
    if allow is not None:
        allow(by_name)
    return _without_secrets(by_name)


def as_it_is_now(outgoing: Outgoing) -> Outgoing:
    """Return what goes of what was decided: minutes may lie between, till a machine runs.

    A file that has changed is read again; one that has gone, or holds a secret by now,
    stays here, and so does one that a link leads elsewhere. What is new stays, too.

    Raises
    ------
    UsageError
        if a file cannot be read
    """
    found = dict(_found_now(outgoing))
    changed = {path for path, one in found.items() if one != outgoing.found[path]}
    names = {path: why for path, why in outgoing.named.items() if path in found}
    files = {path: one.size for path, one in found.items()}
    left = list(outgoing.left)
    for path in sorted(changed):
        why = _secret_in(outgoing.folder, found[path], outgoing.secrets)
        if why and found[path].named:
            names[path] = why
        elif why:
            outgoing.notify(f"{path} has changed since and stays here: {why}")
            del files[path], found[path]
            changed.remove(path)
            left.append(Left(path, "secret", why))
    gone = len(outgoing.files) - len(files)
    if changed or gone:
        size = sum(files.values()) / BYTES_PER_MB
        outgoing.notify(
            f"{len(changed):,} files have changed since and {gone:,} are left out: "
            f"{len(files):,} files, {size:,.1f} MB, go"
        )
    in_order = tuple(sorted(left, key=lambda one: one.path))
    folders = tuple(
        one for one in outgoing.folders if _is_straight(outgoing.folder / one)
    )
    return replace(
        outgoing, files=files, folders=folders, left=in_order, named=names, found=found
    )


def _found_now(outgoing: Outgoing) -> Iterator[tuple[str, Found]]:
    """Yield what is still a file or a link that may go, of what was to go."""
    folder, straight = outgoing.folder, dict[Path, bool]()
    for path in outgoing.files:
        place, before = folder / path, outgoing.found[path]
        above = place.parent
        if above not in straight:
            straight[above] = _is_straight(above)
        with suppress(FileNotFoundError, NotADirectoryError):
            status = place.lstat()
            one = found_at(status, path, named=before.named, secret=before.secret)
            if one.is_link:
                may_go = not leads_out(str(place), folder)
            else:
                may_go = stat.S_ISREG(status.st_mode)
            if may_go and straight[above]:
                yield path, one


def _is_straight(folder: Path) -> bool:
    """Say whether a folder is there and none on the way to it has become a link."""
    return folder.is_dir() and os.path.realpath(folder) == str(folder)


def _without_secrets(by_name: Outgoing) -> Outgoing:
    """Return what goes once the files have been read, too."""
    files, named = dict(by_name.files), dict[str, str]()
    left, found = list(by_name.left), by_name.found
    for path in by_name.files:
        why = _secret_in(by_name.folder, found[path], by_name.secrets)
        if why and found[path].named:
            named[path] = why
        elif why:
            del files[path]
            left.append(Left(path, "secret", why))
    in_order = tuple(sorted(left, key=lambda one: one.path))
    return replace(by_name, files=files, left=in_order, named=named)


def _secret_in(folder: Path, one: Found, secrets: SecretText) -> str:
    """Return what of a file is a secret, ``""`` if nothing is."""
    if one.is_link:
        return ""
    try:
        by_text = secrets.found_in(folder / one.path, one.size)
    except FileNotFoundError:  # it has gone meanwhile
        return ""
    except OSError as error:
        raise UsageError(
            f"{folder / one.path} cannot be read ({error.strerror}): mend that, or ",
            *("leave it out with ", _EXCLUDES),
        ) from error
    return ", ".join(filter(None, (one.secret, by_text)))


def _all_in(folder: Path, inner: str, own: AbstractSet[Identity]) -> Iterator[Found]:
    """Yield all files in a folder of the folder, and links that stay in that.

    Parameters
    ----------
    own : folders that are advisor's
    """
    if not inner or (folder / inner).is_symlink():
        return
    waiting = [inner]
    while waiting:
        above = waiting.pop()
        for entry in entries_of(folder / above):
            path = f"{above}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                is_own = identity(Path(entry.path)) in own
                if entry.name not in NEVER_SENT and not is_own:
                    waiting.append(path)
            elif entry.is_symlink():
                if not leads_out(entry.path, folder):
                    yield found_at(entry.stat(follow_symlinks=False), path)
            elif entry.is_file():
                yield found_at(entry.stat(follow_symlinks=False), path)


def _within(one: Left, folder: str) -> bool:
    return one.path == folder or one.path.startswith(f"{folder}/")


def _patterns(texts: Iterable[str], folder: Path, of: Given) -> tuple[Pattern, ...]:
    """Return patterns of the user's, where a path may also be a whole one."""
    found = []
    for text in texts:
        own = text.removeprefix(f"{folder}/")
        bare = own.removeprefix("./")
        if bare.startswith("!") or not bare.strip("/ "):
            raise UsageError(
                of, f" {text!r}: a pattern as in .gitignore, without !, is expected"
            )
        anchored = f"/{bare}" if bare != text and not bare.startswith("/") else bare
        found.append(Pattern.parse(anchored))
    return tuple(found)


def _check_used(includes: Sequence[Pattern], walk: Walk) -> None:
    """Refuse a pattern that was to bring something back and does not.

    Raises
    ------
    UsageError
        with the nearest name
    """
    for one in includes:
        for place in walk.left:
            if place.kind in ("link", "special", "own") and _names(one, place):
                raise UsageError(
                    _INCLUDES, f" {one.text!r}: {place.path} stays here: {place.why}"
                )
        if one not in walk.hits:
            names = {place.path.rpartition("/")[2]: place.path for place in walk.left}
            last = one.text.rstrip("/").rpartition("/")[2]
            near = difflib.get_close_matches(last, names, 1)
            hint = (
                "; only a path leads into a folder that is ignored or holds secrets, as "
                "'data/*.bin'"
            )
            if near:
                hint = f": did you mean {names[near[0]]!r}?"
            raise UsageError(_INCLUDES, f" {one.text!r} matches nothing{hint}")


def _names(pattern: Pattern, place: Left) -> bool:
    """Say whether a pattern is about what stays here whatever is said, or is in that."""
    is_folder = place.kind == "own"
    if is_folder and pattern.leads_into(place.path):
        return True
    return pattern.is_specific and pattern.matches(place.path, is_folder=is_folder)
