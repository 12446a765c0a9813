"""`rank --plot`: whether it can be drawn, how large it is, and in which colors."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from advisor.app.context import Context
from advisor.cli.output import line_width, result, style_of
from advisor.cli.progress import is_terminal
from advisor.cli.session import refuse_both
from advisor.report.cells import wrapped
from advisor.report.styles import unstyled

if TYPE_CHECKING:
    from advisor.ranking.ranking import Ranking


def check_plot(output_format: str, *, asked: bool) -> None:
    """Refuse a plot that cannot be drawn, before anybody is asked for offers.

    Parameters
    ----------
    output_format : as the user gave it
    asked : whether a plot is asked for

    Raises
    ------
    UsageError
        if it is to be in a format for programs, or what draws is not installed
    """
    if not asked:
        return
    from advisor.report.plots import need  # noqa: PLC0415  (start-up)

    if output_format != "table":
        refuse_both("--plot", f"--format {output_format}")
    need("plotext", "--plot")


def draw(ranking: Ranking, context: Context, above: str) -> None:
    """Print the plot, as large as the screen leaves room for.

    Parameters
    ----------
    ranking : of one offer at least
    above : what was said before, on stderr
    """
    from advisor.report.scatter import rank_plot  # noqa: PLC0415  (start-up)

    width, height = line_width(context.variables), screen_height(context.variables)
    if height is not None:
        height -= 1  # the prompt comes below it
        if width is not None and is_terminal(sys.stderr):
            height -= len(wrapped(above, width))
    color = style_of(sys.stdout, context.variables) is not unstyled
    result(rank_plot(ranking, width, height, color=color))


def screen_height(variables: Mapping[str, str]) -> int | None:
    """Return how many lines the result has room for, as `line_width` does: `LINES`."""
    stated = variables.get("LINES", "")
    if stated.isdecimal() and int(stated) > 0:
        return int(stated)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).lines or None
    except (AttributeError, OSError, ValueError):
        return None
