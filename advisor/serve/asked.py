"""What a page asks for, as the words of the command line that asks the same.

A field of a form is an option of a command, so that the page has no rules of its own: the
command line reads the words, checks them, and says what is wrong; and the page shows the
command that gives the same figures in a terminal.
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
from advisor.cost.job import RENTALS
from advisor.rental import arguments
from advisor.workloads.parse import closest, short

Pairs = Sequence[tuple[str, str]]
"""Names and values of an address, in its order; a name may be there several times."""

_FORMAT_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's control and format characters, halves of others, and ends of lines: none is
in a name, and a terminal obeys them in a command that is pasted."""


class CommandLine(Protocol):
    """The command line, as far as a page needs it; `advisor.cli.serve` is the one."""

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
class Option:
    """A field of a form, and the option of a command that it is.

    Attributes
    ----------
    field : its name in addresses
    option : such as ``--epochs``
    flags : values that are flags of their own, such as ``--reserved``
    prefix : of the value, such as ``batch_size=`` of ``--set``
    is_flag : it is given without a value where its box is ticked
    also : other commands that have it
    """

    field: str
    option: str = ""
    prefix: str = ""
    flags: Sequence[str] = ()
    is_flag: bool = False
    also: frozenset[str] = frozenset()

    def words(self, value: str) -> list[str]:
        """Return it as words.

        Raises
        ------
        UsageError
            if the value is none of the flags
        """
        if self.flags:
            return [f"--{arguments.one_of(self.field, value, self.flags)}"]
        if self.is_flag:
            return [self.option]
        value = self.prefix + value
        return [f"{self.option}={value}"] if value[0] == "-" else [self.option, value]


_JOB = frozenset({"rent", "explain"})
_RENT = frozenset({"rent"})

RANK = (
    Option("workload", "--workload", also=_JOB),
    Option("epochs", "--epochs", also=_JOB),
    Option("batch", "--set", "batch_size=", also=_JOB),
    Option("fit_batch", "--fit-batch", is_flag=True, also=_JOB),
    Option("disk", "--disk", also=_JOB),
    Option("rental", flags=RENTALS, also=_JOB),
    Option("deadline", "--deadline", also=_RENT),
    Option("budget", "--budget", also=_RENT),
    Option("risk", "--risk-averse"),
    Option("sort", "--sort"),
    Option("pareto", "--pareto", is_flag=True),
    Option("gpu", "--gpu", also=_JOB),
    Option("num_gpus", "--num-gpus", also=_JOB),
    Option("region", "--region", also=_JOB),
    Option("min_reliability", "--min-reliability", also=_JOB),
    Option("max_price", "--max-price", also=_JOB),
    Option("verified", "--verified", is_flag=True, also=_JOB),
    Option("datacenter", "--datacenter", is_flag=True, also=_JOB),
)
"""What a ranking is asked by; see ``advisor rank``."""

SPEEDUP = (
    Option("gpu", "--gpu"),
    Option("cpu", "--cpu"),
    Option("cores", "--cores"),
    Option("clock", "--clock"),
    Option("threads", "--threads"),
    Option("gflop", "--gflop"),
    Option("matmul", "--matmul"),
    Option("elements", "--elements"),
    Option("function", "--function"),
    Option("touched_gb", "--touched-gb"),
    Option("data_gb", "--data-gb"),
    Option("calls", "--calls"),
    Option("copies", "--copies"),
    Option("start_up", "--start-up"),
    Option("precision", "--precision"),
    Option("parallel", "--parallel"),
)
"""What the calculator is asked by; see ``advisor speedup``."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for.

    Attributes
    ----------
    command : ``"rank"`` or ``"speedup"``
    options : that it may have
    pairs : what it has, empty fields left out
    own : fields of the page beside the command's, with their values
    """

    command: str
    options: Sequence[Option]
    pairs: tuple[tuple[str, str], ...]
    own: Mapping[str, str]

    @classmethod
    def of(
        cls, command: str, options: Sequence[Option], given: Pairs, own: Iterable[str]
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
        fields = {one.field for one in options}
        own = frozenset(own)
        for name, value in given:
            if name not in fields | own:
                raise UsageError(_unknown(name, sorted(fields | own)))
            for character in value:
                if unicodedata.category(character) in _FORMAT_CATEGORIES:
                    message = (
                        f"{name}: the character U+{ord(character):04X} cannot be seen, "
                        "and is in no name: leave it out"
                    )
                    raise UsageError(message)
        said = [(name, value.strip()) for name, value in given]
        return cls(
            command,
            options,
            tuple((name, value) for name, value in said if value and name in fields),
            {name: value for name, value in said if value and name in own},
        )

    def words(self, command: str = "") -> list[str]:
        """Return the words after the command's name.

        Parameters
        ----------
        command : another one, which takes those of the options that it has; ``""``: this
        """
        known = {one.field: one for one in self.options}
        return [
            word
            for name, value in self.pairs
            if not command or command in known[name].also
            for word in known[name].words(value)
        ]

    def values(self) -> dict[str, str]:
        """Return field -> what it holds; several values apart by commas."""
        found: dict[str, str] = {}
        for name, value in self.pairs:
            found[name] = f"{found[name]},{value}" if name in found else value
        return found

    def address(self, **changes: str | None) -> str:
        """Return the query of an address that asks for the same but for some fields.

        Parameters
        ----------
        changes : fields with another value; None: without it
        """
        pairs = [one for one in (*self.pairs, *self.own.items()) if one[0] not in changes]
        pairs += [(name, value) for name, value in changes.items() if value is not None]
        return urlencode(pairs)


def to_copy(*words: str) -> str:
    """Return a command for a shell, each word quoted where it must be."""
    return shlex.join(["advisor", *words])


def _unknown(name: str, fields: Sequence[str]) -> str:
    near = closest(name, dict.fromkeys(fields))
    meant = f"did you mean {near}?" if near else f"it knows {', '.join(fields)}"
    return f"{short(name, 40)} is no field of this page: {meant}"
