"""`advisor workloads measure`: a profile from code, and how a profile is finished."""

from __future__ import annotations

import click

from advisor.app.context import Context
from advisor.app.profiles import FOR_PICTURES, Store, measured
from advisor.cli.output import remark, result
from advisor.workloads.dump import dump_workload
from advisor.workloads.profile import PRECISIONS, Precision, Workload

BATCH = click.IntRange(min=1, max=10**9)

dataset_option = click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="DIR|SCRIPT.py:FUNCTION",
    help="Count samples and bytes in the files of a folder, and time on the CPU what "
    "training does to its pictures; or count and time the samples of the data set that "
    "FUNCTION returns. One of each may be given.",
)
save_option = click.option(
    "-o",
    "--save",
    "name",
    metavar="NAME",
    help="Save it as your profile of this name. Default: print it.",
)
force_option = click.option("--force", is_flag=True, help="Replace a profile NAME.")


@click.command("measure")
@click.argument("target", metavar="SCRIPT.py:FUNCTION")
@click.option(
    "--input",
    "shapes",
    required=True,
    multiple=True,
    metavar="[NAME=]SHAPE[:KIND]",
    help="Shape of an input of one sample: 3x224x224, 512:long, scalar:long, "
    "mask=512:bool. Repeat the option for each input, in order. NAME= passes it by "
    "keyword; B marks the batch where it is not the first dimension (512xBx256).",
)
@click.option("--batch", type=BATCH, required=True, help="Samples per GPU per step.")
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="amp",
    show_default=True,
    help="Precision of the training.",
)
@click.option(
    "--extends",
    "base",
    metavar="NAME",
    help="Profile to take data, epochs, optimizer and calibration from. Default: "
    f"{FOR_PICTURES} if pictures (3xHxW) go in.",
)
@dataset_option
@save_option
@force_option
@click.pass_obj
def measure(  # noqa: PLR0917  (one argument an option)
    context: Context,
    /,
    target: str,
    shapes: tuple[str, ...],
    batch: int,
    precision: Precision,
    base: str | None,
    datasets: tuple[str, ...],
    name: str | None,
    force: bool,
) -> None:
    """Measure what a PyTorch module needs, on the CPU.

    FUNCTION of SCRIPT.py returns the module; it is called without arguments. What a
    training step computes and holds is counted.

    \b
    Example:
      advisor workloads measure net.py:build --input 3x224x224 --batch 128 -o mine
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    store = Store(datasets, name, force)
    profile = measured(
        context,
        target,
        shapes,
        batch=batch,
        precision=precision,
        base=base,
        store=store,
    )
    finish(context, profile, store)


def finish(context: Context, profile: Workload, store: Store) -> None:
    """Save the profile or print it."""
    path = store.put(context, profile)
    if path is None:
        result(dump_workload(profile).rstrip("\n"))
    else:
        remark(f"saved: {path}")
