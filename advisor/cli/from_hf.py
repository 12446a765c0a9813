"""`advisor workloads from-hf`: a profile from the configuration of a net of the hub."""

from __future__ import annotations

from pathlib import Path

import click

from advisor.app.context import Context
from advisor.app.profiles import Store, of_hub
from advisor.cli.profile_tools import (
    BATCH,
    dataset_option,
    finish,
    force_option,
    save_option,
)
from advisor.workloads.hf.families import TASKS, Task


@click.command("from-hf")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--tokens",
    type=BATCH,
    help="Tokens per sample. Required if the net reads or writes text.",
)
@click.option(
    "--target-tokens",
    "target_tokens",
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
    "--lora",
    "lora_rank",
    type=BATCH,
    metavar="RANK",
    help="Train LoRA adapters of this rank.",
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
    help="Profile to take data, epochs, optimizer and calibration from. Default: "
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
    target_tokens: int | None,
    task: Task | None,
    lora_rank: int | None,
    batch: int | None,
    base: str | None,
    datasets: tuple[str, ...],
    name: str | None,
    force: bool,
) -> None:
    """Make a profile from a Hugging Face config.json.

    If the extra 'hf' is installed, Transformers and PyTorch count the net; they download
    no weights and run no code of the hub. Otherwise formulas count it.

    \b
    Example:
      advisor workloads from-hf config.json --tokens 2048 --lora 16 -o my-llm
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    store = Store(datasets, name, force)
    profile = of_hub(
        context,
        config,
        tokens=tokens,
        target_tokens=target_tokens,
        task=task,
        lora_rank=lora_rank,
        batch=batch,
        base=base,
        store=store,
    )
    finish(context, profile, store)
