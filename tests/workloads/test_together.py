"""Figures of a profile that cannot be beside each other, and packing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.workloads.load import list_workloads, load_workload
from advisor.workloads.override import override
from advisor.workloads.parse import parse_workload
from advisor.workloads.profile import Workload

LORA = load_workload("llama-8b-lora")
OF_TOKENS = [one for one in list_workloads() if one.tokens_per_sample]
WITH_PADDING = [one for one in OF_TOKENS if one.padding_share]


@pytest.mark.parametrize(
    ("name", "figures", "key"),
    [
        ("resnet50", {"padding_share": 0.5}, "padding_share"),
        ("resnet50", {"packed": True}, "packed"),
        ("resnet50", {"technique": "lora"}, "trainable_parameters_m"),
        ("resnet50", {"embedding_parameters_m": 30}, "embedding_parameters_m"),
        ("llama-8b-lora", {"padding_share": 1.0}, "padding_share"),
        ("llama-8b-lora", {"technique": "qlora"}, "base_weights"),
        (
            "llama-8b-full",
            {"distributed": "data-parallel"},
            "distributed",
        ),
    ],
)
def test_what_cannot_be_is_refused(name: str, figures: dict[str, Any], key: str) -> None:
    """In one line that names the key and says what is expected."""
    with pytest.raises(UsageError) as caught:
        override(load_workload(name), figures)
    message = str(caught.value)
    assert f": {key}: " in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("attention", "paged"),
        ("base_weights", "int3"),
        ("distributed", "fsdp"),
        ("loader", "none"),
        ("memory_format", "n/a"),
        ("optimizer", "adamw"),
        ("technique", "dora"),
    ],
)
def test_a_choice_lists_what_there_is(key: str, value: str) -> None:
    """A word that is none of them is refused with all of them."""
    with pytest.raises(UsageError, match=f"{key}: one of .* is expected"):
        override(LORA, {key: value})


def test_qlora_by_hand() -> None:
    """LoRA with NF4: 7.0 billion weights of 0.516 bytes, 1.05 billion of two."""
    qlora = override(LORA, {"base_weights": "nf4", "technique": "qlora"})
    assert qlora.technique == "qlora"
    assert qlora.embedding_parameters_m == pytest.approx(1050.7, abs=0.1)


@given(st.sampled_from(WITH_PADDING))
def test_packing_keeps_the_tokens_that_count(workload: Workload) -> None:
    """Fewer samples without padding: an epoch teaches the same tokens."""
    packed = override(workload, {"packed": True})
    assert packed.padding_share == 0.0
    assert packed.samples_per_epoch < workload.samples_per_epoch
    epoch = workload.samples_per_epoch * workload.counted_tokens_per_sample
    again = packed.samples_per_epoch * packed.counted_tokens_per_sample
    assert again == pytest.approx(epoch)
    same = packed.forward_gflops_per_sample, packed.tokens_per_sample
    assert same == (workload.forward_gflops_per_sample, workload.tokens_per_sample)
    assert "packed" in packed.sources["samples_per_epoch"]


def test_packing_in_a_file_is_packing_on_the_command_line() -> None:
    """A profile that extends another and packs it has the samples that follow."""
    text = 'extends = "llama-8b-lora"\npacked = true\n'
    file = parse_workload(text, "mine.toml", lambda _: LORA, "mine")
    line = override(LORA, {"packed": True})
    assert file.samples_per_epoch == line.samples_per_epoch == pytest.approx(13_000.5)


@pytest.mark.parametrize("own", [{"samples_per_epoch": 9000}, {"padding_share": 0.02}])
def test_what_the_user_counts_stands(own: dict[str, Any]) -> None:
    """Stated samples or padding are not made anything else."""
    packed = override(LORA, {"packed": True, **own})
    for key, value in own.items():
        assert getattr(packed, key) == value
    assert packed.samples_per_epoch == own.get("samples_per_epoch", 52_002)


@pytest.mark.parametrize("workload", OF_TOKENS, ids=lambda one: one.name)
def test_tokens_are_those_that_the_sample_says(workload: Workload) -> None:
    """The sample's own words have the number of positions, packed ones no padding."""
    assert f"{workload.tokens_per_sample:,.0f} tokens" in workload.sample
    assert not (workload.packed and workload.padding_share)
    assert 0.0 < workload.counted_tokens_per_sample <= workload.tokens_per_sample


def test_a_profile_says_its_reference_s_order_of_dimensions() -> None:
    """Built-in profiles run as what their level was measured on."""
    for workload in list_workloads():
        channels_last = workload.reference.memory_format == "channels-last"
        assert (workload.memory_format == "channels-last") == channels_last, workload.name


def test_techniques_of_built_in_profiles() -> None:
    """A profile that is called LoRA freezes its net, one of all weights does not."""
    for workload in list_workloads():
        adapters = workload.trainable_parameters_m < 0.1 * workload.parameters_m
        assert (workload.technique != "full") == adapters, workload.name


def test_other_activations_are_checkpointed_in_proportion() -> None:
    """What checkpointing keeps follows the activations, unless it is stated too."""
    wan = load_workload("wan-lora")
    half = override(wan, {"activation_mb_per_sample": wan.activation_mb_per_sample / 2})
    kept = wan.checkpointed_mb_per_sample
    assert half.checkpointed_mb_per_sample == pytest.approx(kept / 2)
    both = override(
        wan, {"activation_mb_per_sample": 9.0, "checkpointed_mb_per_sample": 3.0}
    )
    assert both.checkpointed_mb_per_sample == 3.0
