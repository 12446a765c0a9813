"""`advisor workloads from-hf`: a profile from the configuration of a net of the hub."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from advisor.app.context import Context
from advisor.cli.output import remark
from advisor.cli.profile_tools import (
    BATCH,
    checked,
    dataset_option,
    finish,
    force_option,
    save_option,
)
from advisor.workloads.hf.families import TASKS, Task
from advisor.workloads.hf.needs import look_at, needs
from advisor.workloads.hf.settings import Settings, read_config
from advisor.workloads.transformer import profile_of, under_autocast


@click.command("from-hf")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--tokens", type=BATCH, help="In a sample. Needed where the net reads or writes text."
)
@click.option(
    "--target-tokens",
    "target",
    type=BATCH,
    help="Written for a sample, by a net that reads one text and writes another. "
    "Default: as many as it reads.",
)
@click.option(
    "--task",
    type=click.Choice(TASKS),
    help="What it is trained for. Default: what the file's 'architectures' says.",
)
@click.option("--lora", "rank", type=BATCH, metavar="RANK", help="Adapters of a rank.")
@click.option("--batch", type=BATCH, help="Samples a GPU and step. Default: the base's.")
@click.option(
    "--extends",
    "base",
    metavar="NAME",
    help="Profile that data, epochs, optimizer and level are taken from. Default: "
    "llama-7b-lora with --lora, else one of a like net.",
)
@dataset_option
@save_option
@force_option
@click.pass_obj
def from_hf(  # noqa: PLR0917  (one argument an option)
    context: Context,
    /,
    config: Path,
    tokens: int | None,
    target: int | None,
    task: Task | None,
    rank: int | None,
    batch: int | None,
    base: str | None,
    **where: Any,
) -> None:
    """Make a profile of a net of the Hugging Face hub from its config.json.

    Transformers and PyTorch count it where both are installed (the extra 'hf'), without
    weights, without the network and without code of the hub; else it is by formula.
    """
    known = look_at(Settings(read_config(config), config.name), task)
    usual = "llama-7b-lora" if rank else known.usual_base
    parent = context.library.load(base or usual)
    data = checked(context, parent, **where)
    autocast = under_autocast(parent, lora=rank is not None)
    found = needs(known, tokens, target, rank, autocast)
    name = where["name"] or config.stem
    text = f"{config.name}, {found.sample}"
    profile = profile_of(parent, found, name, text, lora_rank=rank)
    for note in known.notes:
        remark(f"note: {note}")
    if tokens is not None and not known.net.text:
        remark("note: --tokens has no effect: the net sees images, and reads no text")
    if batch is not None:
        sources = {**profile.sources, "batch_size": "set by the user"}
        profile = replace(profile, batch_size=batch, sources=sources)
    finish(context, data.added_to(profile), **where)
