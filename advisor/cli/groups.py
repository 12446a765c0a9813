"""Groups that do a job of their own where no command of theirs is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.core import ParameterSource

from advisor.base.errors import UsageError

if TYPE_CHECKING:
    import click


def typed_options(ctx: click.Context) -> dict[str, str]:
    """Return parameter -> option of those that stand on the command line."""
    return {
        param.name: param.opts[-1]
        for param in ctx.command.params
        if param.name
        and ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE
    }


def is_common(name: str) -> bool:
    """Say whether an option is one that every command has."""
    return name in {"verbose", "color", "no_color"}


def refuse_before_command(ctx: click.Context) -> None:
    """Refuse options of a group's own job where a command of it is given.

    Raises
    ------
    advisor.base.errors.UsageError
        with the first of them
    """
    below = ctx.invoked_subcommand
    for name, option in typed_options(ctx).items() if below is not None else ():
        if not is_common(name):
            message = (
                f"{option} before {below!r} does nothing: leave it out, or see "
                f"'{ctx.command_path} {below} -h'"
            )
            raise UsageError(message)
