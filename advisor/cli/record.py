"""`advisor record`: store a measured run, so that predictions of its workload use it."""

from __future__ import annotations

from pathlib import Path

import click

from advisor.app.context import Context
from advisor.app.recorded import Measured, record
from advisor.cli.arguments import workload_argument
from advisor.cli.job_options import machine_options
from advisor.cli.options import above_zero, set_option
from advisor.workloads.override import assigned


@click.command("record")
@workload_argument
@machine_options
@set_option
@click.option(
    "--throughput",
    type=float,
    callback=above_zero,
    metavar="SAMPLES/S",
    help="Measured samples/s, all GPUs together.",
)
@click.option(
    "--from-log",
    "log",
    type=click.Path(path_type=Path),
    help="Read the throughput from the log of the training.",
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
    cpu_ghz: float | None,
    batch: int | None,
    settings: tuple[str, ...],
) -> None:
    """Record a measured run; it calibrates later predictions.

    The command reads logs of the Hugging Face Trainer, TRL, accelerate, diffusers, kohya,
    Lightning, Keras, timm, Megatron, NeMo, nanoGPT, torchtune, fairseq, OpenMMLab,
    detectron2, Ultralytics, LeRobot, torchvision and ImageNet scripts, and tqdm bars.
    Give --batch, the samples per GPU and step, if the log does not state it.

    \b
    Examples:
      advisor record resnet50 --gpu 'RTX 3090' --throughput 412
      advisor record resnet50 --gpu 'RTX 3090' --batch 64 --from-log train.log
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    measured = Measured(
        workload,
        gpu,
        num_gpus,
        throughput=throughput,
        log=log,
        cpu=cpu,
        threads=threads,
        cpu_ghz=cpu_ghz,
        batch=batch,
        settings=assigned(settings),
    )
    record(context, measured)
