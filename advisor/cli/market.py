"""`advisor market`: what works of a market."""

from __future__ import annotations

import click

from advisor.app.context import Context
from advisor.cli.options import help_if_alone, in_options, json_option
from advisor.cli.output import line_width, remark, result
from advisor.market.check import check_market
from advisor.report.checked import check_document, check_text
from advisor.report.failure import with_error
from advisor.report.formats import to_json


@click.group("market", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Check a market.

    \b
    Example:
      advisor market check --market vast
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    help_if_alone(ctx)


@command.command("check")
@click.option(
    "--market",
    metavar="sample|vast|gpuhunt|FILE",
    help="Market to check. Default: that of advisor.toml, "
    "else vast with a key, else sample.",
)
@json_option
@click.pass_context
def check(ctx: click.Context, /, market: str | None, as_json: bool) -> None:
    """Check the key, the account, the search, and the clock.

    Nothing is rented. The check takes up to a minute, because the market limits the rate
    of requests. The exit code is 4 if the key is refused, and 5 if a limit of the market
    is reached; a missing key is no failure.

    \b
    Example:
      advisor market check
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    context: Context = ctx.obj
    found = check_market(context.open_market(market), context.progress)
    if as_json:
        error = found.problems[0] if found.problems else None
        result(to_json(with_error(check_document(found), error)))
    else:
        result(check_text(found, line_width(context.variables)))
    for note in found.answer.notes if found.answer else ():
        remark(f"note: {note}")
    for problem in found.problems:
        remark(f"advisor: {problem.worded(in_options)}")
    if found.problems:
        ctx.exit(int(found.problems[0].exit_status))
