"""`advisor sweep run`, `resume`, `status` and `stop`: a sweep is carried out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.app.context import Context
from advisor.base.errors import AdvisorError, CommandFailedError, UsageError
from advisor.base.resources import installing
from advisor.cli.options import format_options
from advisor.cli.output import line_width, need_stdout, remark, result, result_within
from advisor.cli.progress import is_written_over
from advisor.cli.renting import Terminal, need_confirmation
from advisor.cli.sweep_options import sweep_options
from advisor.report.formats import to_json

if TYPE_CHECKING:
    from advisor.app.sweep_plan import SweepPlan
    from advisor.fleet.events import Event
    from advisor.fleet.sweeping import Face, SweepResult

_json = click.option(
    "--json",
    "as_lines",
    is_flag=True,
    help="Print what happens as JSON, one event per line.",
)
_NONE = "no sweep was begun here: 'advisor sweep run FILE' begins one"
_yes = click.option("--yes", is_flag=True, help="Do not ask before paying.")


@click.command("run")
@sweep_options
@click.option(
    "--market", metavar="NAME", help="Market to rent from. Default: the file's."
)
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the sweep; its machines share a budget. Default: the file's, or a new "
    "one.",
)
@_yes
@_json
@click.pass_obj
def run(context: Context, /, file: Path, yes: bool, as_lines: bool, **given: Any) -> None:
    """Rent machines by the plan and run the jobs on them.

    The folder is copied to each machine once, each job's results come back as it ends,
    and a machine is released as soon as nothing is left for it. The jobs of a machine
    that is lost go on elsewhere from their last checkpoints. If this process dies,
    'advisor sweep resume NAME' goes on.

    \b
    Example:
      advisor sweep run sweep.toml --budget 60 --yes
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    from advisor.app.sweep_file import read_sweep  # noqa: PLC0415  (start-up)

    _need_fleet()
    from advisor.fleet.sweeping import run_sweep  # noqa: PLC0415

    if as_lines:
        need_stdout()
    need_confirmation(yes=yes)
    replaced = {name: value for name, value in given.items() if value is not None}
    asked = read_sweep(file, **replaced)
    budget_usd = asked.spec.budget_usd
    with _face(context, yes=yes, as_lines=as_lines, budget_usd=budget_usd) as (
        seen,
        face,
    ):
        _end(run_sweep(seen, asked, face))


@click.command("resume")
@click.argument("name")
@_yes
@_json
@click.pass_obj
def resume(context: Context, /, name: str, yes: bool, as_lines: bool) -> None:
    """Go on with a sweep whose launcher is gone.

    Machines that still run are picked up with the jobs on them.

    \b
    Example:
      advisor sweep resume rates --yes
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    _need_fleet()
    from advisor.fleet.sweeping import resume_sweep  # noqa: PLC0415  (start-up)

    if as_lines:
        need_stdout()
    need_confirmation(yes=yes)
    if not (yes or click.confirm("pay for machines that do what is left?", err=True)):
        message = "nothing was rented: it was not confirmed"
        raise AdvisorError(message)
    with _face(context, yes=yes, as_lines=as_lines) as (seen, face):
        _end(resume_sweep(seen, name, face))


@click.command("stop")
@click.argument("name")
@_json
@click.pass_obj
def stop(context: Context, /, name: str, as_lines: bool) -> None:
    """End a sweep whose launcher is gone: release its machines.

    What the jobs have saved comes back first; 'advisor sweep resume NAME' goes on. A
    launcher that still runs does the same when it is interrupted.

    \b
    Example:
      advisor sweep stop rates
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    _need_fleet()
    from advisor.fleet.sweeping import stop_sweep  # noqa: PLC0415  (start-up)

    if as_lines:
        need_stdout()
    with _face(context, yes=True, as_lines=as_lines) as (seen, face):
        stop_sweep(seen, name, face)


@click.command("status")
@click.argument("name", required=False)
@format_options("table", "json")
@click.pass_obj
def status(context: Context, /, name: str | None, output_format: str) -> None:
    """Show the sweeps, or the jobs of one.

    The market is not asked: 'advisor rentals' shows what bills.

    \b
    Examples:
      advisor sweep status
      advisor sweep status rates --json
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    from advisor.report.sweep_status import (  # noqa: PLC0415  (start-up)
        status_document,
        status_text,
    )
    from advisor.store.sweeps import SweepStore  # noqa: PLC0415

    store = SweepStore(context.data_folder)
    sweeps = store.sweeps() if name is None else [store.load(name)]
    found = [(one, store.jobs(one.name)) for one in sweeps]
    if not found:
        remark(_NONE)
    for torn in store.torn(name):
        remark(f"a row of {torn.label} makes no sense: {torn.why}")
    if output_format == "json":
        result(to_json(status_document(found)))
        return
    width = line_width(context.variables)
    result_within(status_text(found, width, with_jobs=name is not None), width)


def _price(plan: SweepPlan, budget_usd: float | None) -> str:
    """Return what is to be paid: a budget holds, without one machines are replaced."""
    if budget_usd is not None:
        return f"pay at most ${budget_usd:,.2f}"
    return (
        f"pay up to ${plan.most_usd:,.2f} for these machines, and without a budget for "
        "each that replaces a lost one"
    )


def _need_fleet() -> None:
    """Refuse to carry out a sweep where what carries it out is not installed.

    Raises
    ------
    UsageError
        if it is not
    """
    if not all(map(find_spec, ("cryptography", "distributed", "rich"))):
        message = f"sweeps are carried out by Dask: {installing('fleet')}"
        raise UsageError(message)


@contextmanager
def _face(
    context: Context, *, yes: bool, as_lines: bool, budget_usd: float | None = None
) -> Iterator[tuple[Context, Face]]:
    """Yield who a sweep is carried out for: a program, a terminal, or a log."""
    from advisor.fleet.live import JsonLines, Lines, live_table  # noqa: PLC0415  (extra)
    from advisor.fleet.sweeping import Face  # noqa: PLC0415

    def now() -> float:
        return context.now().timestamp()

    def confirms(plan: SweepPlan) -> bool:
        from advisor.report.sweep import plan_headline  # noqa: PLC0415  (start-up)

        remark(plan_headline(plan))
        return yes or click.confirm(f"{_price(plan, budget_usd)}?", err=True)

    def face(told: Callable[[Event], None]) -> Face:
        return Face(Terminal(yes=yes), told, confirms)

    if as_lines:
        yield context, face(JsonLines(sys.stdout))
    elif sys.stderr is not None and is_written_over(sys.stderr, context.variables):
        with live_table(sys.stderr, now, context.notify, context.progress) as table:
            seen = replace(context, notify=table.notify, progress=table.progress)
            yield seen, face(table)
    else:
        yield context, face(Lines(context.notify, now))


def _end(ended: SweepResult) -> None:
    """See that no job of a sweep has failed.

    Raises
    ------
    CommandFailedError
        if one has
    """
    failed = ended.counts.failed
    if failed:
        what = "1 job has" if failed == 1 else f"{failed:,} jobs have"
        message = (
            f"{what} failed; the logs are in {ended.logs}: mend the command and begin "
            "another sweep of what failed"
        )
        raise CommandFailedError(message)
