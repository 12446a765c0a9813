"""Which architectures are known by formula, and how a configuration names its task."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

from advisor.base.errors import Given, UsageError
from advisor.workloads.hf.decoders import DECODERS
from advisor.workloads.hf.encoders import ENCODERS
from advisor.workloads.hf.mixtures import MIXTURES
from advisor.workloads.hf.multimodal import SEEING
from advisor.workloads.hf.net import Net
from advisor.workloads.hf.seq2seq import SEQ2SEQ
from advisor.workloads.hf.settings import Settings
from advisor.workloads.hf.vision import DUALS, TOWERS

Task = Literal["causal-lm", "masked-lm", "seq2seq", "encoder", "image-classification"]
"""What a net is trained for, as far as its head depends on it."""

TASKS: tuple[Task, ...] = get_args(Task)

KNOWN = frozenset().union(
    DECODERS, MIXTURES, ENCODERS, SEQ2SEQ, TOWERS, DUALS, SEEING
)  # fmt: skip
"""Types of models that are known by formula."""

_ENDINGS: tuple[tuple[str, Task], ...] = (
    ("ForMaskedLM", "masked-lm"),
    ("ForPreTraining", "masked-lm"),
    ("ForCausalLM", "causal-lm"),
    ("LMHeadModel", "causal-lm"),
    ("ForImageClassification", "image-classification"),
    ("ForConditionalGeneration", "seq2seq"),
    ("MTModel", "seq2seq"),
    ("ForSequenceClassification", "encoder"),
    ("ForTokenClassification", "encoder"),
    ("ForQuestionAnswering", "encoder"),
    ("Model", "encoder"),
)
"""End of the name of a class -> what it is for."""


def stated_task(settings: Settings) -> Task | None:
    """Return the task that a configuration states by the name of its class."""
    for name in settings.texts("architectures")[:1]:
        for ending, task in _ENDINGS:
            if name.endswith(ending):
                return task
    return None


def net_by_formula(settings: Settings, task: Task | None = None) -> Net:
    """Return the net of a configuration whose type is in `KNOWN`.

    Parameters
    ----------
    settings : the configuration
    task : what it is trained for; None: what the file states, else what is usual

    Raises
    ------
    advisor.base.errors.UsageError
        if a size is missing or cannot be right, or the task is not one of the family's
    """
    net = _net(settings, task)
    # Positions that the file does not state may be more than is usual.
    if any(
        key.endswith(("position_embeddings", "positions")) for key in settings.assumed
    ):
        return replace(net, limit=None, target_limit=None)
    return net


def _net(settings: Settings, task: Task | None) -> Net:
    """Return the net of a configuration, by the family of its type."""
    kind = settings.kind
    wanted = task or stated_task(settings)
    if kind in DECODERS or kind in MIXTURES:
        net = (DECODERS.get(kind) or MIXTURES[kind]).net(settings)
        headless = wanted == "encoder"
        _check(settings, task, "causal-lm", "encoder")
        return net.without_output() if headless else net
    if kind in ENCODERS:
        _check(settings, task, "masked-lm", "encoder")
        return ENCODERS[kind].net(settings, masked=wanted == "masked-lm")
    if kind in TOWERS:
        _check(settings, task, "image-classification", "encoder")
        classified = wanted == "image-classification"
        return TOWERS[kind].net(settings, classes=_classes(settings) if classified else 0)
    if kind in SEQ2SEQ:
        _check(settings, task, "seq2seq")
        if any(name.endswith("EncoderModel") for name in settings.texts("architectures")):
            settings.refuse("architectures", "a class with encoder and decoder")
        return SEQ2SEQ[kind].net(settings)
    if kind in DUALS:
        _check(settings, task, "encoder")
        return DUALS[kind].net(settings)
    _check(settings, task, "causal-lm")
    return SEEING[kind].net(settings)


def _check(settings: Settings, task: Task | None, *possible: Task) -> None:
    """Refuse a task that the user asks for and the family does not have.

    Raises
    ------
    advisor.base.errors.UsageError
        if it does not
    """
    if task is not None and task not in possible:
        raise UsageError(
            *(f"{settings.origin}: ", Given("task"), f" {task}: {settings.kind} is "),
            f"known by formula for {' and '.join(possible)}",
        )


def _classes(settings: Settings) -> int:
    """Return how many classes a head has: two where nothing is stated."""
    names = settings.values.get("id2label")
    if isinstance(names, dict) and names:
        return len(names)
    return settings.size("num_labels", usual=2)
