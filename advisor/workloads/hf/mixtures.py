"""Mixtures of experts: a token goes to a few of many feed-forward blocks.

Memory holds all of them; operations are of those that a token is sent to, and of the
router.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from advisor.workloads.hf.blocks import experts, feed_forward, norms
from advisor.workloads.hf.decoder import Decoder, Sizes
from advisor.workloads.hf.net import Layer, Net
from advisor.workloads.hf.settings import Settings

_NUMBER = ("num_local_experts", "num_experts", "n_routed_experts")
_SENT = "num_experts_per_tok"


def sent_to(settings: Settings, number: int, usual: int | None) -> int:
    """Return to how many of its experts a token goes.

    Raises
    ------
    advisor.base.errors.UsageError
        if they are more than there are
    """
    sent = settings.size(_SENT, usual=usual)
    if sent > number:
        settings.refuse(_SENT, f"no more than the {number} experts")
    return sent


@dataclass(frozen=True, slots=True)
class Mixture(Decoder):
    """A decoder whose feed-forward blocks are experts.

    Attributes
    ----------
    number, sent : of experts, and to how many a token goes, where nothing is stated
    width : key of the width of an expert
    usual_width : that width where nothing is stated; None: it is needed
    """

    number: int = 8
    sent: int = 2
    width: str = "intermediate_size"
    usual_width: int | None = None

    def net(self, settings: Settings) -> Net:
        """Return the net of a configuration, some of its layers without experts."""
        sizes = self.sizes(settings)
        mixer = self.mixer(settings, sizes)
        plain = len(self.plain_layers(settings, sizes.layers))
        layers = [(mixer + self.mixture(settings, sizes), sizes.layers - plain)]
        if plain:
            layers.append((mixer + self.block(settings, sizes), plain))
        return self.whole(settings, sizes, tuple(layers))

    def mixture(self, settings: Settings, sizes: Sizes) -> Layer:
        """Return the experts of a layer and their router."""
        number = settings.size(*_NUMBER, usual=self.number)
        sent = sent_to(settings, number, self.sent)
        inner = settings.size(self.width, usual=self.usual_width)
        return experts(sizes.hidden, inner, number, sent)

    def plain_layers(self, settings: Settings, layers: int) -> set[int]:
        """Return which layers have no experts."""
        step = settings.size("decoder_sparse_step", usual=1)
        named = set(settings.numbers("mlp_only_layers"))
        return {at for at in range(layers) if at in named or (at + 1) % step}


class QwenMixture(Mixture):
    """Qwen2-MoE: one more expert that every token goes to, scaled by a gate."""

    def mixture(self, settings: Settings, sizes: Sizes) -> Layer:
        """Return the experts of a layer and their router."""
        shared = settings.size("shared_expert_intermediate_size", usual=5632)
        gate = Layer(matrices=sizes.hidden)
        common = feed_forward(sizes.hidden, shared, gated=True)
        return super().mixture(settings, sizes) + common + gate


@dataclass(frozen=True, slots=True)
class DeepSeek(Mixture):
    """DeepSeek V2 and V3: latent attention, shared experts, first layers without any.

    Keys and values come from a latent that all heads share, queries from one of their own
    where `q_lora_rank` is not null (DeepSeek-AI, arXiv:2405.04434).

    Attributes
    ----------
    shared, first : experts that every token goes to, and layers without experts, where
        nothing is stated
    """

    shared: int = 2
    first: int = 0

    def head_width(self, settings: Settings, hidden: int, heads: int) -> int:
        """Return the width of a head of queries, which rotates in part."""
        del hidden, heads
        still = settings.size("qk_nope_head_dim", usual=128)
        return still + settings.size("qk_rope_head_dim", usual=64)

    def mixer(self, settings: Settings, sizes: Sizes) -> Layer:
        """Return latent attention, and the norms of a layer."""
        hidden, heads, query = sizes.hidden, sizes.heads, sizes.head_dim
        rotated = settings.size("qk_rope_head_dim", usual=64)
        value = settings.size("v_head_dim", usual=128)
        latent = settings.size("kv_lora_rank", usual=512)
        into = hidden * (latent + rotated) + latent * heads * (query - rotated + value)
        vectors = latent
        if "q_lora_rank" in settings.values and settings.values["q_lora_rank"] is None:
            asked = hidden * heads * query
        else:
            rank = settings.size("q_lora_rank", usual=1536)
            asked = hidden * rank + rank * heads * query
            vectors += rank
        return Layer(
            matrices=asked + into + heads * value * hidden,
            vectors=vectors,
            scored=heads * (query + value),
            adapted=hidden + heads * query + latent + heads * (query - rotated + value),
        ) + norms(hidden, 2, bias=False)

    def mixture(self, settings: Settings, sizes: Sizes) -> Layer:
        """Return the experts of a layer and their router."""
        inner = settings.size(self.width, usual=self.usual_width)
        shared = settings.size("n_shared_experts", usual=self.shared, least=0)
        part = Mixture.mixture(self, settings, sizes)
        return part + feed_forward(sizes.hidden, shared * inner, gated=True)

    def plain_layers(self, settings: Settings, layers: int) -> set[int]:
        """Return which layers have no experts."""
        key = "first_k_dense_replace"
        first = settings.size(key, usual=self.first, least=0)
        if key in settings.assumed and not first:
            settings.assumed[key] = "0 (those that are published state 1)"
        return set(range(min(first, layers)))


MIXTURES: Mapping[str, Decoder] = {
    "mixtral": Mixture(attention_bias=False, key_value_heads=8),
    "qwen2_moe": QwenMixture(
        attention_bias=("qkv_bias", True), out_bias=False, key_value_heads=16,
        number=60, sent=4, width="moe_intermediate_size",
    ),
    "qwen3_moe": Mixture(
        query_norm="head", key_value_heads=4, number=128, sent=8,
        width="moe_intermediate_size",
    ),
    "olmoe": Mixture(query_norm="whole", number=64, sent=8),
    "deepseek_v2": DeepSeek(
        number=64, sent=6, width="moe_intermediate_size", usual_width=1407,
    ),
    "deepseek_v3": DeepSeek(
        number=256, sent=8, width="moe_intermediate_size", shared=1, first=3,
    ),
}  # fmt: skip
"""Type of a model -> its family, where a token goes to a few of many experts."""
