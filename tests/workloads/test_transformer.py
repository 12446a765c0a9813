"""Transformers by formula, against what was counted and published."""

from __future__ import annotations

import pytest

from advisor.workloads.load import load_workload
from advisor.workloads.memory import activation_mb
from advisor.workloads.transformer import Transformer, transformer_profile

BERT = Transformer(12, 768, 12, 12, 3072, 30_522, False, False, True)
GPT2 = Transformer(12, 768, 12, 12, 3072, 50_257, False, True, True)
LLAMA_2_7B = Transformer(32, 4096, 32, 32, 11_008, 32_000, True, True, False)


@pytest.mark.parametrize(
    ("base", "sizes", "tokens", "rank"),
    [
        ("bert-base", BERT, 384, None),
        ("gpt2-124m", GPT2, 1024, None),
        ("llama-7b-lora", LLAMA_2_7B, 512, 8),
    ],
)
def test_the_formulas_meet_what_was_counted(
    base: str, sizes: Transformer, tokens: int, rank: int | None
) -> None:
    """Operations, parameters and activations within 2 %, kernels within 6 %."""
    counted = load_workload(base)
    found = transformer_profile(counted, sizes, "x", tokens, lora_rank=rank)
    for figure in ("forward_gflops_per_sample", "parameters_m", "trainable_parameters_m"):
        assert getattr(found, figure) == pytest.approx(getattr(counted, figure), rel=0.01)
    assert activation_mb(found) == pytest.approx(activation_mb(counted), rel=0.05)
    again = 4.0 / 3.0 if rank else 1.0
    assert found.kernels_per_step * again == pytest.approx(
        counted.kernels_per_step, rel=0.06
    )


def test_the_same_net_with_adapters_is_as_fast_as_what_was_counted() -> None:
    """Nothing is computed again in either's factor; both benchmarks checkpointed."""
    counted = load_workload("llama-7b-lora")
    found = transformer_profile(counted, LLAMA_2_7B, "x", 512, lora_rank=8)
    units = [one.reference.benchmark_units_per_sample for one in (counted, found)]
    assert units[1] == pytest.approx(units[0], rel=0.01)
    assert found.reference.checkpointed
    assert found.gradient_checkpointing
    assert counted.gradient_checkpointing


@pytest.mark.parametrize(
    ("sizes", "published"),
    [
        (Transformer(32, 4096, 32, 8, 14_336, 128_256, True, True, False), 8.03e9),
        (Transformer(80, 8192, 64, 8, 28_672, 128_256, True, True, False), 70.55e9),
        (Transformer(48, 1600, 25, 25, 6400, 50_257, False, True, True), 1.558e9),
    ],
)
def test_published_parameters(sizes: Transformer, published: float) -> None:
    """Llama 3 8B and 70B, GPT-2 XL: within half a per cent."""
    assert sizes.parameters == pytest.approx(published, rel=0.005)
