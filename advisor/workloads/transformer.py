"""What a transformer needs, by formula from its configuration.

Operations, parameters, activations and kernels follow from the sizes that a
``config.json`` of the Hugging Face hub states; nothing is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from advisor.errors import UsageError
from advisor.workloads.memory import STATE_BYTES
from advisor.workloads.profile import Workload, with_level_of

_GATED = frozenset(
    {"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3"}
)
"""Model types whose feed-forward block has a third matrix (a gate)."""

_ENCODERS = frozenset({"bert", "roberta", "distilbert", "electra", "deberta", "albert"})
"""Model types that see a sequence in both directions and predict no vocabulary."""

_UNTIED = frozenset({"llama", "mistral", "qwen2", "phi3"})
"""Model types whose output matrix is one of its own unless the file says otherwise."""

ACTIVATION_BYTES = 34.0
"""Bytes that a layer keeps for each of its s x h activations in half precision, attention
fused: 34 s b h, without the part of s^2 (Korthikanti et al., MLSys 2023)."""

AUTOCAST_ACTIVATION_BYTES = 43.0
"""The same under autocast, whose residual stream is FP32: 151 MB counted on BERT-base at
384 tokens, over 12 x 384 x 768."""

LOGIT_BYTES = 5.0
"""Bytes that a token keeps for each word of the vocabulary: 655 MB counted on GPT-2 124M
at 1,024 tokens, less what its layers keep, over 1,024 x 50,257."""

KERNELS_PER_LAYER = 92.0
"""Kernels of one layer in a training step: 1,100 counted on BERT-base."""

GATED_KERNELS_PER_LAYER = 127.0
"""The same with rotary positions and a gate: 5,400 counted on Llama 2 7B, less what
gradient checkpointing runs again."""

_KEPT = "Korthikanti et al., MLSys 2023; autocast as counted on BERT-base"

FIGURES_OF_TRAINING = ("samples_per_epoch", "epochs", "dataset_gb", "cpu_ms_per_sample")
"""Figures that no configuration tells: they stay the base profile's, as assumptions."""


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
    def kernels(self) -> float:
        """Kernels that a training step launches."""
        each = GATED_KERNELS_PER_LAYER if self.gated else KERNELS_PER_LAYER
        return each * self.layers

    def forward_flops(self, tokens: int) -> float:
        """Return the FLOPs of a forward pass over a sequence.

        2 a parameter and token, and the attention's 4 s^2 h a layer, half of it where
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

    def lora_parameters(self, rank: int) -> float:
        """Return the parameters of adapters on the query and value projections."""
        value = self.hidden * self.key_value_heads / self.heads
        return self.layers * rank * (2.0 * self.hidden + self.hidden + value)


def transformer_of(config: Mapping[str, Any], origin: str) -> Transformer:
    """Read the sizes of a transformer from its configuration.

    Raises
    ------
    advisor.errors.UsageError
        if a size is missing or cannot be right, or the kind of net is not covered
    """
    kind = str(config.get("model_type", ""))
    for key in ("num_local_experts", "num_experts", "n_routed_experts"):
        if config.get(key):
            message = f"{origin}: {key}: a mixture of experts is not covered"
            raise UsageError(message)
    if config.get("is_encoder_decoder"):
        message = f"{origin}: is_encoder_decoder: encoders with a decoder are not covered"
        raise UsageError(message)
    hidden = _size(config, origin, "hidden_size", "n_embd", "d_model", "dim")
    heads = _size(config, origin, "num_attention_heads", "n_head", "n_heads")
    usual = 4 * hidden
    found = Transformer(
        layers=_size(config, origin, "num_hidden_layers", "n_layer", "n_layers"),
        hidden=hidden,
        heads=heads,
        key_value_heads=_size(config, origin, "num_key_value_heads", otherwise=heads),
        intermediate=_size(
            config, origin, "intermediate_size", "n_inner", "hidden_dim", otherwise=usual
        ),
        vocabulary=_size(config, origin, "vocab_size"),
        gated=kind in _GATED,
        causal=kind not in _ENCODERS,
        tied=bool(config.get("tie_word_embeddings", kind not in _UNTIED)),
    )
    if found.key_value_heads > heads:
        message = f"{origin}: num_key_value_heads: no more than {heads} is expected"
        raise UsageError(message)
    return found


def _size(
    config: Mapping[str, Any], origin: str, *keys: str, otherwise: int | None = None
) -> int:
    """Return a size under the first of its names that the configuration has."""
    for key in keys:
        value = config.get(key)
        if value is None:
            continue
        if type(value) is not int or not 1 <= value <= 10**7:
            message = f"{origin}: {key}: a whole number of 1 to 10,000,000 is expected"
            raise UsageError(message)
        return value
    if otherwise is None:
        message = f"{origin}: missing: {' or '.join(keys)}"
        raise UsageError(message)
    return otherwise


def transformer_profile(
    base: Workload,
    sizes: Transformer,
    name: str,
    tokens: int,
    *,
    lora_rank: int | None = None,
    source: str = "its configuration",
) -> Workload:
    """Return a profile of a transformer, what its configuration does not tell of `base`.

    Parameters
    ----------
    base : profile of a like training: data, epochs, batch, precision, optimizer and level
        are its own
    sizes : of the net
    name : of the profile
    tokens : in a sample
    lora_rank : of adapters on the query and value projections, the rest frozen and
        checkpointed; None: all parameters are trained
    source : what the sizes are from, for people
    """
    lora = lora_rank is not None
    trained = sizes.lora_parameters(lora_rank) if lora_rank else sizes.parameters
    whole = sizes.parameters + (trained if lora else 0.0)
    autocast = base.precision != "fp16" and not lora
    kept = sizes.activation_bytes(tokens, autocast=autocast)
    each = AUTOCAST_ACTIVATION_BYTES if autocast else ACTIVATION_BYTES
    states = STATE_BYTES.get(base.optimizer, STATE_BYTES["adam"])
    figures: dict[str, tuple[float, str]] = {
        "forward_gflops_per_sample": (
            sizes.forward_flops(tokens) / 1e9,
            f"formula on {source}: 2 x parameters x tokens, and attention",
        ),
        "parameters_m": (whole / 1e6, f"formula on {source}, norms and biases left out"),
        "trainable_parameters_m": (
            trained / 1e6,
            f"adapters of rank {lora_rank} on query and value projections"
            if lora
            else "all parameters are trained",
        ),
        "activation_mb_per_sample": (
            kept / 1e6,
            f"formula on {source}: {each:g} B a layer, token and width ({_KEPT}), logits",
        ),
        "kernels_per_step": (
            sizes.kernels,
            "layers x kernels of a layer, counted on BERT-base and Llama 2 7B",
        ),
        "gpu_bytes_per_sample": (
            24.0 * tokens,
            "derived: ids, mask and labels, 3 numbers of 8 B a token",
        ),
        "disk_bytes_per_sample": (2.0 * tokens, "derived: 2 B a token"),
        "checkpoint_gb": (
            trained * (4.0 + states) / 1e9,
            "derived: FP32 weights that are trained, and the optimizer's state",
        ),
    }
    if lora:
        figures |= {
            "training_flops_factor": (
                2.0,
                "frozen weights get no gradient: forward, and gradients of activations",
            ),
            "weight_bytes_per_parameter": (2.0, "frozen weights are in half precision"),
            "state_bytes_per_trainable": (
                16.0,
                "adapters in FP32: weight 4 + gradient 4 + moments 8",
            ),
        }
    else:
        figures["training_flops_factor"] = (
            3.0,
            "convention for dense nets: a backward pass costs two forward passes",
        )
    assumed = dict.fromkeys(FIGURES_OF_TRAINING, f"assumption: that of {base.name}")
    told = {figure: origin for figure, (_, origin) in figures.items()}
    values: dict[str, Any] = {figure: value for figure, (value, _) in figures.items()}
    child = replace(
        base,
        name=name,
        description=f"{source}, {tokens:,} tokens, otherwise as {base.name}",
        sample=f"sequence of {tokens:,} tokens",
        sources={**base.sources, **assumed, **told},
        gradient_checkpointing=lora or base.gradient_checkpointing,
        loading="mapped" if lora and base.sharding != "fsdp" else base.loading,
        **values,
    )
    return with_level_of(child, base)
