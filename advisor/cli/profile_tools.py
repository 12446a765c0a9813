"""`advisor workloads measure` and `from-hf`: a profile from code or a configuration."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from advisor.cli.environment import Environment
from advisor.cli.output import remark, result
from advisor.errors import UsageError
from advisor.hardware.core_speed import named_speed
from advisor.hardware.cpus import load_cpus
from advisor.ranking import load_tables
from advisor.workloads import saved
from advisor.workloads.dataset import look_at, this_cpu, with_dataset
from advisor.workloads.load import read_text
from advisor.workloads.measure import Input, count, load_builder, measured_profile
from advisor.workloads.parse import dump_workload
from advisor.workloads.profile import PRECISIONS, Precision, Workload
from advisor.workloads.transformer import transformer_of, transformer_profile

_BATCH = click.IntRange(min=1, max=10**9)

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
@click.option("--batch", type=_BATCH, required=True, help="Samples a GPU and step.")
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default="amp", show_default=True
)
@click.option(
    "--extends",
    "base",
    default="resnet50",
    show_default=True,
    metavar="NAME",
    help="Profile that data, epochs, optimizer and level are taken from.",
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
    _finish(environment, profile, **where)


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
    _finish(environment, profile, **where)


def _finish(
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
