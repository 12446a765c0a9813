"""Fields of a form as words of the command line, and what the command line makes of them.

A form of `advisor serve` asks what a command asks. Here its fields become the command's
options, so that both are read, checked and refused by the same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from advisor.app.rank import RankSpec
from advisor.app.speedup import SpeedupSpec
from advisor.base.errors import AdvisorError, UsageError
from advisor.cli.failure import asked_of, explain
from advisor.cli.main import app
from advisor.cli.options import chosen
from advisor.cli.specs import fields_of, rank_spec
from advisor.cost.job import RENTALS
from advisor.rental import arguments

_TICKED = ("1",)
"""Values of a box that is ticked; one that is not has none."""


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
    of : commands that take it
    is_asked : it is a field of forms; else the server knows it
    """

    field: str
    option: str = ""
    prefix: str = ""
    flags: Sequence[str] = ()
    is_flag: bool = False
    of: frozenset[str] = frozenset()
    is_asked: bool = True

    def words(self, value: str) -> list[str]:
        """Return it as words.

        Raises
        ------
        UsageError
            if the value is none of the flags, or a box has another than ``1``
        """
        if self.flags:
            return [f"--{arguments.one_of(self.field, value, self.flags)}"]
        if self.is_flag:
            arguments.one_of(self.field, value, _TICKED)
            return [self.option]
        value = self.prefix + value
        return [f"{self.option}={value}"] if value[0] == "-" else [self.option, value]


_RANK, _SPEEDUP = frozenset({"rank"}), frozenset({"speedup"})
_JOB = frozenset({"rank", "rent", "explain"})
_LIMITS = frozenset({"rank", "rent"})

_OPTIONS = (
    Option("workload", "--workload", of=_JOB),
    Option("epochs", "--epochs", of=_JOB),
    Option("batch", "--set", "batch_size=", of=_JOB),
    Option("fit_batch", "--fit-batch", is_flag=True, of=_JOB),
    Option("disk", "--disk", of=_JOB),
    Option("rental", flags=RENTALS, of=_JOB),
    Option("deadline", "--deadline", of=_LIMITS),
    Option("budget", "--budget", of=_LIMITS),
    Option("risk", "--risk-averse", of=_RANK),
    Option("sort", "--sort", of=_RANK),
    Option("pareto", "--pareto", is_flag=True, of=_RANK),
    Option("gpu", "--gpu", of=_JOB),
    Option("num_gpus", "--num-gpus", of=_JOB),
    Option("region", "--region", of=_JOB),
    Option("min_reliability", "--min-reliability", of=_JOB),
    Option("max_price", "--max-price", of=_JOB),
    Option("verified", "--verified", is_flag=True, of=_JOB),
    Option("datacenter", "--datacenter", is_flag=True, of=_JOB),
    Option("market", "--market", of=_JOB, is_asked=False),
    Option("id", "--where", "id=", of=frozenset({"rent"}), is_asked=False),
    *(
        Option(name, f"--{name.replace('_', '-')}", of=_SPEEDUP)
        for name in (
            *("gpu", "cpu", "cores", "clock", "threads", "gflop", "matmul", "elements"),
            *("function", "touched_gb", "data_gb", "calls", "copies", "start_up"),
            *("precision", "parallel"),
        )
    ),
)
"""Fields of the forms for ``advisor rank`` and ``advisor speedup``."""


class ThisCommandLine:
    """The command line as the pages read it; see `advisor.serve.asked.CommandLine`."""

    def fields(self, command: str) -> Sequence[str]:
        """Return the fields that a form for a command may have."""
        return [one.field for one in _OPTIONS if command in one.of and one.is_asked]

    def words(self, command: str, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """Return fields with their values as words after the name of a command."""
        known = {one.field: one for one in _OPTIONS if command in one.of}
        return [
            word
            for name, value in pairs
            if name in known
            for word in known[name].words(value)
        ]

    def rank(self, words: Sequence[str]) -> RankSpec:
        """Return what words after ``advisor rank`` ask for."""
        options = _options("rank", words)
        options["workload"] = options.pop("named") or options["workload"]
        return rank_spec(options)

    def speedup(self, words: Sequence[str]) -> SpeedupSpec:
        """Return what words after ``advisor speedup`` ask for."""
        return SpeedupSpec(**fields_of(SpeedupSpec, _options("speedup", words)))

    def line(self, error: AdvisorError, words: Sequence[str]) -> str:
        """Return the line with which a command ends."""
        return explain(error, asked_of(app, words)).line


def _options(name: str, words: Sequence[str]) -> dict[str, Any]:
    """Return the options of a command as its function takes them.

    Raises
    ------
    AdvisorError
        if they cannot be read: with what click says of them
    """
    above = click.Context(app, info_name="advisor", **app.context_settings)
    command = app.get_command(above, name)
    if command is None:
        raise LookupError(name)
    try:
        with command.make_context(name, list(words), above) as ctx:
            return chosen(ctx, ctx.params)
    except click.UsageError as error:
        raise UsageError(explain(error, asked_of(app, [name, *words])).line) from error
