"""`advisor record`: keep a measured run, so that predictions of its workload use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.app.context import Context
from advisor.app.described import check_machine, meant_cpu
from advisor.base.errors import UsageError
from advisor.cli.arguments import workload_argument
from advisor.cli.job_options import machine_options
from advisor.cli.options import above_zero, set_option, workload_option
from advisor.cli.output import remark
from advisor.cli.recording import compared, keep_compared, too_slow
from advisor.cli.session import refuse_both
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.throughput.own_runs import OwnRun
from advisor.workloads.override import assigned, override
from advisor.workloads.profile import Workload

if TYPE_CHECKING:
    from advisor.workloads.logs import LogReading


@click.command("record")
@workload_argument
@workload_option
@machine_options
@set_option
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
    help="Read it from what the training printed.",
)
@click.pass_obj
def command(  # noqa: PLR0917  (one argument an option)
    context: Context,
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
    settings: tuple[str, ...],
) -> None:
    """Keep a measured run; from then on predictions of its workload use it.

    Logs are read of the Hugging Face Trainer, TRL, accelerate, diffusers, kohya,
    Lightning, Keras, timm, Megatron, NeMo, nanoGPT, torchtune, fairseq, OpenMMLab,
    detectron2, Ultralytics, LeRobot, torchvision and ImageNet scripts, and bars of tqdm.
    Give --batch where the log does not state it: a GPU's samples between two counts.
    """
    if (throughput is None) == (log is None):
        message = "give --throughput SAMPLES/S or --from-log FILE"
        raise UsageError(message)
    figures = assigned(settings)
    kept = context.library.load(workload)
    profile = override(kept, figures)
    if "batch_size" in figures:
        if batch is not None:
            refuse_both("--batch", "--set batch_size")
        batch = profile.batch_size
    check_machine(num_gpus, threads, clock)
    card = load_gpus().find(gpu).name
    if log is not None:
        told = _read(log, batch, num_gpus)
        source, evidence = told.reader, told.document()
        throughput, batch = told.samples_per_s, told.batch
    else:
        source, evidence = "given", _by_hand(throughput or 0.0, batch, profile)
    run = OwnRun(
        workload=profile.name,
        gpu=card,
        num_gpus=num_gpus,
        samples_per_s=float(throughput or 0.0),
        cpu=meant_cpu(load_cpus(), cpu, threads, clock),
        threads=threads,
        cpu_ghz=clock,
        batch_size=batch or profile.batch_size,
        precision=profile.precision,
    )
    expected = compared(context, run, profile, kept)
    if log is None and too_slow(run, expected):
        message = (
            f"--throughput {run.samples_per_s:g} is below a hundredth of the predicted "
            f"{expected.samples_per_s:.3g} samples/s: check its unit, or give the log of "
            "the run with --from-log"
        )
        raise UsageError(message)
    keep_compared(context, run, expected, source, evidence)


def _read(log: Path, batch: int | None, num_gpus: int) -> LogReading:
    """Return what a log gives evidence of, and say what it is.

    Raises
    ------
    UsageError
        if the log tells no rate, or the batch is missing
    """
    from advisor.workloads.logs import Asked, read_log  # noqa: PLC0415  (start-up)

    told = read_log(log, Asked(batch, num_gpus))
    if told.batch is None:
        message = (
            f"{log}: {told.summary()}, and the batch is not said: give it with "
            "--batch SAMPLES (of a GPU and optimizer step)"
        )
        raise UsageError(message)
    remark(told.summary())
    for mark in told.marks:
        remark(mark)
    return told


def _by_hand(rate: float, batch: int | None, profile: Workload) -> dict[str, Any]:
    """Return the evidence of a rate that the user says."""
    held = batch or profile.batch_size
    source = "--batch" if batch else "the workload's own: --batch says another"
    return {
        "reader": "given",
        "parts": [
            {"part": "rate", "says": f"{rate:g} samples/s", "from": "--throughput"},
            {"part": "batch", "says": f"{held} a GPU and step", "from": source},
        ],
        "marks": [],
    }
