"""`advisor mcp`: a server of tools for agents."""

from __future__ import annotations

import importlib

import click

from advisor.app.context import Context
from advisor.base.errors import ExitStatus, UsageError
from advisor.base.resources import installing
from advisor.cli.output import remark
from advisor.cli.renting import has_terminal
from advisor.cli.typed import command_line
from advisor.mcp.arguments import Arguments


@click.command("mcp")
@click.option(
    "--read-only",
    is_flag=True,
    help="Leave out the tools that spend money or end machines.",
)
@click.pass_context
def command(ctx: click.Context, /, read_only: bool) -> None:
    """Serve tools to an agent over the Model Context Protocol.

    An MCP client starts this command and speaks with it on stdin and stdout. The tools
    that spend money need caps, and ask you through the client before each payment.

    \b
    Example:
      advisor mcp --read-only
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    context: Context = ctx.obj
    try:
        import mcp  # noqa: F401, PLC0415  (the extra)
    except ImportError as error:
        message = f"the MCP server needs its extra: {installing('mcp')}"
        raise UsageError(message) from error
    if has_terminal():
        remark("an MCP client starts this command and speaks on stdin; Ctrl-C ends it")
    from advisor.mcp.server import Calls  # noqa: PLC0415  (the extra)
    from advisor.mcp.stdio import serve  # noqa: PLC0415

    if serve(Calls(context, typed, read_only)):
        ctx.exit(ExitStatus.INTERRUPTED)


def typed(name: str, found: Arguments) -> str:
    """Return the command line that does what a tool of that name does."""
    module = importlib.import_module(f"advisor.cli.{name}")
    command: click.Command = module.command
    return command_line(command, found)
