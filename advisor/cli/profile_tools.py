"""`advisor workloads measure`: a profile from code, and how a profile is finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from advisor.cli.environment import Environment
from advisor.cli.output import remark, result
from advisor.hardware.core_speed import named_speed
from advisor.hardware.cpus import load_cpus
from advisor.ranking import load_tables
from advisor.workloads import saved
from advisor.workloads.dataset import look_at, this_cpu, with_dataset
from advisor.workloads.measure import Input, count, load_builder, measured_profile
from advisor.workloads.parse import dump_workload
from advisor.workloads.profile import PRECISIONS, Precision, Workload

BATCH = click.IntRange(min=1, max=10**9)

dataset_option = click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Take bytes and decode time of a sample from the files of a folder.",
)
save_option = click.option(
    "-o", "--save", "name", metavar="NAME", help="Save it as yours. Default: print it."
)
force_option = click.option("--force", is_flag=True, help="Replace a profile NAME.")


@click.command("measure")
@click.argument("target", metavar="SCRIPT.py:FUNCTION")
@click.option("--input", "shape", required=True, help="Of a sample: 3x224x224, 512:long.")
@click.option("--batch", type=BATCH, required=True, help="Samples a GPU and step.")
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default="amp", show_default=True
)
@click.option(
    "--extends",
    "base",
    default="resnet50",
    show_default=True,
    metavar="NAME",
    help="Profile that data, epochs, optimiser and level are taken from.",
)
@dataset_option
@save_option
@force_option
@click.pass_obj
def measure(  # noqa: PLR0917  (one argument an option)
    environment: Environment,
    /,
    target: str,
    shape: str,
    batch: int,
    precision: Precision,
    base: str,
    **where: Any,
) -> None:
    """Count what a PyTorch module needs in a training step, on the CPU.

    FUNCTION of SCRIPT.py returns the module; it is called without arguments.
    """
    counted = count(load_builder(target), Input.parse(shape), precision)
    name = where["name"] or target.rpartition(":")[2]
    parent = environment.library.load(base)
    profile = measured_profile(parent, counted, name, batch, precision)
    finish(environment, profile, **where)


def finish(
    environment: Environment,
    profile: Workload,
    *,
    dataset: Path | None,
    name: str | None,
    force: bool,
) -> None:
    """Add a data set, then save the profile or print it."""
    if dataset is not None:
        cpu = this_cpu()
        known = load_cpus().resolve(cpu)
        constants = load_tables(environment.models).model.cpu
        speed = 1.0 if known is None else named_speed(known, constants)[0]
        told = cpu if known else f"{cpu or 'a CPU'} of no table, taken as 1"
        profile = with_dataset(profile, look_at(dataset), speed, told)
    text = dump_workload(profile)
    if name is None:
        result(text.rstrip("\n"))
        return
    saved.save_text(environment.library, name, text, force=force)
    remark(f"saved: {saved.saved_path(environment.library, name)}")
