"""`advisor workloads measure`: a profile from code, and how a profile is finished."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

import click

from advisor.app.context import Context
from advisor.base.errors import UsageError
from advisor.cli.output import remark, result
from advisor.cli.user_data import UserData
from advisor.workloads import saved
from advisor.workloads.inputs import Inputs
from advisor.workloads.measure import count, measured_profile, need_torch
from advisor.workloads.parse import dump_workload
from advisor.workloads.profile import PRECISIONS, Precision, Workload
from advisor.workloads.script import load_function

BATCH = click.IntRange(min=1, max=10**9)

_FOR_PICTURES = "resnet50"
"""Profile whose data and recipe a net of pictures takes if none is said."""

dataset_option = click.option(
    "--dataset",
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
    help="Of a sample: 3x224x224, 512:long, scalar:long, mask=512:bool. Once for each "
    "input, in order; NAME= for a keyword; B where the batch is not the first dimension "
    "(512xBx256).",
)
@click.option("--batch", type=BATCH, required=True, help="Samples per GPU per step.")
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default="amp", show_default=True
)
@click.option(
    "--extends",
    "base",
    metavar="NAME",
    help="Profile that data, epochs, optimizer and level are taken from. Default: "
    f"{_FOR_PICTURES} if pictures (3xHxW) go in.",
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
    **where: Any,
) -> None:
    """Measure what a PyTorch module needs, on the CPU.

    FUNCTION of SCRIPT.py returns the module; it is called without arguments. What a
    training step computes and holds is counted.

    \b
    Example:
      advisor workloads measure net.py:build --input 3x224x224 --batch 128 -o mine
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    inputs = Inputs.parse(shapes)
    parent = context.library.load(_base(base, inputs, **where))
    data = checked(context, parent, **where)
    need_torch()  # the script needs it too, and would say less
    with redirect_stdout(sys.stderr):  # what the script prints is no result
        build = load_function(target, context.folder)
        counted = count(build, inputs, precision, remark)
    name = where["name"] or target.rpartition(":")[2]
    profile = measured_profile(parent, counted, inputs, name, batch, precision)
    if base is None and inputs.image is None:
        profile = _of_nobody(profile, shapes)
    finish(context, data.added_to(profile), **where)


def _base(
    base: str | None,
    inputs: Inputs,
    *,
    name: str | None,
    dataset: Sequence[str],
    **_: Any,
) -> str:
    """Return the profile that a net's data and recipe are taken from.

    Raises
    ------
    advisor.base.errors.UsageError
        if nobody said, and it cannot be guessed
    """
    if base is not None:
        return base
    if inputs.image is not None:
        remark(
            f"data, epochs and optimizer are those of {_FOR_PICTURES}; --extends NAME "
            "takes another profile's"
        )
        return _FOR_PICTURES
    if any(one.kind == "long" for one in inputs.each):
        near = "gpt2-124m, bert-base or llama-7b-lora for text"
    elif name is not None or dataset:
        near = "see 'advisor workloads list'"
    else:
        return _FOR_PICTURES
    message = (
        "--extends is needed: no profile is sure to have the data, epochs and optimizer "
        f"of such a net ({near})"
    )
    raise UsageError(message)


def _of_nobody(profile: Workload, shapes: Sequence[str]) -> Workload:
    """Return a profile whose data nobody said, each such figure an assumption."""
    why = f"assumption: of {_FOR_PICTURES}, as --extends names no profile"
    remark(
        f"only the net is counted: data, epochs and optimizer are {_FOR_PICTURES}'s and "
        "not yours; --extends NAME takes them from a profile like your training"
    )
    unsaid = (
        *("samples_per_epoch", "epochs", "disk_bytes_per_sample", "cpu_ms_per_sample"),
        *("cpu_ms_log_sd", "dataset_gb"),
    )
    sources = {**profile.sources, **dict.fromkeys(unsaid, why)}
    sample = f"input {', '.join(shapes)}"
    return replace(profile, sample=sample, task="not said", sources=sources)


def checked(
    context: Context,
    base: Workload,
    *,
    dataset: Sequence[str],
    name: str | None,
    force: bool,
) -> UserData:
    """Return the data sets that are asked for, once all that can be checked is."""
    if name is not None:
        saved.check_free(context.library, name, force=force)
    with redirect_stdout(sys.stderr):
        return UserData.parse(context, dataset, base)


def finish(
    context: Context,
    profile: Workload,
    *,
    name: str | None,
    force: bool,
    **_: Any,
) -> None:
    """Save the profile or print it."""
    text = dump_workload(profile)
    if name is None:
        result(text.rstrip("\n"))
        return
    saved.save_text(context.library, name, text, force=force)
    remark(f"saved: {saved.saved_path(context.library, name)}")
