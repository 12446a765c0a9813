"""How the figures of the benchmark table were measured, as far as their sources say.

A file of figures may state the labels itself (`LABELS` are columns that it may have).
For sources that do not, `labels_of` reads them off the figure's own fields: the version
of the framework, the notes, and what is known of the source's script (`SCRIPTS`). A label
that nobody states is empty: it is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from benchmark_names import PTGB

LABELS: Mapping[str, tuple[str, ...]] = {
    "technique": ("full", "lora", "lokr", "qlora"),
    "compiled": ("eager", "graph", "compiled"),
    "attention": ("eager", "sdpa", "flash", "memory-efficient"),
    "memory_format": ("contiguous", "channels-last"),
    "optimizer": ("fused", "8-bit", "4-bit", "in-backward", "offload"),
    "distributed": (
        "DataParallel",
        "DDP",
        "FSDP",
        "ZeRO",
        "ZeRO-1",
        "ZeRO-2",
        "ZeRO-3",
        "model-parallel",
    ),
    "checkpointing": ("none", "selective", "full", "offload"),
    "base": (),
}
"""Label -> its words, all besides the empty one; `base` is free.

``compiled``: ``graph`` is a framework that runs a graph of its kernels without fusing
them (TensorFlow without XLA), ``compiled`` is ``torch.compile`` or XLA. ``distributed``:
``DDP`` is one process per GPU that averages gradients, whatever the library (Horovod
too). ``checkpointing``: of activations; ``offload`` moves them to the host. ``base``: how
frozen weights are kept, ``none`` for as they compute, else bits and library
(``int8-torchao``)."""

DERIVED = ("loader", "framework_version", "framework_year", "single_precision")
"""Labels that follow from other columns of a file; the last is `single_precision`'s."""

# Year of a minor version's first release: tags of pytorch/pytorch, tensorflow/tensorflow.
RELEASED: Mapping[str, Mapping[str, int]] = {
    "pytorch": {
        **dict.fromkeys(("0.4", "1.0"), 2018),
        **dict.fromkeys(("1.1", "1.2", "1.3"), 2019),
        **dict.fromkeys(("1.4", "1.5", "1.6", "1.7"), 2020),
        **dict.fromkeys(("1.8", "1.9", "1.10"), 2021),
        **dict.fromkeys(("1.11", "1.12", "1.13"), 2022),
        **dict.fromkeys(("2.0", "2.1"), 2023),
        **dict.fromkeys(("2.2", "2.3", "2.4", "2.5"), 2024),
        **dict.fromkeys(("2.6", "2.7", "2.8", "2.9"), 2025),
    },
    "tensorflow": {
        **dict.fromkeys(("1.14", "1.15", "2.0"), 2019),
        **dict.fromkeys(("2.1", "2.2", "2.3", "2.4"), 2020),
        **dict.fromkeys(("2.5", "2.6", "2.7"), 2021),
        **dict.fromkeys(("2.8", "2.9", "2.10", "2.11"), 2022),
        **dict.fromkeys(("2.12", "2.13", "2.14", "2.15"), 2023),
        **dict.fromkeys(("2.16", "2.17", "2.18"), 2024),
    },
}

FIRST_COMPILE = (2, 0)
"""``torch.compile`` and ``scaled_dot_product_attention`` came with PyTorch 2.0 (release
notes, March 2023); before, nets ran eagerly and attention was matrix products and
softmax, but where a library brought its own kernel."""

FIRST_COMPILE_YEAR = 2023

TIMM = "huggingface/pytorch-image-models"
DLE = "NVIDIA/DeepLearningExamples"
LAMBDA = "lambdal/deeplearning-benchmark"
LAMBDA_TF = "lambdal/lambda-tensorflow-benchmark"

# What is known of a source's script, whatever the version: the start of the source's name
# -> its labels. Lambda's PyTorch runs are NVIDIA's DeepLearningExamples, one process per
# GPU, without torch.compile; tf_cnn_benchmarks and Horovod likewise average gradients.
SCRIPTS: Mapping[str, Mapping[str, str]] = {
    LAMBDA: {"compiled": "eager", "technique": "full"},
    LAMBDA_TF: {"technique": "full"},
    DLE: {"technique": "full"},
    TIMM: {"technique": "full"},
    "facebookresearch/detectron2": {"technique": "full"},
    "libffcv/ffcv-imagenet": {"technique": "full", "memory_format": "channels-last"},
    "NVlabs/": {"technique": "full"},
    "mosaicml/llm-foundry": {"technique": "full", "distributed": "FSDP"},
    "siasosp23/artifacts": {"technique": "full"},
    "stanford-futuredata/gavel": {"technique": "full"},
    "xiaoran007/GPU-Insights": {"technique": "full"},
    "cgnorthcutt/cnn-gpu-benchmarks": {"technique": "full"},
    "unnamed public table id 4894008502": {"checkpointing": "full"},
}

# Sources that run one process per GPU when they use several.
DATA_PARALLEL = (LAMBDA, DLE, "facebookresearch/detectron2", "NVlabs/", "siasosp23/")

# NVIDIA's recipes state NHWC for mixed precision: classification and detection of
# PyTorch, MXNet and PaddlePaddle.
NHWC_RECIPES = re.compile(r"PyTorch/(Classification|Detection)|MxNet/|PaddlePaddle/")

_LOADERS = {"true": "synthetic", "false": "real"}

# Words of notes and of the framework's name -> label, first match.
_NOTES = (
    ("compiled", "compiled", r"torch\.compile|; XLA|\+ XLA"),
    ("attention", "flash", r"flash attention|FlashAttention|flash-attn"),
    ("attention", "sdpa", r"TorchSDPA"),
    ("attention", "memory-efficient", r"xformers"),
    ("optimizer", "8-bit", r"adamw_8bit|8-bit Adam"),
    ("base", "4-bit-bitsandbytes", r"bitsandbytes 4-bit"),
    ("checkpointing", "none", r"no gradient checkpointing|act ckpt False"),
    ("checkpointing", "selective", r"[Ss]elective activation checkpointing"),
    ("checkpointing", "full", r"act ckpt True|Full activation check|gradient checkpoint"),
)


def version_of(framework: object, name: str) -> tuple[int, int] | None:
    """Return major and minor version of a framework by its text, None where unknown.

    ``"pytorch 1.13.0a0+d0d6b1f"`` of ``"pytorch"`` is (1, 13).
    """
    found = re.search(rf"^{name}\w* (\d+)\.(\d+)", str(framework).lower())
    return (int(found[1]), int(found[2])) if found else None


def released(name: str, version: tuple[int, int] | None) -> str:
    """Return the year of a framework's version, empty where unknown."""
    if version is None:
        return ""
    return str(RELEASED.get(name, {}).get("{}.{}".format(*version), ""))


def technique_of(model: str) -> str:
    """Return how a language or diffusion model is tuned, by its name in the source."""
    for technique, pattern in (
        ("qlora", r"qlora(?!/)"), ("lora", r"lora(?!/)"), ("full", r"\bfull\b")
    ):  # fmt: skip
        if re.search(pattern, model.lower()) and "/qlora" not in model.lower():
            return technique
    return ""


def labels_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the `LABELS` of one figure, and of `DERIVED` all but the last.

    What the file states comes first, then the notes and the version, then the script.

    Parameters
    ----------
    row : with the columns of a file of figures and `family`
    """
    source, notes = str(row["source"]), str(row["notes"])
    told = f"{notes}; {row['framework']}"
    labels = {name: _text(row[name]) for name in LABELS}
    name, version = framework_of(row)
    labels["framework_version"] = "{}.{}".format(*version) if version else ""
    labels["framework_year"] = released(name, version)
    labels["loader"] = _LOADERS.get(_text(row["synthetic_data"]).lower(), "")
    if any(_text(row[name]) for name in LABELS):
        return labels  # the file tells what is known
    for label, word, pattern in _NOTES:
        if not labels[label] and re.search(pattern, told):
            labels[label] = word
    labels["technique"] = technique_of(str(row["model"]))
    for label, word in _script(row, name, version).items():
        labels[label] = labels[label] or word
    if "cumulative" in notes:  # a step of a list holds what the steps above it hold
        labels |= dict.fromkeys(("compiled", "attention"), "")
    if source.endswith("torchtitan") and not labels["compiled"]:
        labels["compiled"] = "eager"  # its tables set both beside each other
    return labels


def framework_of(row: Mapping[str, Any]) -> tuple[str, tuple[int, int] | None]:
    """Return the framework's name and version of one figure.

    timm's files say it in their names: ``pt110``, which its column writes as 1.1.
    """
    text = str(row["framework"])
    if row["source"] == TIMM:
        found = re.search(r"-pt1(\d\d)-", str(row["source_path"]))
        return "pytorch", (1, int(found[1])) if found else None
    for name in ("pytorch", "tensorflow"):
        if text.lower().startswith(name):
            return name, version_of(text, name)
    return "", None


def _script(
    row: Mapping[str, Any], name: str, version: tuple[int, int] | None
) -> dict[str, str]:
    """Return the labels that follow from a source's script and the version it ran."""
    source = str(row["source"])
    labels: dict[str, str] = {}
    for start, known in SCRIPTS.items():
        if source.startswith(start):
            labels |= known
    if source.endswith(PTGB):
        labels |= {"technique": "full", "compiled": "eager"}
    labels |= {"distributed": _distributed(row, labels.get("distributed", ""))}
    labels |= {"memory_format": labels.get("memory_format", "") or _memory_format(row)}
    if name == "pytorch":
        old = version < FIRST_COMPILE if version else row["year"] < FIRST_COMPILE_YEAR
        labels |= {"compiled": "eager"} if old else {}
        attends = source == TIMM and row["family"] == "transformer"
        labels |= {"attention": "eager"} if old and attends else {}
    elif name == "tensorflow" and source in {LAMBDA_TF, DLE}:
        labels["compiled"] = "graph"
    return labels


def _distributed(row: Mapping[str, Any], known: str) -> str:
    """Return how the GPUs of a run share the work; `known` is what the script does."""
    source, told = str(row["source"]), f"{row['framework']} {row['notes']}"
    if source.endswith(PTGB):
        return "DataParallel"
    if not (pd.notna(row["num_gpus"]) and row["num_gpus"] > 1):
        return known
    if source.startswith(DATA_PARALLEL) and "DLRM" not in str(row["source_path"]):
        return "DDP"
    found = re.search(r"FSDP|\bDDP\b", told)
    return found.group() if found else known


def _memory_format(row: Mapping[str, Any]) -> str:
    source, path = str(row["source"]), str(row["source_path"])
    if source == TIMM and (found := re.search(r"nhwc|nchw", path)):
        return "channels-last" if found.group() == "nhwc" else "contiguous"
    recipe = source == DLE and NHWC_RECIPES.match(path) and row["precision"] == "amp"
    return "channels-last" if recipe else ""


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value)
