"""What a transformer needs, by formula from its configuration.

Operations, parameters, activations and kernels follow from the sizes that a
``config.json`` of the Hugging Face hub states; nothing is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from advisor.base.units import BYTES_PER_GB, BYTES_PER_MB
from advisor.workloads.memory import STATE_BYTES
from advisor.workloads.profile import (
    Technique,
    Workload,
    with_benchmark_units_of,
)

ACTIVATION_BYTES = 34.0
"""Bytes that a layer keeps for each of its s x h activations in half precision, attention
fused: 34 s b h, without the part of s^2 (Korthikanti et al., MLSys 2023)."""

AUTOCAST_ACTIVATION_BYTES = 43.0
"""The same under autocast, whose residual stream is FP32: 151 MB counted on BERT-base at
384 tokens, over 12 x 384 x 768."""

LOGIT_BYTES = 5.0
"""Bytes that a token keeps for each word of the vocabulary: 655 MB counted on GPT-2 124M
at 1,024 tokens, less what its layers keep, over 1,024 x 50,257."""

SCORE_BYTES = 5.0
"""Bytes that eager attention keeps besides for each of its a x s^2 scores: 5 a s^2 b
(Korthikanti et al., MLSys 2023)."""

KERNELS_PER_LAYER = 92.0
"""Kernels of one layer in a training step: 1,100 counted on BERT-base."""

GATED_KERNELS_PER_LAYER = 127.0
"""The same with rotary positions and a gate: 5,400 counted on Llama 2 7B, less what
gradient checkpointing runs again."""

_KEPT = "Korthikanti et al., MLSys 2023; autocast as counted on BERT-base"

QUERY_AND_VALUE = "query and value projections"
"""What adapters are on where nothing else is said."""

FIGURES_OF_TRAINING = ("samples_per_epoch", "epochs", "dataset_gb", "cpu_ms_per_sample")
"""Figures that no configuration states: they stay the base profile's, as assumptions."""


@dataclass(frozen=True, slots=True)
class Transformer:
    """Sizes of a transformer.

    Attributes
    ----------
    layers, hidden, heads, key_value_heads, intermediate, vocabulary : as usual
    gated : whether the feed-forward block has a gate
    causal : whether a token sees those before it alone, and predicts the next
    tied : whether the output matrix is the embedding
    """

    layers: int
    hidden: int
    heads: int
    key_value_heads: int
    intermediate: int
    vocabulary: int
    gated: bool
    causal: bool
    tied: bool

    @property
    def layer_matrix_parameters(self) -> float:
        """Parameters of the matrices of one layer."""
        key_value = self.hidden * self.key_value_heads / self.heads
        attention = 2.0 * self.hidden**2 + 2.0 * self.hidden * key_value
        return attention + (3.0 if self.gated else 2.0) * self.hidden * self.intermediate

    @property
    def matrix_parameters(self) -> float:
        """Parameters that every token is multiplied with: no embedding of the input."""
        output = self.hidden * self.vocabulary if self.causal else 0.0
        return self.layers * self.layer_matrix_parameters + output

    @property
    def parameters(self) -> float:
        """All parameters, norms and biases left out (some 0.1 %)."""
        embeddings = self.hidden * self.vocabulary
        layers = self.layers * self.layer_matrix_parameters
        return layers + embeddings * (2.0 if self.causal and not self.tied else 1.0)

    @property
    def embedding_parameters(self) -> float:
        """Parameters of embedding and output matrix, which quantization leaves alone."""
        layers = self.layers * self.layer_matrix_parameters
        return self.parameters - layers

    @property
    def kernels(self) -> float:
        """Kernels that a training step launches."""
        each = GATED_KERNELS_PER_LAYER if self.gated else KERNELS_PER_LAYER
        return each * self.layers

    def forward_flops(self, tokens: int) -> float:
        """Return the FLOPs of a forward pass over a sequence.

        2 per parameter and token, and the attention's 4 s^2 h per layer, half of it where
        attention is causal.
        """
        attention = 4.0 * tokens**2 * self.hidden * self.layers
        causal = 0.5 if self.causal else 1.0
        return 2.0 * self.matrix_parameters * tokens + causal * attention

    def activation_bytes(self, tokens: int, *, autocast: bool) -> float:
        """Return what a sequence keeps from forward to backward, attention fused."""
        each = AUTOCAST_ACTIVATION_BYTES if autocast else ACTIVATION_BYTES
        logits = LOGIT_BYTES * self.vocabulary * tokens if self.causal else 0.0
        return each * tokens * self.hidden * self.layers + logits

    def checkpointed_bytes(self, tokens: int, *, autocast: bool) -> float:
        """Return what a sequence keeps where each layer is computed again.

        The input of every layer, all of one layer, and the logits.
        """
        each = AUTOCAST_ACTIVATION_BYTES if autocast else ACTIVATION_BYTES
        inputs = (4.0 if autocast else 2.0) * self.layers
        logits = LOGIT_BYTES * self.vocabulary * tokens if self.causal else 0.0
        return (inputs + each) * tokens * self.hidden + logits

    def score_bytes(self, tokens: int) -> float:
        """Return what a sequence keeps besides where attention is eager."""
        return SCORE_BYTES * self.heads * tokens**2 * self.layers

    def lora_parameters(self, rank: int, *, everywhere: bool = False) -> float:
        """Return the parameters of adapters on the query and value projections.

        Where they are `everywhere`, on all matrices of the layers.
        """
        value = self.hidden * self.key_value_heads / self.heads
        query_and_value = 2.0 * self.hidden + self.hidden + value
        if not everywhere:
            return self.layers * rank * query_and_value
        blocks = 3.0 if self.gated else 2.0
        rest = query_and_value + blocks * (self.hidden + self.intermediate)
        return self.layers * rank * (query_and_value + rest)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a sample and a step of a net need, each with where it is from.

    Attributes
    ----------
    parameters : of the net, adapters left out
    trained : parameters that get a gradient
    forward_flops, kept_bytes : of a sample; what it keeps from forward to backward
    kernels : of a step
    input_bytes, disk_bytes : of a sample as the GPU gets it, and on disk; None:
        as in the base profile
    sample : what one is, for people
    tokens : positions of a sample; 0: it has none
    embeddings : parameters of embeddings and output matrix
    score_bytes : that a sample keeps besides where attention is eager; 0: not known
    sources : name of a figure of the profile -> where it is from
    """

    parameters: float
    trained: float
    forward_flops: float
    kept_bytes: float
    kernels: float
    input_bytes: float
    disk_bytes: float | None
    sample: str
    sources: Mapping[str, str]
    tokens: float = 0.0
    embeddings: float = 0.0
    score_bytes: float = 0.0


def under_autocast(base: Workload, *, lora: bool) -> bool:
    """Return whether the residual stream of a training is FP32."""
    return not (base.half_weights or lora)


def transformer_profile(
    base: Workload,
    sizes: Transformer,
    name: str,
    tokens: int,
    *,
    lora_rank: int | None = None,
    everywhere: bool = False,
    source: str = "its configuration",
) -> Workload:
    """Return a profile of a transformer; the rest of its figures are those of `base`.

    Parameters
    ----------
    base : profile of a similar training: data, epochs, batch, precision, optimizer and
        benchmark are its own
    sizes : of the net
    name : of the profile
    tokens : in a sample
    lora_rank : of adapters on the query and value projections, the rest frozen and
        checkpointed; None: all parameters are trained
    everywhere : adapters are on all matrices of the layers
    source : what the sizes are from, for people
    """
    lora = lora_rank is not None
    trained = sizes.parameters
    if lora_rank:
        trained = sizes.lora_parameters(lora_rank, everywhere=everywhere)
    autocast = under_autocast(base, lora=lora)
    each = AUTOCAST_ACTIVATION_BYTES if autocast else ACTIVATION_BYTES
    needs = Needs(
        parameters=sizes.parameters,
        trained=trained,
        forward_flops=sizes.forward_flops(tokens),
        kept_bytes=sizes.activation_bytes(tokens, autocast=autocast),
        kernels=sizes.kernels,
        input_bytes=24.0 * tokens,
        disk_bytes=2.0 * tokens,
        sample=f"sequence of {tokens:,} tokens",
        sources={
            "forward_gflops_per_sample": (
                f"formula on {source}: 2 x parameters x tokens, and attention"
            ),
            "parameters_m": f"formula on {source}, norms and biases left out",
            "activation_mb_per_sample": (
                f"formula on {source}: {each:g} B a layer, token and width ({_KEPT}), "
                "logits"
            ),
            "kernels_per_step": (
                "layers x kernels of a layer, counted on BERT-base and Llama 2 7B"
            ),
            "gpu_bytes_per_sample": (
                "derived: ids, mask and labels, 3 numbers of 8 B a token"
            ),
            "disk_bytes_per_sample": "derived: 2 B a token",
            "attention_mb_per_sample": (
                f"formula on {source}: {SCORE_BYTES:g} B a score (Korthikanti et al., "
                "MLSys 2023)"
            ),
        },
        tokens=float(tokens),
        embeddings=sizes.embedding_parameters,
        score_bytes=sizes.score_bytes(tokens),
    )
    text = f"{source}, {tokens:,} tokens"
    adapted = "all matrices of the layers" if everywhere else QUERY_AND_VALUE
    return profile_of(base, needs, name, text, lora_rank=lora_rank, adapted=adapted)


def profile_of(
    base: Workload,
    needs: Needs,
    name: str,
    text: str,
    *,
    lora_rank: int | None = None,
    adapted: str = QUERY_AND_VALUE,
) -> Workload:
    """Return a profile of what a net needs; the rest of its figures are those of `base`.

    Parameters
    ----------
    base, name, lora_rank : as in `transformer_profile`
    needs : of the net
    text : what is trained, for people
    adapted : what adapters are on, for people
    """
    lora = lora_rank is not None
    states = STATE_BYTES.get(base.optimizer, STATE_BYTES["adam"])
    whole = needs.parameters + (needs.trained if lora else 0.0)
    values: dict[str, Any] = {
        "forward_gflops_per_sample": needs.forward_flops / 1e9,
        "parameters_m": whole / 1e6,
        "trainable_parameters_m": needs.trained / 1e6,
        "activation_mb_per_sample": needs.kept_bytes / BYTES_PER_MB,
        "kernels_per_step": needs.kernels,
        "gpu_bytes_per_sample": needs.input_bytes,
        "checkpoint_gb": needs.trained * (4.0 + states) / BYTES_PER_GB,
        "training_flops_factor": 2.0 if lora else 3.0,
        "embedding_parameters_m": needs.embeddings / 1e6,
        "attention_mb_per_sample": needs.score_bytes / BYTES_PER_MB,
        "checkpointed_mb_per_sample": 0.0,
        "tokens_per_sample": needs.tokens,
        "padding_share": 0.0,
        "packed": False,
        "technique": _technique(base, lora=lora),
    }
    stated = dict(needs.sources)
    stated["embedding_parameters_m"] = "formula: embedding and output matrix"
    stated["tokens_per_sample"] = "positions of a sample, padding among them"
    stated["trainable_parameters_m"] = (
        f"adapters of rank {lora_rank} on {adapted}"
        if lora
        else "all parameters are trained"
    )
    stated["checkpoint_gb"] = (
        "derived: FP32 weights that are trained, and the optimizer's state"
    )
    stated["training_flops_factor"] = (
        "frozen weights get no gradient: forward, and gradients of activations"
        if lora
        else "convention for dense nets: a backward pass costs two forward passes"
    )
    unknown: tuple[str, ...] = FIGURES_OF_TRAINING
    if needs.disk_bytes is None:
        unknown = (*unknown, "disk_bytes_per_sample")
    else:
        values["disk_bytes_per_sample"] = needs.disk_bytes
    if lora:
        values |= {"weight_bytes_per_parameter": 2.0, "state_bytes_per_trainable": 16.0}
        stated |= {
            "weight_bytes_per_parameter": "frozen weights are in half precision",
            "state_bytes_per_trainable": (
                "adapters in FP32: weight 4 + gradient 4 + moments 8"
            ),
        }
    unsaid = {"padding_share", "checkpointed_mb_per_sample"}
    kept = {key: of for key, of in base.sources.items() if key not in unsaid}
    assumed = dict.fromkeys(unknown, f"assumption: that of {base.name}")
    child = replace(
        base,
        name=name,
        description=f"{text}, otherwise as {base.name}",
        sample=needs.sample,
        sources={**kept, **assumed, **stated},
        gradient_checkpointing=lora or base.gradient_checkpointing,
        loading="mapped" if lora and base.sharding != "fsdp" else base.loading,
        **values,
    )
    return with_benchmark_units_of(child, base)


def _technique(base: Workload, *, lora: bool) -> Technique:
    """Return how a net is trained: adapters beside such weights as those of the base."""
    if not lora:
        return "full"
    return "lora" if base.technique == "full" else base.technique
