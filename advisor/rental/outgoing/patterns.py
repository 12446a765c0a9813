"""Lines in the syntax of ``.gitignore``, as git reads them (gitignore(5)).

The globs are translated by `pathspec`. Which of them decides is settled here, an entry at
a time and by its own name, as git does it: a spec of pathspec is asked about whole paths
and takes ``foo/**`` for the folder ``foo`` as well, after which no ``!foo/kept`` helps.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from pathspec import GitIgnoreSpec

_NOTHING = re.compile(r"(?!)")
_ANYTHING = re.compile(r"(?s).*")
_WILD = "*?["
_CLASS = re.compile(r"(\[[^][]*)\[:([a-z]*):\]")
_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \t",
    "cntrl": "\x01-\x1f\x7f",
    "digit": "0-9",
    "graph": '"-.!0-~',
    "lower": "a-z",
    "print": " -.0-~",
    "punct": '"-.!:-@[-`{-~',
    "space": " \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
"""What they stand for inside of brackets (POSIX.1-2017, 9.3.5, in the C locale, as git
has it), but for the slash, which no bracket matches; pathspec does not know them."""

_WILDCARD = re.compile(r"\*|\?|\[[^]]*\]?")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line.

    Attributes
    ----------
    text : as it was written
    negated : it takes back what lines before it ignore
    folders_only : it ends in a slash
    glob : of the whole path if it has another slash, else of the last name
    parts : of a pattern with such a slash, its names; else empty
    """

    text: str
    negated: bool
    folders_only: bool
    glob: re.Pattern[str]
    parts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, *, negated: bool = False) -> Self:
        """Return a pattern whose ``!`` has been taken off."""
        bare = text.removesuffix("/")
        glob = _simplified(bare)
        parts = tuple(glob.strip("/").split("/")) if "/" in glob else ()
        return cls(text, negated, bare != text, _translated(glob), parts)

    def matches(self, path: str, *, is_folder: bool) -> bool:
        """Say whether it is about this very entry, not one above it."""
        if self.folders_only and not is_folder:
            return False
        seen = path if self.parts else path.rpartition("/")[2]
        return self.glob.fullmatch(seen) is not None

    def leads_into(self, folder: str) -> bool:
        """Say whether it names something in a folder: then its path begins so."""
        names = folder.split("/")
        for part, name in zip(self.parts, names, strict=False):
            if part == "**":
                return True
            if not _translated(part).fullmatch(name):
                return False
        return len(self.parts) > len(names)

    def means(self, name: str, tells: Callable[[str], str]) -> bool:
        """Say whether it is about this name on purpose, given that it matches.

        Parameters
        ----------
        name : the last one of what it matches
        tells : returns what of a name is a secret, ``""`` if nothing is
        """
        return _means(self._last, name, tells)

    def leads_through(self, name: str, tells: Callable[[str], str]) -> bool:
        """Say whether it names a folder of this name on purpose, as `means` has it."""
        return any(_means(one, name, tells) for one in self.parts)

    @property
    def is_specific(self) -> bool:
        """Whether its last name is more than a wildcard."""
        return bool(self._last.strip("*?"))

    @property
    def is_literal(self) -> bool:
        """Whether its last name is a name, without a wildcard."""
        return not set(_WILD) & set(self._last)

    @property
    def _last(self) -> str:
        return self.text.rstrip("/").rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Patterns:
    """The lines of one file, or of one option of the command line.

    Attributes
    ----------
    lines : the first one first
    origin : where they are from, for people
    """

    lines: tuple[Pattern, ...]
    origin: str

    @classmethod
    def of_file(cls, text: str, origin: str) -> Self:
        """Return the lines of a file; what git takes for no pattern is left out."""
        found = (_line(line) for line in text.removeprefix("\ufeff").split("\n"))
        return cls(tuple(one for one in found if one is not None), origin)

    def deciding(self, path: str, *, is_folder: bool) -> Pattern | None:
        """Return the line that decides about an entry: the last one that matches."""
        for line in reversed(self.lines):
            if line.matches(path, is_folder=is_folder):
                return line
        return None


def _line(line: str) -> Pattern | None:
    line = line.removesuffix("\r")
    if line.startswith("#"):
        return None
    while line.endswith(" ") and not line.endswith("\\ "):
        line = line[:-1]
    negated = line.startswith("!")
    line = line[1:] if negated else line
    if not line or line == "/":
        return None
    return Pattern.parse(line, negated=negated)


def _simplified(bare: str) -> str:
    """Return a pattern of the same meaning without the stars that say nothing."""
    bare = re.sub(r"(?<![^/])(?:\*\*/)+(?=\*\*(?:/|$))", "", bare)
    if re.match(r"/\*\*(?:/|$)", bare):
        bare = bare[1:]
    # What may lie in any folder is said by its name alone, too.
    return bare[3:] if re.fullmatch(r"\*\*/[^/]+", bare) else bare


def _means(part: str, name: str, tells: Callable[[str], str]) -> bool:
    """Say whether a part of a pattern is a name, or is of nothing but such secrets.

    What stands beside its wildcards then tells the secret: ``.env*`` and ``*.p12`` do,
    ``*.json``, ``.*`` and ``*.*`` are said of other files.
    """
    if _translated(part).fullmatch(name) is None:
        return False
    return not set(_WILD) & set(part) or bool(tells(_WILDCARD.sub("", part)))


@lru_cache(maxsize=4096)
def _translated(bare: str) -> re.Pattern[str]:
    """Return what a pattern without its last slash matches, whole."""
    if bare and not bare.strip("*"):
        return _ANYTHING
    if bare.endswith("/**"):
        bare += "/*"  # all that is inside, which a whole match must reach
    # A leading ! or # was meant: the line's own were taken off.
    escaped = f"\\{bare}" if bare.startswith(("!", "#")) else bare
    try:
        while (found := _CLASS.search(escaped)) is not None:
            plain = f"{found[1]}{_CLASSES[found[2]]}"
            escaped = escaped[: found.start()] + plain + escaped[found.end() :]
        (spec,) = GitIgnoreSpec.from_lines([escaped]).patterns
    except (ValueError, KeyError, re.error):
        # git, too, takes what cannot be a pattern for one of nothing
        return _NOTHING
    regex = getattr(spec, "regex", None)
    return re.compile(regex.pattern, re.DOTALL) if regex else _NOTHING
