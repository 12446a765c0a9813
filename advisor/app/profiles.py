"""Profiles of the user's own nets and data: measured, finished, and saved or shown."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

from advisor.app.context import Context
from advisor.app.user_data import UserData
from advisor.base.errors import Given, UsageError
from advisor.workloads import saved
from advisor.workloads.dump import dump_workload
from advisor.workloads.hf.families import Task
from advisor.workloads.hf.needs import look_at, needs
from advisor.workloads.hf.settings import Settings, read_config
from advisor.workloads.inputs import Inputs
from advisor.workloads.measure import count, measured_profile, need_torch
from advisor.workloads.profile import Precision, Workload
from advisor.workloads.script import load_function
from advisor.workloads.transformer import profile_of, under_autocast

FOR_PICTURES = "resnet50"
"""Profile whose data and recipe a net of pictures takes if none is said."""


@dataclass(frozen=True, slots=True)
class Store:
    """Which data a profile is made with, and where it goes.

    Attributes
    ----------
    datasets : folders and functions of scripts, see `UserData.parse`
    name : under which it is saved as the user's; None: it is not saved
    force : a profile of that name may be replaced
    """

    datasets: tuple[str, ...] = ()
    name: str | None = None
    force: bool = False

    def data(self, context: Context, base: Workload) -> UserData:
        """Return the data sets, once all that can be checked is.

        Raises
        ------
        UsageError
            if the name is taken, or there is no such data set
        """
        if self.name is not None:
            saved.check_free(context.library, self.name, force=self.force)
        with redirect_stdout(sys.stderr):  # what a script prints is no result
            return UserData.parse(context, self.datasets, base)

    def put(self, context: Context, profile: Workload) -> Path | None:
        """Save a profile; return its file, None where it is not saved."""
        if self.name is None:
            return None
        text = dump_workload(profile)
        saved.save_text(context.library, self.name, text, force=self.force)
        return saved.saved_path(context.library, self.name)


def measured(
    context: Context,
    target: str,
    shapes: Sequence[str],
    *,
    batch: int,
    precision: Precision = "amp",
    base: str | None = None,
    store: Store = Store(),
) -> Workload:
    """Return what a PyTorch module needs in a training step, counted on the CPU.

    Parameters
    ----------
    target : ``SCRIPT.py:FUNCTION``, which returns the module
    shapes : of a sample's inputs, see `Inputs.parse`
    batch : samples per GPU and step
    base : profile that data, epochs, optimizer and level are taken from; None: guessed
        where that can be

    Raises
    ------
    UsageError
        if the function or its module cannot be run so
    """
    inputs = Inputs.parse(shapes)
    parent = context.library.load(_base_of(context, base, inputs, store))
    data = store.data(context, parent)
    need_torch()  # the script needs it too, and would say less
    with redirect_stdout(sys.stderr):  # what the script prints is no result
        build = load_function(target, context.folder)
        counted = count(build, inputs, precision, context.notify)
    name = store.name or target.rpartition(":")[2]
    profile = measured_profile(parent, counted, inputs, name, batch, precision)
    if base is None and inputs.image is None:
        profile = _of_nobody(context, profile, shapes)
    return data.added_to(profile)


def of_hub(
    context: Context,
    config: Path,
    *,
    tokens: int | None = None,
    target_tokens: int | None = None,
    task: Task | None = None,
    lora_rank: int | None = None,
    batch: int | None = None,
    base: str | None = None,
    store: Store = Store(),
) -> Workload:
    """Return the profile of a net of the Hugging Face hub from its config.json.

    Parameters
    ----------
    tokens, target_tokens : in a sample, read and written; None: the net needs none
    task : what it is trained for; None: as the file's ``architectures`` say
    lora_rank : of adapters; None: all of it is trained
    batch : samples per GPU and step; None: the base's
    base : profile that data, epochs, optimizer and level are taken from; None: of a like
        net

    Raises
    ------
    UsageError
        if the file cannot be read, or such a net is not known
    """
    known = look_at(Settings(read_config(config), config.name), task)
    usual = "llama-7b-lora" if lora_rank else known.usual_base
    parent = context.library.load(base or usual)
    data = store.data(context, parent)
    autocast = under_autocast(parent, lora=lora_rank is not None)
    found = needs(known, tokens, target_tokens, lora_rank, autocast)
    name = store.name or config.stem
    text = f"{config.name}, {found.sample}"
    profile = profile_of(parent, found, name, text, lora_rank=lora_rank)
    for note in known.notes:
        context.notify(f"note: {note}")
    if tokens is not None and not known.net.text:
        context.notify(
            f"note: {context.called('tokens')} has no effect: the net sees images, and "
            "reads no text"
        )
    if batch is not None:
        sources = {**profile.sources, "batch_size": "set by the user"}
        profile = replace(profile, batch_size=batch, sources=sources)
    return data.added_to(profile)


def _base_of(context: Context, base: str | None, inputs: Inputs, store: Store) -> str:
    """Return the profile that a net's data and recipe are taken from.

    Raises
    ------
    advisor.base.errors.UsageError
        if nobody said, and it cannot be guessed
    """
    if base is not None:
        return base
    if inputs.image is not None:
        context.notify(
            f"data, epochs and optimizer are those of {FOR_PICTURES}; "
            f"{context.called('base')} NAME takes another profile's"
        )
        return FOR_PICTURES
    if any(one.kind == "long" for one in inputs.each):
        near = "gpt2-124m, bert-base or llama-7b-lora for text"
    elif store.name is not None or store.datasets:
        near = "see 'advisor workloads list'"
    else:
        return FOR_PICTURES
    raise UsageError(
        Given("base"),
        " is needed: no profile is sure to have the data, epochs and optimizer of such "
        f"a net ({near})",
    )


def _of_nobody(context: Context, profile: Workload, shapes: Sequence[str]) -> Workload:
    """Return a profile whose data nobody said, each such figure an assumption."""
    why = f"assumption: of {FOR_PICTURES}, as no profile is extended"
    context.notify(
        f"only the net is counted: data, epochs and optimizer are {FOR_PICTURES}'s and "
        f"not yours; {context.called('base')} NAME takes them from a profile like your "
        "training"
    )
    unsaid = (
        *("samples_per_epoch", "epochs", "disk_bytes_per_sample", "cpu_ms_per_sample"),
        *("cpu_ms_log_sd", "dataset_gb"),
    )
    sources = {**profile.sources, **dict.fromkeys(unsaid, why)}
    sample = f"input {', '.join(shapes)}"
    return replace(profile, sample=sample, task="not said", sources=sources)
