"""`advisor workloads measure` and `from-hf`: a profile from code or a configuration."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from advisor.cli.environment import Environment
from advisor.cli.output import remark, result
from advisor.cli.user_data import UserData
from advisor.errors import UsageError
from advisor.workloads import saved
from advisor.workloads.inputs import Inputs
from advisor.workloads.load import read_text
from advisor.workloads.measure import count, measured_profile, need_torch
from advisor.workloads.parse import dump_workload
from advisor.workloads.profile import PRECISIONS, Precision, Workload
from advisor.workloads.script import load_function
from advisor.workloads.transformer import transformer_of, transformer_profile

_BATCH = click.IntRange(min=1, max=10**9)

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
    "-o", "--save", "name", metavar="NAME", help="Save it as yours. Default: print it."
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
@click.option("--batch", type=_BATCH, required=True, help="Samples a GPU and step.")
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
    environment: Environment,
    /,
    target: str,
    shapes: tuple[str, ...],
    batch: int,
    precision: Precision,
    base: str | None,
    **where: Any,
) -> None:
    """Count what a PyTorch module needs in a training step, on the CPU.

    FUNCTION of SCRIPT.py returns the module; it is called without arguments.

    \b
    advisor workloads measure net.py:build --input 3x224x224 --batch 128 -o mine
    advisor workloads measure net.py:build --input ids=512:long --input mask=512:bool \\
        --batch 32 --extends bert-base
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    inputs = Inputs.parse(shapes)
    parent = environment.library.load(_base(base, inputs, **where))
    data = _checked(environment, parent, **where)
    need_torch()  # the script needs it too, and would say less
    with redirect_stdout(sys.stderr):  # what the script prints is no result
        build = load_function(target, environment.folder)
        counted = count(build, inputs, precision, remark)
    name = where["name"] or target.rpartition(":")[2]
    profile = measured_profile(parent, counted, inputs, name, batch, precision)
    if base is None and inputs.image is None:
        profile = _of_nobody(profile, shapes)
    _finish(environment, data.added_to(profile), **where)


@click.command("from-hf")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--tokens", type=_BATCH, required=True, help="In a sample.")
@click.option("--lora", "rank", type=_BATCH, metavar="RANK", help="Adapters of a rank.")
@click.option("--batch", type=_BATCH, help="Samples a GPU and step. Default: the base's.")
@click.option(
    "--extends",
    "base",
    metavar="NAME",
    help="Profile that data, epochs, optimizer and level are taken from. Default: "
    "bert-base for encoders, llama-7b-lora with --lora, else gpt2-124m.",
)
@dataset_option
@save_option
@force_option
@click.pass_obj
def from_hf(  # noqa: PLR0917  (one argument an option)
    environment: Environment,
    /,
    config: Path,
    tokens: int,
    rank: int | None,
    batch: int | None,
    base: str | None,
    **where: Any,
) -> None:
    """Make a profile of a transformer from its config.json, by formula."""
    sizes = transformer_of(_json(config), str(config))
    usual = "llama-7b-lora" if rank else "gpt2-124m" if sizes.causal else "bert-base"
    parent = environment.library.load(base or usual)
    name = where["name"] or config.stem
    profile = transformer_profile(
        parent, sizes, name, tokens, lora_rank=rank, source=config.name
    )
    if batch is not None:
        sources = {**profile.sources, "batch_size": "set by the user"}
        profile = replace(profile, batch_size=batch, sources=sources)
    data = _checked(environment, profile, **where)
    _finish(environment, data.added_to(profile), **where)


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
    advisor.errors.UsageError
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


def _checked(
    environment: Environment,
    base: Workload,
    *,
    dataset: Sequence[str],
    name: str | None,
    force: bool,
) -> UserData:
    """Return the data sets that are asked for, once all that can be checked is."""
    if name is not None:
        saved.check_free(environment.library, name, force=force)
    with redirect_stdout(sys.stderr):
        return UserData.parse(environment, dataset, base)


def _finish(
    environment: Environment,
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
    saved.save_text(environment.library, name, text, force=force)
    remark(f"saved: {saved.saved_path(environment.library, name)}")


def _json(path: Path) -> dict[str, Any]:
    """Return the object of a JSON file."""
    try:
        document = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        message = f"{path}: no whole JSON: {error}"
        raise UsageError(message) from error
    if not isinstance(document, dict):
        message = f"{path}: a JSON object is expected, a config.json of a transformer"
        raise UsageError(message)
    return document
