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
    dataset: tuple[str, ...],
    name: str | None,
    force: bool,
) -> None:
    """Make a profile of a net of the Hugging Face hub from its config.json.

    Transformers and PyTorch count it where both are installed (the extra 'hf'), without
    weights, without the network and without code of the hub; else it is by formula.
    """
    store = Store(dataset, name, force)
    profile = of_hub(
        context,
        config,
        tokens=tokens,
        target_tokens=target,
        task=task,
        lora_rank=rank,
        batch=batch,
        base=base,
        store=store,
    )
    finish(context, profile, store)
