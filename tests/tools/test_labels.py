"""How figures were measured: what their sources say, and nothing that they do not."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Tool = Callable[[str], ModuleType]

FIGURE: dict[str, Any] = {
    "source": "lab/bench",
    "source_path": "README.md",
    "year": float("nan"),
    "model": "resnet50",
    "framework": "pytorch 2.9",
    "precision": "amp",
    "num_gpus": 1.0,
    "synthetic_data": "",
    "notes": "",
    "family": "cnn",
    **dict.fromkeys(("technique", "compiled", "attention", "memory_format"), ""),
    **dict.fromkeys(("optimizer", "distributed", "checkpointing", "base"), ""),
}


def labels(tool: Tool, **told: object) -> dict[str, str]:
    """Return the labels that are not empty."""
    found = tool("benchmark_labels").labels_of(FIGURE | told)
    return {name: word for name, word in found.items() if word}


def test_nothing_is_guessed(tool: Tool) -> None:
    """A bare figure has the version of its framework and no more."""
    assert labels(tool) == {"framework_version": "2.9", "framework_year": "2025"}
    assert labels(tool, framework="mxnet") == {}


def test_before_pytorch_2_nothing_was_compiled(tool: Tool) -> None:
    """Known by the version, or by the year of the figure."""
    assert labels(tool, framework="pytorch 1.13.0a0+d0d6b1f")["compiled"] == "eager"
    assert labels(tool, framework="pytorch", year=2021.0)["compiled"] == "eager"
    assert "compiled" not in labels(tool, framework="pytorch", year=2023.0)


@pytest.mark.parametrize(
    ("told", "label", "word"),
    [
        ({"notes": "FSDP + torch.compile; 8 GPUs"}, "compiled", "compiled"),
        ({"notes": "flash attention"}, "attention", "flash"),
        ({"notes": "act ckpt False"}, "checkpointing", "none"),
        ({"notes": "gradient checkpointing"}, "checkpointing", "full"),
        ({"notes": "no gradient checkpointing"}, "checkpointing", "none"),
        ({"model": "falcon-7b QLoRA"}, "technique", "qlora"),
        ({"model": "llama3.1-8b lora"}, "technique", "lora"),
        ({"synthetic_data": "true"}, "loader", "synthetic"),
        ({"synthetic_data": "False"}, "loader", "real"),
        ({"source": "x/pytorch-gpu-benchmark"}, "distributed", "DataParallel"),
        (
            {"source": "lambdal/deeplearning-benchmark", "num_gpus": 4.0},
            "distributed",
            "DDP",
        ),
        (
            {
                "source": "huggingface/pytorch-image-models",
                "source_path": "results/benchmark-train-amp-nhwc-pt112-cu113-rtx3090.csv",
            },
            "memory_format",
            "channels-last",
        ),
        (
            {
                "source": "lambdal/lambda-tensorflow-benchmark",
                "framework": "tensorflow 2.2",
            },
            "compiled",
            "graph",
        ),
    ],
)
def test_what_a_source_says_is_a_label(
    told: dict[str, Any], label: str, word: str, tool: Tool
) -> None:
    """In its notes, its name of the model, its columns, or by its known script."""
    assert labels(tool, **told)[label] == word


def test_the_steps_of_a_list_of_optimizations_have_no_label(tool: Tool) -> None:
    """Each holds what those above it hold, which no line says."""
    notes = "+ torch.compile; cumulative optimisation steps"
    assert not {"compiled", "attention"} & set(labels(tool, notes=notes))


def test_a_file_that_states_labels_is_believed(tool: Tool) -> None:
    """Its empty cells stay empty, whatever the notes say."""
    told = labels(tool, technique="lora", notes="torch.compile", framework="pytorch 1.9")
    assert told["technique"] == "lora"
    assert "compiled" not in told


def test_a_label_has_its_words(tool: Tool) -> None:
    """Each year of a release has a version before it; labels have no other words."""
    module = tool("benchmark_labels")
    assert set(module.LABELS) <= set(FIGURE)
    for versions in module.RELEASED.values():
        years = list(versions.values())
        assert years == sorted(years)


AMPERE, ADA, TURING = (8, 0), (8, 9), (7, 5)


def ran(tool: Tool, **told: object) -> str:
    """Return what a figure ran in that its source calls FP32, on an A100."""
    module = tool("single_precision")
    known = module.Ran("fp32", AMPERE, "", "pytorch", None, None, "cnn", "resnet50")
    text: str = module.single_precision(known._replace(**told))
    return text


@pytest.mark.parametrize(
    ("told", "is_"),
    [
        ({"capability": TURING}, "fp32"),  # no TF32 there
        ({"capability": None}, "fp32"),  # another maker's
        ({"stated": "tf32"}, "tf32"),
        ({"stated": "tf32", "capability": TURING}, "fp32"),
        ({"stated": "amp"}, ""),
        ({"stated": ""}, ""),
        ({"script": "on", "version": (1, 6)}, "tf32"),
        ({"script": "off", "version": (1, 9)}, "fp32"),
        ({"script": "doubtful", "version": (2, 6)}, "unknown"),
        # Defaults of PyTorch: CUDA semantics, TensorFloat-32.
        ({"version": (1, 6)}, "fp32"),
        ({"version": (1, 7)}, "tf32"),
        ({"version": (1, 11), "family": "transformer"}, "tf32"),
        ({"version": (1, 12), "family": "transformer"}, "fp32"),
        ({"version": (1, 12), "family": "cnn"}, "tf32"),
        ({"version": (2, 8), "family": "rnn"}, "tf32"),
        ({"version": (2, 8), "family": "diffusion"}, "unknown"),  # both
        ({"version": (2, 8), "workload": "convnext_base"}, "unknown"),
        # Of TensorFlow: release notes of 2.4.
        ({"framework": "tensorflow", "version": (2, 3)}, "fp32"),
        (
            {"framework": "tensorflow", "version": (2, 4), "family": "transformer"},
            "tf32",
        ),
        # No version: the year, where every version of it agrees.
        ({}, "unknown"),
        ({"year": 2021.0, "family": "transformer"}, "tf32"),
        ({"year": 2022.0, "family": "transformer"}, "unknown"),
        ({"year": 2025.0}, "tf32"),
        ({"capability": ADA, "family": "transformer"}, "fp32"),  # no older build runs
        ({"framework": "mxnet", "year": 2021.0}, "unknown"),
    ],
)
def test_fp32_is_plain_tf32_or_unknown(
    told: dict[str, Any], is_: str, tool: Tool
) -> None:
    """By the card, the script, the framework's version, and what the net computes."""
    assert ran(tool, **told) == is_


def test_notes_and_sources_tell_of_a_script(tool: Tool) -> None:
    """What the notes say goes first; the first script of GPU-Insights leaves TF32 off."""
    script = tool("single_precision").script_of
    assert script("adam_torch, tf32 off", on_by_source=True) == "off"
    assert script("label FP32", on_by_source=True) == "on"
    assert script("script ver1; memory 8GB", on_by_source=True) == ""
    assert script("written fp32; TF32 by default of the framework", False) == "on"
    assert script("TF32 and autocast state not stated", False) == "doubtful"
    assert script("", False) == ""


@pytest.mark.slow
def test_most_rows_of_the_table_have_a_trusted_single_precision(tool: Tool) -> None:
    """And what is called TF32 today is nowhere plain FP32."""
    table, _ = tool("compile_benchmarks").compile_table(tool("sources").read_training())
    single = table[table["precision"].isin(["fp32", "tf32"])]
    assert (single["single_precision"] == "unknown").mean() < 0.02
    tf32 = single[single["precision"].eq("tf32")]
    assert set(tf32["single_precision"]) == {"tf32"}
