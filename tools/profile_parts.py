"""How a built-in profile is derived from another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from advisor.workloads.load import load_workload
from advisor.workloads.profile import Workload, with_benchmark_units_of
from advisor.workloads.transformer import Transformer

FROM_MEMORY = "stated from memory"
CHECKPOINTED_BY_VECTORLM = (
    "VectorInstitute/vectorlm profiling/configs: use_activation_checkpointing: True"
)

Figures = dict[str, tuple[Any, str]]

OF_TOKENS: dict[str, Any] = {
    "tokens_per_sample": 0.0,
    "padding_share": 0.0,
    "packed": False,
    "embedding_parameters_m": 0.0,
    "attention_mb_per_sample": 0.0,
    "checkpointed_mb_per_sample": 0.0,
}
"""What a net of another kind does not take over."""


def derived(
    base: str | Workload,
    name: str,
    description: str,
    figures: Figures,
    reference: dict[str, Any] | None = None,
    **texts: Any,
) -> Workload:
    """Return a profile with other figures, each with its source.

    What speaks of tokens is taken over where the task is, the order of dimensions from
    the reference.
    """
    if isinstance(base, str):
        base = load_workload(base)
    if texts.get("task", base.task) != base.task:
        base = without_tokens(base)
    sources = {**base.sources, **{key: source for key, (_, source) in figures.items()}}
    values = {key: value for key, (value, _) in figures.items()}
    units = values.pop("benchmark_units_per_sample", None)
    if reference is not None and units is not None:
        reference = {**reference, "benchmark_units_per_sample": units}
    changed = replace(base.reference, **reference) if reference else base.reference
    child = replace(
        base, name=name, description=description, reference=changed, **values, **texts,
        memory_format=(
            "channels-last" if changed.memory_format == "channels-last" else "contiguous"
        ),
        sources=sources,
    )  # fmt: skip
    return with_benchmark_units_of(child, base) if reference is None else child


def without_tokens(workload: Workload) -> Workload:
    """Return a profile that says nothing of tokens."""
    sources = {key: of for key, of in workload.sources.items() if key not in OF_TOKENS}
    return replace(workload, **{**OF_TOKENS, "sources": sources})


def measured_as(
    workload: Workload,
    benchmark: str,
    length: int,
    sizes: Transformer,
    net: str,
    *,
    checkpointed: str,
    compiled: str = "",
) -> Workload:
    """Return a language model whose level is that of a benchmark counted in tokens.

    A sample counts as that many tokens as have its operations: those of a forward pass,
    since what is trained is the same and so is the rest of the step.

    Parameters
    ----------
    benchmark : a workload of the benchmark table, in tokens/s
    length, sizes, net : of its sequences, and of the net that it trained
    checkpointed : where it says that activations were computed again
    compiled : where it says that it ran compiled; empty: it did not
    """
    token = sizes.forward_flops(length) / length
    units = workload.forward_gflops_per_sample * 1e9 / token
    how = f"derived: operations of a sample over those of a token of {net} at {length:,}"
    return replace(
        workload,
        reference=replace(
            workload.reference,
            benchmark=benchmark,
            benchmark_units_per_sample=units,
            checkpointed=True,
            compiled=bool(compiled),
        ),
        sources={
            **workload.sources,
            "benchmark_units_per_sample": how,
            "checkpointed": checkpointed,
            **({"compiled": compiled} if compiled else {}),
        },
    )
