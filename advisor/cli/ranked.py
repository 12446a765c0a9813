"""A ranking on a screen: the answer above the table, and below it what to do next."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial

import click

from advisor.app.constraints import Constraints
from advisor.app.job import JobSpec
from advisor.cli.next_steps import command_line, shell_lines
from advisor.cli.output import (
    CSV_HAS_ALL,
    aside,
    remark_within,
    result_within,
    style_of,
)
from advisor.market.registry import may_rent
from advisor.ranking.ranking import Ranking
from advisor.report.answer import answer_text
from advisor.report.entries import Entry
from advisor.report.rank_table import heads_of, table
from advisor.report.ranked import left_out, sureness

_OF_BOTH = {one.name for one in (*fields(JobSpec), *fields(Constraints))} - {"workload"}
_OF_EXPLAIN = frozenset(_OF_BOTH | {"market", "stale_ok", "max_age"})
_OF_RENT = frozenset(_OF_BOTH | {"deadline_s", "budget_usd"})
"""Fields of what is asked for that the commands which come next take over."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Where a ranking is shown.

    Attributes
    ----------
    width : cells of a line; None: any number
    columns : names of those that are asked for; empty: the usual ones
    variables : environment variables
    """

    width: int | None
    columns: Sequence[str]
    variables: Mapping[str, str]

    def show(self, ranking: Ranking, shown: Sequence[Entry], workload: str) -> None:
        """Print a ranking: the table on stdout, all else on stderr."""
        style = style_of(sys.stderr, self.variables)
        answer, faint = partial(style, "answer"), partial(style, "faint")
        remark_within(answer_text(ranking), self.width, answer)
        colors = style_of(sys.stdout, self.variables)
        made = table(shown, self.width, self.columns, colors)
        result_within(made, self.width, f"--columns chooses, {CSV_HAS_ALL}")
        heads = heads_of(made, self.width, self.columns)
        for line in (sureness(ranking, shown, heads), _others(ranking, shown)):
            remark_within(line, self.width, faint)
        for words in next_steps(ranking, shown, workload):
            for line in shell_lines(words, self.width):
                aside(line)


def _others(ranking: Ranking, shown: Sequence[Entry]) -> str:
    """Say what is not in the table, and why."""
    ranked = ranking.read - sum(ranking.excluded.values())
    more = ranked - len(shown)
    rest = f"{more:,} more rank lower (--top {ranked} shows all); " if more else ""
    return rest + left_out(ranking)


def next_steps(
    ranking: Ranking, shown: Sequence[Entry], workload: str
) -> list[list[str]]:
    """Return the command lines that people type most after a ranking.

    They name the market that was asked, `rent` only one that may rent. Machines that do
    not exist are compared: they cannot be rented.

    Parameters
    ----------
    shown : the entries that are shown, one at least
    workload : as it was named
    """
    ctx, source = click.get_current_context(), ranking.source
    first, *others = (str(one["offer_id"]) for one in shown[:2])
    steps = [command_line(["explain", first, workload], ctx, _OF_EXPLAIN)]
    rents = source is not None and may_rent(source.market)
    if rents or not ranking.is_simulated:
        of_rent = _OF_RENT | ({"market"} if rents else set())
        steps.append(command_line(["rent", workload], ctx, of_rent, ["--dry-run"]))
    elif others:
        words = ["compare", first, *others, "--workload", workload]
        steps.append(command_line(words, ctx, _OF_EXPLAIN))
    return steps
