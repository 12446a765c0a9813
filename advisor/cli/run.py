"""`advisor run`: a command on the best machine for rent, from here and back to here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from advisor.app.context import Context
from advisor.app.jobs import is_finished
from advisor.app.plan import Plan, check_machine, plan, ssh_to
from advisor.app.private import private_of
from advisor.app.run import RunSpec
from advisor.base.errors import AdvisorError, CommandFailedError, UsageError
from advisor.base.interrupts import deferred
from advisor.base.units import BYTES_PER_GB
from advisor.cli.delivered import compare, predicted_of
from advisor.cli.options import above_zero, duration_s, workload_option
from advisor.cli.output import need_stdout, remark, result, showing
from advisor.cli.rent import rental_lines, would_rent
from advisor.cli.renting import confirmation, rent_spec, rental_options
from advisor.cli.resuming import resumed, resuming_line
from advisor.cli.sending import Sender, sync_options
from advisor.cli.specs import as_options, fields_of
from advisor.market.lifecycle import Instance
from advisor.rental.desk import Desk
from advisor.rental.incoming.copying import MAX_RESULTS_GB, Incoming
from advisor.rental.jobs import JobRecord
from advisor.rental.launch import Launch
from advisor.rental.outgoing.command import check_command, stays_here
from advisor.rental.outgoing.decide import Outgoing
from advisor.rental.outgoing.told import document as outgoing_document
from advisor.rental.preflight import (
    check_comes_back,
    check_places,
    check_programs,
    check_room,
)
from advisor.rental.remote.job_log import MOST_LOG_BYTES
from advisor.rental.remote.ssh import Ssh
from advisor.rental.rent import Confirm
from advisor.rental.request import Rental
from advisor.rental.run import Ended, carry_out, only_launcher
from advisor.report.formats import to_json
from advisor.report.jobs import ended_document, failure_words, not_ended_document


@click.command("run", context_settings={"allow_interspersed_args": False})
@partial(workload_option, required=False)  # a job that is resumed has it already
@rental_options
@sync_options
@click.option(
    "--results",
    default="results",
    show_default=True,
    metavar="DIR",
    help="Folder in it that comes back.",
)
@click.option(
    "--checkpoints",
    default="checkpoints",
    show_default=True,
    metavar="DIR",
    help="Folder in it that comes back every five minutes, and goes to the next machine.",
)
@click.option(
    "--max-results-gb",
    type=float,
    callback=above_zero,
    default=MAX_RESULTS_GB,
    show_default=True,
    metavar="GB",
    help="Most that may come back, of both folders together; more stays on the machine.",
)
@click.option(
    "--grace",
    "lease_s",
    callback=duration_s,
    default="1h",
    show_default=True,
    metavar="TIME",
    help="The machine ends itself when it has heard no launcher for so long.",
)
@click.option(
    "--resume",
    metavar="JOB",
    help="Go on with a job whose launcher is gone, or whose command failed; options for "
    "its next machine, such as --budget, replace those it had.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say what would be rented and what would be sent; pay and send nothing.",
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
    folder: Path,
    resume: str | None,
    dry_run: bool,
    as_json: bool,
    argv: tuple[str, ...],
    **options: Any,
) -> None:
    """Run a command on the best machine for rent: advisor run ... -- python train.py.

    Rents, copies the folder, starts, shows what the command prints, copies back,
    releases. A machine that is lost is replaced, and the command starts again beside its
    last checkpoints. Should this process die, '--resume JOB' goes on.
    """
    if as_json:
        need_stdout()
    context: Context = ctx.obj
    confirm = None if dry_run else confirmation(yes=options["yes"])
    if resume is not None:
        job, spec = resumed(ctx, resume, argv)
        if is_finished(context.data_folder, job):
            remark(f"job {job.name} has ended well: nothing is rented")
            if as_json:
                result(to_json(ended_document(job)))
            return
        sender = Sender(context, spec.max_sync_gb)
    else:
        if not argv or options["workload"] is None:
            message = "say what to run: advisor run --workload NAME -- COMMAND ..."
            raise UsageError(message)
        spec = _spec(folder, argv, options)
        sender = Sender(context, spec.max_sync_gb)
        job = _checked(context, sender, JobRecord("", spec))
    _check_here(context, job)
    most_log_gb = MOST_LOG_BYTES / BYTES_PER_GB
    remark(
        f"at most {spec.max_results_gb:g} GB come back (--max-results-gb), and of the "
        f"log {most_log_gb:g} GB"
    )
    planned = plan(context, spec.rent, wait_for_ssh=True, goes_on=resume is not None)
    if dry_run:
        outgoing = sender.outgoing(job.asked)
        _dry(planned, outgoing, spec.max_results_gb, as_json=as_json)
        return
    name = planned.request.job
    ctx.with_resource(only_launcher(planned.desk, name, resumes=resume is not None))
    if resume is None:
        _refuse_open(planned.desk, name)
        spec = replace(spec, rent=replace(spec.rent, name=name))
        job = replace(job, name=name, spec=spec)
    resuming = resuming_line(job.name, yes=options["yes"])
    remark(f"job {job.name}: '{resuming}' goes on with it")
    ctx.with_resource(deferred())
    launch = _launch(
        context,
        planned,
        confirm=confirm,
        grace_s=spec.grace_s,
        sender=sender,
        resuming=resuming,
        max_results_gb=spec.max_results_gb,
        as_json=as_json,
    )
    ended = _carried_out(launch, job, as_json=as_json)
    compare(context, ended, spec.rent.job, planned.job.workload)
    if as_json:
        result(to_json(ended_document(ended.job, ended)), owed=True)
    if ended.job.exit_code != 0:
        raise CommandFailedError(failure_words(ended))


def _spec(folder: Path, argv: tuple[str, ...], options: Mapping[str, Any]) -> RunSpec:
    """Return what the options of a new job ask for.

    Raises
    ------
    UsageError
        if it cannot be
    """
    rent = rent_spec(options)
    with as_options():
        return RunSpec(
            rent=rent,
            argv=argv,
            folder=str(folder.resolve()),
            **fields_of(RunSpec, options),
        )


def _checked(context: Context, sender: Sender, job: JobRecord) -> JobRecord:
    """Return a new job with what is there before it, once its command can be run.

    Raises
    ------
    UsageError
        if it cannot, or its folder may not be sent
    """
    check_machine(context)
    outgoing = sender.prepare(job.asked)
    check_command(job.argv, outgoing, context.variables.get("PATH"))
    if not outgoing.files:
        message = (
            f"nothing of {outgoing.folder} would go to the machine: name another --sync"
        )
        raise UsageError(message)
    for left in stays_here(job.argv, outgoing):
        remark(f"the command names {left.path}, which stays here: ignored by {left.why}")
    return replace(job, before=outgoing.before)


_AT_WORK: str = "working"
"""State of a machine that a job of `run` has."""


def _refuse_open(desk: Desk, name: str) -> None:
    """Refuse a job that has a machine: it would be taken for this one's, and released.

    What `rent` gave to the user under that name is the user's: it shares the budget.

    Raises
    ------
    UsageError
        if there is one
    """
    for entry in desk.ledger.entries(desk.account):
        if entry.job == name and entry.state == _AT_WORK:
            message = (
                f"job {name} has a machine: '--resume {name}' goes on with what 'run' "
                "began, another --job begins anew"
            )
            raise UsageError(message)


def _check_here(context: Context, job: JobRecord) -> None:
    """Refuse what would fail once a machine is paid for."""
    folder = Path(job.folder)
    check_programs("ssh", "ssh-keygen", "rsync")
    names, own = (job.results, job.checkpoints), private_of(context).folders
    check_comes_back(folder, names)
    check_places(folder, names, own)
    check_room(folder, context.data_folder)


def _dry(
    planned: Plan, outgoing: Outgoing, max_results_gb: float, *, as_json: bool
) -> None:
    """Show what would be rented and sent, and how much may come back."""
    document = would_rent(planned)
    remark("dry run: nothing was rented and nothing was sent")
    if as_json:
        sync = outgoing_document(outgoing)
        most = {"max_results_gb": max_results_gb}
        result(to_json({**document, "sync": sync, **most}))
    else:
        result(rental_lines(document))


def _carried_out(launch: Launch, job: JobRecord, *, as_json: bool) -> Ended:
    """Carry out a job; print why it did not end, where a program wants that."""
    try:
        return carry_out(launch, job)
    except AdvisorError as error:
        if as_json:
            with suppress(AdvisorError):  # what went wrong first counts
                result(to_json(not_ended_document(job, error)))
        raise


def _launch(
    context: Context,
    planned: Plan,
    *,
    confirm: Confirm | None,
    grace_s: float,
    sender: Sender,
    resuming: str,
    max_results_gb: float,
    as_json: bool,
) -> Launch:
    def connect(instance: Instance) -> Ssh:
        return ssh_to(context, planned.key_file, instance)

    def predicted(rental: Rental) -> Mapping[str, Any]:
        return predicted_of(planned, rental)

    def outgoing(job: JobRecord) -> Outgoing:
        return sender.outgoing(job.asked)

    return Launch(
        planned.desk,
        planned.request,
        confirm,
        connect,
        predicted,
        showing(sys.stderr if as_json else sys.stdout),
        grace_s,
        outgoing,
        resuming,
        Incoming(remark, max_results_gb * BYTES_PER_GB, "--max-results-gb"),
    )
