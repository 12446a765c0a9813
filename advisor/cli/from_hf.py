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
    "--tokens",
    type=BATCH,
    help="Tokens per sample. Required if the net reads or writes text.",
)
@click.option(
    "--target-tokens",
    "target",
    type=BATCH,
    help="Output tokens per sample, for a net that reads one text and writes another. "
    "Default: as many as it reads.",
)
@click.option(
    "--task",
    type=click.Choice(TASKS),
    help="Training task. Default: from 'architectures' in the file.",
)
@click.option(
    "--lora", "rank", type=BATCH, metavar="RANK", help="Train LoRA adapters of this rank."
)
@click.option(
    "--batch",
    type=BATCH,
    help="Samples per GPU per step. Default: those of the profile that it extends.",
)
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
    """Make a profile from a Hugging Face config.json.

    With the extra 'hf' installed, Transformers and PyTorch count the net: without
    weights, without the network and without code of the hub. Without it, formulas do.

    \b
    Example:
      advisor workloads from-hf config.json --tokens 2048 --lora 16 -o my-llm
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
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
