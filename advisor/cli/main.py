"""The command `advisor`: its subcommands, and the one place that catches errors."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import Any

import click

from advisor import __version__
from advisor.app.context import Context
from advisor.app.notices import silence
from advisor.base.errors import AdvisorError, ExitStatus
from advisor.cli.next_steps import WORDS
from advisor.cli.options import called, color_option, help_if_alone, verbose_option
from advisor.cli.output import aside, has_result, remark
from advisor.cli.progress import watched

_SECTIONS: Mapping[str, Sequence[str]] = {
    "Start": ("init", "doctor", "completion"),
    "Choose": ("rank", "explain", "compare", "bid", "report", "serve"),
    "Rent": ("rent", "run", "sweep", "rentals", "renew", "release", "reconcile"),
    "Predict without a market": ("predict", "speedup"),
    "Measure": ("bench", "profile"),
    "Your workloads and runs": ("workloads", "record", "records"),
    "Markets": ("fetch", "history", "hosts", "market"),
    "Known hardware and images": ("gpus", "cpus", "image"),
    "The model": ("model",),
    "Agents": ("mcp",),
    "Simulation": ("simulate", "sample"),
}
"""The commands as the help groups them; each is a module of `advisor.cli`."""


def sections() -> Mapping[str, Sequence[str]]:
    """Return title -> names of the commands below it, as the help groups them."""
    return _SECTIONS


_COMMANDS = tuple(chain.from_iterable(_SECTIONS.values()))


class LazyGroup(click.Group):
    """A group that imports a command's module only when it is asked for."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parse the words of a command line; see `_ended_by_others`."""
        words = tuple(args)
        with _reported_to_programs(self, words), _ended_by_others():
            ctx = super().make_context(info_name, args, parent, **extra)
        ctx.meta[WORDS] = words
        return ctx

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see `_ended_by_others`."""
        words = ctx.meta[WORDS]
        with _reported_to_programs(self, words, ctx), _ended_by_others():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the commands, the main job first."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return one command, importing its module; None if there is no such."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"advisor.cli.{cmd_name}")
        command: click.Command = module.command
        _add_common(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, their names in one column."""
        width = max(map(len, _COMMANDS))
        room = formatter.width - width - 4
        for title, names in _SECTIONS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (name.ljust(width), command.get_short_help_str(room))
                        for name, command in commands
                        if command is not None
                    ]
                )


def _add_common(command: click.Command) -> None:
    """Give a command ``-v`` and ``--no-color``, and those of a group."""
    for option in (verbose_option, color_option):
        if option not in command.params:
            command.params.append(option)
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        _add_common(one)


@contextmanager
def _reported_to_programs(
    group: click.Group, words: Sequence[str], ctx: click.Context | None = None
) -> Iterator[None]:
    """Print the document of what ends a command that is asked for JSON.

    A command that has printed its own document has reported the failure in it.

    Parameters
    ----------
    words : of the command line after its name
    ctx : of the command `advisor` once these are read
    """
    try:
        yield
    except click.exceptions.Exit:  # it ends, and says itself how
        raise
    except Exception as error:
        if ctx is None or not has_result(ctx):
            from advisor.cli.failure import report_to_programs  # noqa: PLC0415  (rarely)

            report_to_programs(error, group, words)
        raise


@contextmanager
def _ended_by_others() -> Iterator[None]:
    """Meet Ctrl-C and a reader that has gone before click does.

    It would print to streams that may be gone as well, and lose the exit code by that.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        aside("")  # closes the line on which the terminal shows ^C
        raise click.Abort from error
    except click.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # while it asked
            aside("")
        raise
    except BrokenPipeError:  # `head` has had enough
        silence(sys.stdout)
        raise click.exceptions.Exit(ExitStatus.DONE) from None


@click.group(
    "advisor",
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="advisor")
@click.pass_context
def app(ctx: click.Context) -> None:
    """Find the rented GPU that finishes your training for the least money.

    advisor predicts how fast your workload runs on each offer of a GPU market, and ranks
    the offers by cost per completed epoch. It can rent the best one for you.

    Start with: advisor rank resnet50
    """
    context = ctx.obj or Context.of_this_process()
    ctx.obj = watched(ctx, replace(context, called=called))
    help_if_alone(ctx)


app.params += [verbose_option, color_option]


def run(argv: Sequence[str] | None = None, context: Context | None = None) -> int:
    """Run the command line; return its exit code (see `advisor.base.errors`).

    Parameters
    ----------
    argv : its words; None: those that this process was started with
    context : the outside world; None: as this process finds it
    """
    try:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # CPU names hold trade marks
                stream.reconfigure(errors="replace")
        code = app.main(argv, "advisor", standalone_mode=False, obj=context)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
        return ExitStatus.DONE
    except (AdvisorError, click.ClickException, click.Abort, OSError) as error:
        from advisor.cli.failure import asked_of, explain  # noqa: PLC0415  (rarely)

        explained = explain(error, asked_of(app, sys.argv[1:] if argv is None else argv))
        remark(f"advisor: {explained.line}")
        return explained.status
    return code if isinstance(code, int) else ExitStatus.DONE
