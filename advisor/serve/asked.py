"""What a page asks for, which the command line reads.

A field of a form is an option of a command, so that the page has no rules of its own: the
command line reads the words, checks them, and says what is wrong; and the page shows the
command that gives the same figures in a terminal. Which option that is, the command line
alone knows.
"""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from advisor.app.rank import RankSpec
from advisor.app.speedup import SpeedupSpec
from advisor.base.errors import AdvisorError, UsageError
from advisor.workloads.parse import closest, short

Pairs = Sequence[tuple[str, str]]
"""Names and values of an address, in its order; a name may be there several times."""

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's control and format characters, halves of others, and ends of lines: none is
in a name, and a terminal obeys them in a command that is pasted."""


class CommandLine(Protocol):
    """The command line, as far as a page needs it; `advisor.cli.words` is the one."""

    def fields(self, command: str) -> Sequence[str]:
        """Return the fields that a form for a command may have."""

    def words(self, command: str, pairs: Pairs) -> list[str]:
        """Return fields with their values as words after the name of a command.

        Those that the command does not take are left out.

        Raises
        ------
        UsageError
            if a value is none of those that its field has
        """

    def rank(self, words: Sequence[str]) -> RankSpec:
        """Return what words after ``advisor rank`` ask for.

        Raises
        ------
        AdvisorError
            if they cannot be right: with the line that the command ends with
        """

    def speedup(self, words: Sequence[str]) -> SpeedupSpec:
        """Return what words after ``advisor speedup`` ask for; as `rank` does."""

    def line(self, error: AdvisorError, words: Sequence[str]) -> str:
        """Return the line with which a command ends.

        Parameters
        ----------
        words : of the command line after ``advisor``
        """


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for.

    Attributes
    ----------
    command : ``"rank"`` or ``"speedup"``
    pairs : fields of it with their values, empty ones left out
    own : fields of the page beside the command's, with their values
    """

    command: str
    pairs: tuple[tuple[str, str], ...]
    own: Mapping[str, str]

    @classmethod
    def of(
        cls, line: CommandLine, command: str, given: Pairs, own: Iterable[str] = ()
    ) -> Asked:
        """Read an address.

        Parameters
        ----------
        own : names of fields of the page beside the command's

        Raises
        ------
        UsageError
            if a field is not known, or a value holds what no name does
        """
        fields, own = frozenset(line.fields(command)), frozenset(own)
        for name, value in given:
            if name not in fields | own:
                raise UsageError(_unknown(name, sorted(fields | own)))
            for character in value:
                if unicodedata.category(character) in _UNSEEN:
                    message = (
                        f"{name}: the character U+{ord(character):04X} cannot be seen, "
                        "and is in no name: leave it out"
                    )
                    raise UsageError(message)
        said = [(name, value.strip()) for name, value in given]
        return cls(
            command,
            tuple((name, value) for name, value in said if value and name in fields),
            {name: value for name, value in said if value and name in own},
        )

    def values(self) -> dict[str, str]:
        """Return field -> what it holds; several values apart by commas."""
        found: dict[str, str] = {}
        for name, value in self.pairs:
            found[name] = f"{found[name]},{value}" if name in found else value
        return found

    def address(self, **changes: str) -> str:
        """Return the query of an address that asks for the same but for some fields."""
        pairs = [one for one in (*self.pairs, *self.own.items()) if one[0] not in changes]
        return urlencode([*pairs, *changes.items()])


def to_copy(*words: str) -> str:
    """Return a command for a shell, each word quoted where it must be."""
    return shlex.join(["advisor", *words])


def _unknown(name: str, fields: Sequence[str]) -> str:
    near = closest(name, dict.fromkeys(fields))
    meant = f"did you mean {near}?" if near else f"it knows {', '.join(fields)}"
    return f"{short(name, 40)} is no field of this page: {meant}"
