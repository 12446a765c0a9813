"""`advisor run`: a command on the best machine for rent, from here and back to here."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from advisor.cli.environment import Environment
from advisor.cli.options import duration_s, given_flags
from advisor.cli.output import remark, result
from advisor.cli.recording import compared, keep_compared, too_slow
from advisor.cli.rent import rental_lines, would_rent
from advisor.cli.renting import (
    Plan,
    check_options,
    confirmation,
    plan,
    rent_options,
    ssh_to,
)
from advisor.cli.sending import Sender, sync_options
from advisor.cli.session import Constraints
from advisor.cli.signals import interrupt_on_sigterm
from advisor.errors import AdvisorError, UsageError
from advisor.hardware.gpus import load_gpus
from advisor.market.lifecycle import Instance
from advisor.rental.desk import Desk
from advisor.rental.jobs import JobRecord, load_job
from advisor.rental.outgoing.command import check_command, check_words, stays_here
from advisor.rental.outgoing.decide import Outgoing
from advisor.rental.outgoing.told import document as outgoing_document
from advisor.rental.preflight import (
    check_comes_back,
    check_programs,
    check_room,
    inner_folder,
)
from advisor.rental.rent import Confirm
from advisor.rental.request import Rental
from advisor.rental.run import Ended, Launch, carry_out
from advisor.rental.ssh import Ssh
from advisor.report.entries import number
from advisor.report.formats import to_json
from advisor.throughput.own_runs import OwnRun
from advisor.workloads.override import assigned
from advisor.workloads.profile import Workload

if TYPE_CHECKING:
    from advisor.workloads.logs import LogReading

_CHANGEABLE = (
    *(one.name for one in fields(Constraints) if one.name != "rental"),
    *("max_epoch_cost", "deadline", "budget", "day_budget", "image"),
    *("max_lifetime", "attempts", "start_timeout"),
)
"""Options that say how the next machine of a job is found: those that are given with
``--resume`` replace the job's own."""

_OF_RESUMING = ("resume", "yes", "grace", "max_sync_gb", "includes", "excludes")
"""Other options that go with ``--resume``."""


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
    help="Go on with a job whose launcher is gone; options for its next machine, such "
    "as --budget, replace those it had.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say what would be rented and what would be sent; pay and send nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the dry run as JSON.")
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
    if as_json and not dry_run:
        message = "--json goes with --dry-run: what the command prints is the result"
        raise UsageError(message)
    confirm = None if dry_run else confirmation(yes=options["yes"])
    if resume is not None:
        job = _resumed(ctx, resume, argv, options)
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
    planned = plan(
        environment,
        job.options,
        wait_for_ssh=True,
        heartbeat_s=grace,
        goes_on=resume is not None,
    )
    if dry_run:
        _dry(planned, sender.outgoing(job.asked), as_json=as_json)
        return
    if resume is None:
        name = planned.request.job
        _refuse_open(planned.desk, name)
        job = replace(job, name=name, options={**job.options, "name": name})
    remark(f"job {job.name}: 'advisor run --resume {job.name}' goes on with it")
    interrupt_on_sigterm()
    ended = carry_out(_launch(environment, planned, confirm, grace, sender), job)
    _compare(environment, ended, planned.job.workload)
    if ended.exit_status != 0:
        why = "" if ended.symptom is None else f": {ended.symptom}"
        message = f"the command ended with exit code {ended.exit_status}{why}"
        raise AdvisorError(f"{message}; see {ended.log}")


# A job that is resumed has its workload already.
next(one for one in command.params if one.name == "workload").required = False


def _resumed(
    ctx: click.Context, name: str, argv: tuple[str, ...], options: dict[str, Any]
) -> JobRecord:
    """Return a job that was kept, with what was said of its next machine.

    Raises
    ------
    UsageError
        if there is no such job, or something was said that it cannot take over
    """
    given = {
        one.name: one.opts[0]
        for one in ctx.command.params
        if one.name
        and one.expose_value
        and ctx.get_parameter_source(one.name) is ParameterSource.COMMANDLINE
    } | given_flags(ctx)
    fixed = [
        opt
        for key, opt in given.items()
        if key not in (*_CHANGEABLE, *_OF_RESUMING) and key != "argv"
    ]
    if argv or fixed:
        what = f"{', '.join(fixed)} cannot be given" if fixed else "no command is given"
        message = f"--resume goes on with the job as it is: {what} with it"
        raise UsageError(message)
    job = load_job(ctx.obj.data_folder, name)
    changed = {key: options[key] for key in _CHANGEABLE if key in given}
    patterns = {key: ctx.params[key] for key in ("includes", "excludes") if key in given}
    return replace(job, options={**job.options, **changed}, **patterns)


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
    check_comes_back(folder, (job.results, job.checkpoints))
    check_room(folder, environment.data_folder)


def _dry(planned: Plan, outgoing: Outgoing, *, as_json: bool) -> None:
    """Show what would be rented and sent."""
    document = would_rent(planned)
    remark("dry run: nothing was rented and nothing was sent")
    if as_json:
        result(to_json({**document, "sync": outgoing_document(outgoing)}))
    else:
        result(rental_lines(document))


def _launch(
    environment: Environment,
    planned: Plan,
    confirm: Confirm | None,
    grace_s: float,
    sender: Sender,
) -> Launch:
    def connect(instance: Instance) -> Ssh:
        return ssh_to(environment, planned.key_file, instance)

    def predicted(rental: Rental) -> Mapping[str, Any]:
        return _predicted(planned, rental)

    def outgoing(job: JobRecord) -> Outgoing:
        return sender.outgoing(job.asked)

    return Launch(
        planned.desk,
        planned.request,
        confirm,
        connect,
        predicted,
        _show,
        grace_s,
        outgoing,
    )


def _show(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _predicted(planned: Plan, rental: Rental) -> Mapping[str, Any]:
    """Return what a run on this machine is recorded with, and compared to."""
    chosen = rental.chosen
    ranking, at = chosen.ranking, chosen.at
    offers = ranking.offers
    workload = planned.job.workload
    return {
        "workload": workload.name,
        "gpu": load_gpus().find(str(offers.gpu_name[at])).name,
        "num_gpus": int(offers.num_gpus[at]),
        "cpu": str(offers.cpu_name[at]) or None,
        "threads": number(offers.cpu_threads[at]),
        "cpu_ghz": number(offers.cpu_ghz[at]),
        "batch_size": int(ranking.throughput.micro_batch[at]),
        "precision": workload.precision,
        "samples_per_s": float(ranking.throughput.samples_per_s[at]),
    }


def _compare(environment: Environment, ended: Ended, workload: Workload) -> None:
    """Record the throughput that the log gives evidence of, beside what was predicted.

    What goes wrong here is told: the job is done all the same.
    """
    known = dict(ended.job.predicted)
    if not known:
        return
    if ended.exit_status != 0:
        remark("the command failed: no throughput is recorded")
        return
    try:
        told = _seen(ended, workload)
        known |= {"samples_per_s": told.samples_per_s, "batch_size": told.batch}
        run = OwnRun(**known)
        kept = environment.library.load(ended.job.options["workload"])
        expected = compared(environment, run, workload, kept)
        if too_slow(run, expected):
            message = (
                f"it is below a hundredth of the {expected.samples_per_s:.3g} samples/s "
                "predicted"
            )
            raise UsageError(message)
        keep_compared(environment, run, expected, told.reader, told.document())
    except AdvisorError as error:
        remark(f"no throughput is recorded: {error}")


def _seen(ended: Ended, workload: Workload) -> LogReading:
    """Return what the log gives evidence of, and say what it is.

    Nobody has said that the command is a training: the log must show that; and it must
    state the batch, unless the user has set it.

    Raises
    ------
    UsageError
        if it does not; the message has the command that records it all the same
    """
    from advisor.workloads.logs import Asked, read_log  # noqa: PLC0415  (start-up)

    own = "batch_size" in assigned(ended.job.options["settings"])
    by_hand = f"this records it: {_record_command(ended, own_batch=own)}"
    batch = workload.batch_size if own else None
    num_gpus = int(ended.job.predicted["num_gpus"])
    told = read_log(ended.log, Asked(batch, num_gpus))
    remark(told.summary())
    for mark in told.marks:
        remark(mark)
    if told.batch is None:
        raise UsageError(f"neither the log nor --set says the batch; {by_hand}")
    if num_gpus > 1 and not told.shows_gpus:
        message = (
            f"nothing shows that all {num_gpus} GPUs trained; if they did, {by_hand}"
        )
        raise UsageError(message)
    if not told.assured:
        raise UsageError(f"nothing shows that it is a training; if it is, {by_hand}")
    return told


def _record_command(ended: Ended, *, own_batch: bool) -> str:
    """Return the command that records a run by hand."""
    known, options = ended.job.predicted, ended.job.options
    words = ["advisor", "record", "--workload", str(options["workload"])]
    words += ["--gpu", known["gpu"], "--num-gpus", str(known["num_gpus"])]
    for flag, key in (("--cpu", "cpu"), ("--cores", "threads"), ("--clock", "cpu_ghz")):
        if known[key] is not None:
            value = known[key]
            words += [flag, value if isinstance(value, str) else f"{value:g}"]
    for setting in options["settings"]:
        words += ["--set", setting]
    if not own_batch:
        words += ["--batch", "SAMPLES"]
    return shlex.join([*words, "--from-log", str(ended.log)])
