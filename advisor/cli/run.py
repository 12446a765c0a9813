"""`advisor run`: a command on the best machine for rent, from here and back to here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from advisor.cli.delivered import compare, predicted_of
from advisor.cli.environment import Environment
from advisor.cli.options import above_zero, duration_s
from advisor.cli.output import remark, result
from advisor.cli.rent import rental_lines, would_rent
from advisor.cli.renting import (
    Plan,
    check_options,
    confirmation,
    plan,
    rent_options,
    ssh_to,
)
from advisor.cli.resuming import is_finished, resumed, resuming_line
from advisor.cli.sending import Sender, private_of, sync_options
from advisor.cli.signals import interrupt_on_sigterm
from advisor.errors import AdvisorError, CommandFailedError, UsageError
from advisor.market.lifecycle import Instance
from advisor.rental.desk import Desk
from advisor.rental.incoming.copying import MAX_RESULTS_GB, Incoming
from advisor.rental.job_log import MOST_LOG_BYTES
from advisor.rental.jobs import JobRecord
from advisor.rental.outgoing.command import check_command, check_words, stays_here
from advisor.rental.outgoing.decide import GB, Outgoing
from advisor.rental.outgoing.told import document as outgoing_document
from advisor.rental.preflight import (
    check_comes_back,
    check_places,
    check_programs,
    check_room,
    inner_folder,
)
from advisor.rental.rent import Confirm
from advisor.rental.request import Rental
from advisor.rental.run import Ended, Launch, carry_out
from advisor.rental.ssh import Ssh
from advisor.report.formats import to_json
from advisor.report.jobs import ended_document, failure_words, not_ended_document
from advisor.report.terminal import plain_on_terminal


@click.command("run", context_settings={"allow_interspersed_args": False})
@rent_options
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
    includes: tuple[str, ...],
    excludes: tuple[str, ...],
    max_sync_gb: float,
    results: str,
    checkpoints: str,
    max_results_gb: float,
    grace: float,
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
    environment: Environment = ctx.obj
    sender = Sender(environment, max_sync_gb)
    confirm = None if dry_run else confirmation(yes=options["yes"])
    if resume is not None:
        job = resumed(ctx, resume, argv, options)
        if is_finished(environment, job):
            remark(f"job {job.name} has ended well: nothing is rented")
            if as_json:
                result(to_json(ended_document(job)))
            return
    else:
        if not argv or options["workload"] is None:
            message = "say what to run: advisor run --workload NAME -- COMMAND ..."
            raise UsageError(message)
        job = _checked(
            environment,
            sender,
            JobRecord(
                name="",
                argv=argv,
                folder=str(folder.resolve()),
                results=inner_folder(results),
                checkpoints=inner_folder(checkpoints),
                options=options,
                includes=includes,
                excludes=excludes,
            ),
        )
    _check_here(environment, job)
    most_log_gb = MOST_LOG_BYTES / GB
    remark(
        f"at most {max_results_gb:g} GB come back (--max-results-gb), and of the log "
        f"{most_log_gb:g} GB"
    )
    planned = plan(
        environment,
        job.options,
        wait_for_ssh=True,
        heartbeat_s=grace,
        goes_on=resume is not None,
    )
    if dry_run:
        outgoing = sender.outgoing(job.asked)
        _dry(planned, outgoing, max_results_gb, as_json=as_json)
        return
    if resume is None:
        name = planned.request.job
        _refuse_open(planned.desk, name)
        job = replace(job, name=name, options={**job.options, "name": name})
    resuming = resuming_line(
        job.name,
        yes=options["yes"],
        grace_s=grace,
        max_sync_gb=max_sync_gb,
        max_results_gb=max_results_gb,
    )
    remark(f"job {job.name}: '{resuming}' goes on with it")
    interrupt_on_sigterm()
    launch = _launch(
        environment,
        planned,
        confirm=confirm,
        grace_s=grace,
        sender=sender,
        resuming=resuming,
        max_results_gb=max_results_gb,
        as_json=as_json,
    )
    ended = _carried_out(launch, job, as_json=as_json)
    compare(environment, ended, planned.job.workload)
    if ended.job.exit_code != 0:
        raise CommandFailedError(failure_words(ended))


# A job that is resumed has its workload already.
next(one for one in command.params if one.name == "workload").required = False


def _checked(environment: Environment, sender: Sender, job: JobRecord) -> JobRecord:
    """Return a new job with what is there before it, once its command can be run.

    Raises
    ------
    UsageError
        if it cannot, or its folder may not be sent
    """
    check_words(job.argv)
    check_options(environment, job.options)
    outgoing = sender.prepare(job.asked)
    check_command(job.argv, outgoing, environment.variables.get("PATH"))
    if not outgoing.files:
        message = (
            f"nothing of {outgoing.folder} would go to the machine: name another --sync"
        )
        raise UsageError(message)
    for left in stays_here(job.argv, outgoing):
        remark(f"the command names {left.path}, which stays here: ignored by {left.why}")
    return replace(job, before=outgoing.before)


def _refuse_open(desk: Desk, name: str) -> None:
    """Refuse a job that has a machine: it would be taken for this one's, and released.

    Raises
    ------
    UsageError
        if there is one
    """
    for entry in desk.ledger.entries(desk.account):
        if entry.job == name and entry.state == "handed":
            message = (
                f"job {name} has a machine: '--resume {name}' goes on with what 'run' "
                "began, another --job begins anew"
            )
            raise UsageError(message)


def _check_here(environment: Environment, job: JobRecord) -> None:
    """Refuse what would fail once a machine is paid for."""
    folder = Path(job.folder)
    check_programs("ssh", "ssh-keygen", "rsync")
    names, own = (job.results, job.checkpoints), private_of(environment).folders
    check_comes_back(folder, names)
    check_places(folder, names, own)
    check_room(folder, environment.data_folder)


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
    """Carry out a job; print how it ended, or why not, where a program wants it."""
    try:
        ended = carry_out(launch, job)
    except AdvisorError as error:
        if as_json:
            result(to_json(not_ended_document(job, error)))
        raise
    if as_json:
        result(to_json(ended_document(ended.job, ended)))
    return ended


def _launch(
    environment: Environment,
    planned: Plan,
    *,
    confirm: Confirm | None,
    grace_s: float,
    sender: Sender,
    resuming: str,
    max_results_gb: float,
    as_json: bool,
) -> Launch:
    stream = sys.stderr if as_json else sys.stdout
    shown = plain_on_terminal(stream)

    def show(piece: bytes) -> None:
        stream.buffer.write(shown(piece))
        stream.buffer.flush()

    def connect(instance: Instance) -> Ssh:
        return ssh_to(environment, planned.key_file, instance)

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
        show,
        grace_s,
        outgoing,
        resuming,
        Incoming(remark, max_results_gb * GB, "--max-results-gb"),
    )
