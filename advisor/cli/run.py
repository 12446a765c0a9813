"""`advisor run`: a command on the best machine for rent, from here and back to here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import click

from advisor.cli.environment import Environment
from advisor.cli.options import duration_s
from advisor.cli.output import remark
from advisor.cli.renting import Plan, confirmation, plan, rent_options, ssh_to
from advisor.cli.signals import interrupt_on_sigterm
from advisor.errors import AdvisorError, UsageError
from advisor.hardware.gpus import load_gpus
from advisor.market.lifecycle import Instance
from advisor.rental.jobs import JobRecord, load_job
from advisor.rental.rent import Confirm
from advisor.rental.request import Rental
from advisor.rental.run import Ended, Launch, carry_out
from advisor.rental.ssh import Ssh, find_program
from advisor.report.entries import number
from advisor.report.formats import figure
from advisor.store.database import open_store
from advisor.store.runs import keep_run
from advisor.throughput.own_runs import OwnRun
from advisor.workloads.logs import read_log

_LOG_TAIL = 4 * 1024 * 1024


@click.command(
    "run",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@rent_options
@click.option(
    "--sync",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    show_default=True,
    help="Folder that goes to the machine; the command runs in it.",
)
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
@click.option("--resume", metavar="JOB", help="Go on with a job whose launcher is gone.")
@click.argument("argv", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def command(  # noqa: PLR0917  (one argument an option)
    environment: Environment,
    /,
    folder: Path,
    results: str,
    checkpoints: str,
    grace: float,
    resume: str | None,
    argv: tuple[str, ...],
    **options: Any,
) -> None:
    """Run a command on the best machine for rent: advisor run ... -- python train.py.

    Rents, copies the folder, starts, shows what the command prints, copies back,
    releases. A machine that is lost is replaced, and the command starts again beside its
    last checkpoints. Should this process die, '--resume JOB' goes on.
    """
    confirm = confirmation(yes=options["yes"])
    if resume is not None:
        job = load_job(environment.data_folder, resume)
        planned = plan(environment, job.options, wait_for_ssh=True, heartbeat_s=grace)
    else:
        if not argv or options["workload"] is None:
            message = "say what to run: advisor run --workload NAME -- COMMAND ..."
            raise UsageError(message)
        planned = plan(environment, options, wait_for_ssh=True, heartbeat_s=grace)
        options["name"] = planned.request.job
        job = JobRecord(
            name=planned.request.job,
            argv=argv,
            folder=str(folder.resolve()),
            results=_inside(results),
            checkpoints=_inside(checkpoints),
            options=options,
        )
    _check_here(job)
    remark(f"job {job.name}: 'advisor run --resume {job.name}' goes on with it")
    interrupt_on_sigterm()
    ended = carry_out(_launch(environment, planned, confirm, grace), job)
    _compare(environment, ended)
    if ended.exit_status != 0:
        message = f"the command ended with exit code {ended.exit_status}; see {ended.log}"
        raise AdvisorError(message)


# A job that is resumed has its workload already.
next(one for one in command.params if one.name == "workload").required = False


def _launch(
    environment: Environment, planned: Plan, confirm: Confirm | None, grace_s: float
) -> Launch:
    def connect(instance: Instance) -> Ssh:
        return ssh_to(environment, planned.key_file, instance)

    def predicted(rental: Rental) -> Mapping[str, Any]:
        return _predicted(planned, rental)

    return Launch(
        planned.desk, planned.request, confirm, connect, predicted, _show, grace_s
    )


def _show(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _check_here(job: JobRecord) -> None:
    """Refuse what would fail once a machine is paid for."""
    find_program("rsync", "rsync")
    for name in (job.results, job.checkpoints):
        place = Path(job.folder) / name
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            message = f"{place} is no folder: what comes back from the machine goes there"
            raise UsageError(message)


def _inside(name: str) -> str:
    """Return the name of a folder that is inside the job's."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        message = f"{name!r}: a folder inside the one that is copied is expected"
        raise UsageError(message)
    return str(path)


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


def _compare(environment: Environment, ended: Ended) -> None:
    """Record the throughput that the log tells, beside what was predicted."""
    known = dict(ended.job.predicted)
    if not known:
        return
    predicted = known.pop("samples_per_s")
    with ended.log.open("rb") as file:
        file.seek(max(ended.log.stat().st_size - _LOG_TAIL, 0))
        text = file.read().decode(errors="replace")
    per_step = float(known["batch_size"] * known["num_gpus"])
    try:
        told = read_log(text, str(ended.log), per_step)
    except UsageError:
        remark("the log tells no throughput that could be recorded")
        return
    run = OwnRun(samples_per_s=told.samples_per_s, **known)
    with open_store(environment.data_folder) as connection:
        keep_run(connection, run, told.kind, environment.now())
    remark(
        f"predicted {figure(predicted, 3)} samples/s, got {figure(told.samples_per_s, 3)}"
        ": recorded, predictions use it from now on"
    )
