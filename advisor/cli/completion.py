"""`advisor completion`: the shell completes commands and options; man has the page."""

from __future__ import annotations

import textwrap

import click
from click.shell_completion import get_completion_class

from advisor.app.completion import SHELLS, Change, Places, Shell, shell_of
from advisor.app.context import Context
from advisor.cli.manual import manual
from advisor.cli.output import aside, remark, result
from advisor.cli.session import refuse_both


@click.command("completion")
@click.argument(
    "shell",
    type=click.Choice(SHELLS),
    required=False,
    metavar=f"[{'|'.join(SHELLS)}]",  # versions of click differ in it
)
@click.option(
    "--install",
    is_flag=True,
    help="Install it for your shell, and the man page; show what was changed.",
)
@click.option(
    "--uninstall", is_flag=True, help="Remove again what --install has put there."
)
@click.pass_context
def command(
    ctx: click.Context, /, shell: Shell | None, install: bool, uninstall: bool
) -> None:
    """Complete commands and options in your shell.

    Without an option the script is printed, for 'eval'. SHELL is your own by default.
    With --install, the script and the man page go to your own folders, and marked lines
    in the shell's start-up file read the script.

    \b
    Examples:
      advisor completion --install
      advisor completion zsh > _advisor
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    context: Context = ctx.obj
    if install and uninstall:
        refuse_both("--install", "--uninstall")
    shell = shell or shell_of(context.variables)
    if not (install or uninstall):
        result(_script(ctx, shell))
        return
    places = Places.of(shell, context.variables, context.home)
    if uninstall:
        if not sum(map(_show, places.uninstall())):
            remark("nothing was installed")
        return
    texts = (f"{_script(ctx, shell)}\n", manual(ctx.find_root().command))
    for change in places.install(*texts):
        _show(change)
    remark(
        f"in a new {shell} the Tab key completes; 'man {places.manual}' shows the manual"
    )


def _show(change: Change) -> bool:
    """Say what became of a file, with the lines that it got or lost."""
    lines = f", {change.side} these lines:" if change.lines else ""
    remark(f"{change.what}: {change.path}{lines}")
    if change.lines:
        aside(textwrap.indent(change.lines, "  "))
    return True


def _script(ctx: click.Context, shell: Shell) -> str:
    """Return the script that completes our words in a shell."""
    root = ctx.find_root()
    name = str(root.info_name)
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101  (click has all of SHELLS)
    variable = f"_{name.upper()}_COMPLETE"
    return found(root.command, {}, name, variable).source().strip()
