"""Precision, optimizer, compiler and GPUs, from what was seen of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from advisor.measure.hooks.observation import Attention, Observation, Optimizer
from advisor.measure.seen.software import kind_of, software_figures


def optimizer(name: str, kept: float, *bases: str, **more: Any) -> Optimizer:
    return Optimizer(name=name, bases=list(bases), state_bytes_per_parameter=kept, **more)


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (optimizer("torch.optim.sgd.SGD", 0.0), "sgd"),
        (optimizer("torch.optim.sgd.SGD", 4.0, momentum=0.9), "momentum"),
        (optimizer("torch.optim.adamw.AdamW", 8.0), "adam"),
        (optimizer("torch.optim.adamw.AdamW", 4.0), "adam"),  # of half weights
        (optimizer("apex.optimizers.fused_adam.FusedAdam", 8.0), "adam"),
        (optimizer("bitsandbytes.optim.adamw.AdamW8bit", 2.03), "adam-8bit"),
        (optimizer("bitsandbytes.optim.adamw.PagedAdamW8bit", 2.0), "adam-8bit-paged"),
        (optimizer("transformers.optimization.Adafactor", 0.05), "adafactor"),
        (optimizer("lion_pytorch.Lion", 4.0), "lion"),
        (optimizer("prodigyopt.Prodigy", 16.0), "prodigy"),
        (optimizer("mine.Own", 8.0, "torch.optim.adam.Adam"), "adam"),
        (optimizer("mine.AdamAndMore", 12.0, "torch.optim.adam.Adam"), "stated"),
        (optimizer("mine.SignMomentum", 4.0, "torch.optim.Optimizer"), "stated"),
    ],
    ids=lambda one: getattr(one, "name", one),
)
def test_an_optimizer_is_known_by_name_and_by_what_it_keeps(
    seen: Optimizer, kind: str
) -> None:
    """A subclass too; one that keeps something else is of no kind."""
    assert kind_of(seen) == kind


def test_an_unknown_optimizer_states_its_bytes(pictures: Observation) -> None:
    """Weights and gradient besides."""
    own = optimizer("mine.Own", 12.0, is_main=True, dtypes={"float32": 480_000})
    figures = software_figures(replace(pictures, optimizers=[own]))
    assert figures["optimizer"].value == "stated"
    assert figures["state_bytes_per_trainable"].value == pytest.approx(4 + 4 + 12)


@pytest.mark.parametrize(
    ("changes", "precision"),
    [
        ({"autocast": "float16", "scaler": True}, "amp"),
        ({"autocast": "bfloat16"}, "bf16"),
        ({}, "tf32"),  # convolutions, which PyTorch lets use it
        ({"cudnn_tf32": False}, "fp32"),
    ],
)
def test_precision_is_what_computes(
    pictures: Observation, changes: dict[str, Any], precision: str
) -> None:
    """Autocast before what the weights are held in."""
    seen = replace(pictures, precision=replace(pictures.precision, **changes))
    figures = software_figures(seen)
    assert figures["precision"].value == precision
    assert figures["master_weights"].value is True


def test_matrices_have_a_flag_of_their_own(texts: Observation) -> None:
    """PyTorch leaves it off."""
    assert software_figures(texts)["precision"].value == "fp32"
    on = replace(texts, precision=replace(texts.precision, matmul_tf32=True))
    assert software_figures(on)["precision"].value == "tf32"
    attends = replace(texts, attention=Attention(eager_calls=8))
    assert software_figures(attends)["precision"].value == "fp32"


@pytest.mark.parametrize(("held", "kind"), [("float16", "fp16"), ("bfloat16", "bf16")])
def test_half_weights_have_no_masters(
    pictures: Observation, held: str, kind: str
) -> None:
    """All of it is in two bytes."""
    half = replace(pictures.optimizers[0], dtypes={held: 480_000})
    figures = software_figures(replace(pictures, optimizers=[half]))
    assert figures["precision"].value == kind
    assert figures["master_weights"].value is False


@pytest.mark.parametrize(
    ("changes", "compiled"),
    [({}, False), ({"calls": 1, "frames": 3}, True), ({"calls": 1, "frames": 0}, False)],
)
def test_compiled_is_what_was_compiled(
    pictures: Observation, changes: dict[str, Any], compiled: bool
) -> None:
    """To call `torch.compile` is not enough."""
    seen = replace(pictures, compiled=replace(pictures.compiled, **changes))
    assert software_figures(seen)["compiled"].value is compiled


@pytest.mark.parametrize(
    ("changes", "distributed", "sharding"),
    [
        ({"wrapper": "ddp", "world_size": 4, "gpus": 1}, "ddp", "none"),
        ({"wrapper": "fsdp", "sharding": "fsdp", "world_size": 2}, "ddp", "fsdp"),
        ({"wrapper": "deepspeed", "sharding": "zero2", "world_size": 2}, "ddp", "zero2"),
    ],
)
def test_several_gpus_are_seen(
    pictures: Observation, changes: dict[str, Any], distributed: str, sharding: str
) -> None:
    """And what they share."""
    seen = replace(pictures, distributed=replace(pictures.distributed, **changes))
    figures = software_figures(seen)
    assert figures["distributed"].value == distributed
    assert figures["sharding"].value == sharding


def test_threads_that_share_a_process_are_seen(pictures: Observation) -> None:
    """As `torch.nn.DataParallel` has them."""
    seen = replace(pictures.distributed, wrapper="data-parallel", gpus=2)
    figures = software_figures(replace(pictures, distributed=seen))
    assert figures["distributed"].value == "data-parallel"
