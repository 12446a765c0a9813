"""`advisor run`: a command on the best machine for rent, from here and back to here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from advisor.app.context import Context
from advisor.app.jobs import is_finished
from advisor.app.run import RunSpec
from advisor.app.running import WouldRun, run, would_run
from advisor.base.errors import AdvisorError, UsageError
from advisor.cli.options import above_zero, duration_s, in_options, workload_option
from advisor.cli.output import need_stdout, remark, result, showing
from advisor.cli.renting import (
    Terminal,
    need_confirmation,
    rent_spec,
    rental_options,
    verify_option,
)
from advisor.cli.resuming import resumed
from advisor.cli.sending import sync_options
from advisor.cli.specs import fields_of
from advisor.rental.incoming.copying import MAX_RESULTS_GB
from advisor.rental.jobs import JobRecord
from advisor.rental.outgoing.words import document as outgoing_document
from advisor.rental.run import Ended
from advisor.report.formats import to_json
from advisor.report.jobs import ended_document, failed, not_ended_document
from advisor.report.rental import dry_run as dry_run_document
from advisor.report.rental import rental_lines


@click.command("run", context_settings={"allow_interspersed_args": False})
@partial(workload_option, required=False)  # a job that is resumed has it already
@rental_options
@verify_option("yes for a job of more than an hour")
@sync_options
@click.option(
    "--results",
    metavar="DIR",
    help="Folder inside the copied one to copy back at the end. Default: results.",
)
@click.option(
    "--checkpoints",
    metavar="DIR",
    help="Folder inside the copied one to copy back every five minutes, and to copy to "
    "the next machine. Default: checkpoints.",
)
@click.option(
    "--max-results-gb",
    type=float,
    callback=above_zero,
    metavar="GB",
    help="Most to copy back, both folders together; the rest stays on the machine. "
    f"Default: {MAX_RESULTS_GB:g}.",
)
@click.option(
    "--grace",
    "lease_s",
    callback=duration_s,
    metavar="TIME",
    help="The machine ends itself when no launcher has reached it for this long. "
    "Default: 1h.",
)
@click.option(
    "--resume",
    metavar="JOB",
    help="Continue a job whose launcher is gone or whose command failed. Options for its "
    "next machine, such as --budget, replace those it had.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show what would be rented and copied; rent and copy nothing.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print how it ended, or the dry run, as JSON; what the command prints goes to "
    "stderr.",
)
@click.argument("argv", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(  # noqa: PLR0917  (one argument an option)
    ctx: click.Context,
    /,
    folder: Path | None,
    resume: str | None,
    dry_run: bool,
    as_json: bool,
    argv: tuple[str, ...],
    **options: Any,
) -> None:
    """Rent the best machine and run a command on it.

    The machine gets a copy of your folder, you see what the command prints, and the
    machine is released at the end. If the machine is lost, another one replaces it: the
    command starts again with its last checkpoints. If this process dies, '--resume JOB'
    continues the job.

    \b
    Example:
      advisor run --workload resnet50 --sync . -- python train.py --epochs 90
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    context: Context = ctx.obj
    if as_json:
        need_stdout()
    if not dry_run:
        need_confirmation(yes=options["yes"])
    job = None
    if resume is not None:
        job, spec = resumed(ctx, resume, argv, options)
        if is_finished(context.data_folder, job):
            remark(f"job {job.name} has ended well: nothing is rented")
            if as_json:
                result(to_json(ended_document(job)))
            return
    else:
        if not argv or options["workload"] is None:
            message = "say what to run: advisor run --workload NAME -- COMMAND ..."
            raise UsageError(message)
        spec = _spec(folder, argv, options)
    face = _Face(yes=options["yes"], as_json=as_json)
    if dry_run:
        _show(would_run(context, spec, face, job), spec, as_json=as_json)
    elif error := failed(run(context, spec, face, job)):
        raise error


def _spec(
    folder: Path | None, argv: tuple[str, ...], options: Mapping[str, Any]
) -> RunSpec:
    """Return what the options of a new job ask for.

    Raises
    ------
    UsageError
        if it cannot be
    """
    rent = rent_spec(options)
    return RunSpec(
        rent=rent,
        argv=argv,
        folder=str((folder or Path()).resolve()),
        **fields_of(RunSpec, options),
    )


class _Face(Terminal):
    """Shows what the command prints, and how it ended where a program wants that."""

    def __init__(self, *, yes: bool, as_json: bool) -> None:
        super().__init__(yes=yes)
        self._as_json = as_json
        self._show = showing(sys.stderr if as_json else sys.stdout)

    def prints(self, piece: bytes) -> None:
        """Show it."""
        self._show(piece)

    def ended(self, ended: Ended) -> None:
        """Print how it ended."""
        if self._as_json:
            result(to_json(ended_document(ended.job, ended)), owed=True)

    def not_ended(self, job: JobRecord, error: AdvisorError) -> None:
        """Print why it did not."""
        if self._as_json:
            with suppress(AdvisorError):  # what went wrong first counts
                result(to_json(not_ended_document(job, error, in_options)))


def _show(would: WouldRun, spec: RunSpec, *, as_json: bool) -> None:
    """Show what would be rented and sent, and how much may come back."""
    document = dry_run_document(would.rent, spec)
    remark("dry run: nothing was rented and nothing was sent")
    if as_json:
        sync = outgoing_document(would.outgoing)
        most = {"max_results_gb": spec.max_results_gb}
        result(to_json({**document, "sync": sync, **most}))
    else:
        result(rental_lines(document))
