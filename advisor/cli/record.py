"""`advisor record`: keep a measured run, so that predictions of its workload use it."""

from __future__ import annotations

from pathlib import Path

import click

from advisor.cli.arguments import workload_argument
from advisor.cli.environment import Environment
from advisor.cli.options import (
    above_zero,
    machine_options,
    workload_option,
)
from advisor.cli.output import remark
from advisor.errors import UsageError
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.prediction import check_machine, meant_cpu
from advisor.store.database import open_store
from advisor.store.runs import keep_run
from advisor.throughput.own_runs import OwnRun
from advisor.workloads.load import read_text
from advisor.workloads.logs import read_log


@click.command("record")
@workload_argument
@workload_option
@machine_options
@click.option(
    "--throughput",
    type=float,
    callback=above_zero,
    metavar="SAMPLES/S",
    help="Samples/s of the workload's samples, all GPUs together.",
)
@click.option(
    "--from-log",
    "log",
    type=click.Path(path_type=Path),
    help="Read it from a log of tqdm, Lightning, the Hugging Face Trainer or timm.",
)
@click.pass_obj
def command(  # noqa: PLR0917  (one argument an option)
    environment: Environment,
    /,
    workload: str,
    gpu: str,
    num_gpus: int,
    throughput: float | None,
    log: Path | None,
    cpu: str | None,
    threads: float | None,
    clock: float | None,
    batch: int | None,
) -> None:
    """Keep a measured run; from then on predictions of its workload use it."""
    if (throughput is None) == (log is None):
        message = "give --throughput SAMPLES/S or --from-log FILE"
        raise UsageError(message)
    profile = environment.library.load(workload)
    check_machine(num_gpus, threads, clock)
    batch = batch or profile.batch_size
    source = "given"
    if log is not None:
        told = read_log(read_text(log), str(log), float(batch * num_gpus))
        throughput, source = told.samples_per_s, told.kind
        lines = f"{told.lines} line{'s' * (told.lines != 1)}"
        remark(f"{source}: {told.samples_per_s:.4g} samples/s, of {lines}")
    run = OwnRun(
        workload=profile.name,
        gpu=load_gpus().find(gpu).name,
        num_gpus=num_gpus,
        samples_per_s=float(throughput or 0.0),
        cpu=meant_cpu(load_cpus(), cpu, threads, clock),
        threads=threads,
        cpu_ghz=clock,
        batch_size=batch,
        precision=profile.precision,
    )
    with open_store(environment.data_folder) as connection:
        number = keep_run(connection, run, source, environment.now())
    remark(f"record {number}: predictions of {profile.name} use it from now on")
