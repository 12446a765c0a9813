"""The families of decoders, each a short description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from advisor.workloads.hf.blocks import norms
from advisor.workloads.hf.decoder import Decoder, Sizes, usual_sizes
from advisor.workloads.hf.net import Layer, Net, Stack
from advisor.workloads.hf.settings import (
    HIDDEN,
    LAYERS,
    POSITIONS,
    VOCABULARY,
    Settings,
)


class Falcon(Decoder):
    """Falcon: one head of keys and values, or groups in the newer design."""

    def shared_heads(self, settings: Settings, heads: int) -> int:
        """Return how many heads of keys and values the heads share."""
        newer = settings.flag("new_decoder_architecture", usual=False)
        if not newer and settings.flag("multi_query", usual=True):
            return 1
        return super().shared_heads(settings, heads) if newer else heads

    def mixer(self, settings: Settings, sizes: Sizes) -> Layer:
        """Return attention, with one norm where both parts of a layer share theirs."""
        newer = settings.flag("new_decoder_architecture", usual=False)
        if newer:
            number = settings.size("num_ln_in_parallel_attn", usual=2)
        else:
            number = 1 if settings.flag("parallel_attn", usual=True) else 2
        return super().mixer(settings, sizes) + norms(sizes.hidden, number, bias=True)


class BigCode(Decoder):
    """GPT-BigCode: GPT-2 with one head of keys and values."""

    def shared_heads(self, settings: Settings, heads: int) -> int:
        """Return how many heads of keys and values the heads share."""
        return 1 if settings.flag("multi_query", usual=True) else heads


class StableLm(Decoder):
    """StableLM: norms of each head, and of one for both parts of a layer, by switch."""

    def mixer(self, settings: Settings, sizes: Sizes) -> Layer:
        """Return attention and norms."""
        shared = settings.flag("use_parallel_residual", usual=False)
        part = super().mixer(settings, sizes)
        part += norms(sizes.hidden, 1 if shared else 2, bias=True)
        if settings.flag("qk_layernorm", usual=False):
            both = sizes.heads + sizes.key_value_heads
            part += norms(sizes.head_dim * both, bias=False)
        return part


class Phi(Decoder):
    """Phi-1 and 2: one norm per layer; norms of queries and keys by switch."""

    def mixer(self, settings: Settings, sizes: Sizes) -> Layer:
        """Return attention and norms."""
        part = super().mixer(settings, sizes)
        if settings.flag("qk_layernorm", usual=False):
            part += norms(sizes.head_dim, 2, bias=True)
        return part


class Cohere(Decoder):
    """Command R: norms of queries and keys, of each head, by switch."""

    def mixer(self, settings: Settings, sizes: Sizes) -> Layer:
        """Return attention and norms."""
        part = super().mixer(settings, sizes)
        if settings.flag("use_qk_norm", usual=False):
            both = sizes.heads + sizes.key_value_heads
            part += norms(sizes.head_dim * both, bias=False)
        return part


class Opt(Decoder):
    """OPT: embeddings of another width in one size, norms before or after."""

    def whole(
        self, settings: Settings, sizes: Sizes, layers: tuple[tuple[Layer, int], ...]
    ) -> Net:
        """Return the net, words embedded in a width of their own."""
        width = settings.size("word_embed_proj_dim", usual=sizes.hidden)
        limit = settings.size(*POSITIONS, usual=2048)
        between = 0 if width == sizes.hidden else 2 * width * sizes.hidden
        words = width * sizes.vocabulary
        last = settings.flag("do_layer_norm_before", usual=True)
        tied = settings.flag("tie_word_embeddings", usual=True)
        return Net(
            name=f"{settings.kind}, causal language model",
            stacks=(Stack(layers, sizes.hidden, causal=True),),
            embeddings=words + (limit + 2) * sizes.hidden,
            head_matrices=between,
            output=0 if tied else words,
            tied=words if tied else 0,
            head_vectors=norms(sizes.hidden, bias=True).vectors if last else 0,
            vocabulary=sizes.vocabulary,
            limit=limit,
        )


class Mpt(Decoder):
    """MPT: no biases at all, its feed-forward block four times as wide."""

    def inner_width(self, settings: Settings, sizes: Sizes) -> int:
        """Return the width of the feed-forward block."""
        del settings
        return 4 * sizes.hidden  # the library's own, whatever expansion_ratio says


class ChatGlm(Decoder):
    """GLM-4 as its authors published it, under names of its own."""

    def shared_heads(self, settings: Settings, heads: int) -> int:
        """Return how many heads of keys and values the heads share."""
        if settings.flag("multi_query_attention", usual=True):
            return super().shared_heads(settings, heads)
        return heads


class Mamba(Decoder):
    """Mamba: a state space in place of attention and feed-forward block."""

    def net(self, settings: Settings) -> Net:
        """Return the net of a configuration."""
        hidden = settings.core(HIDDEN, 768)
        expand = settings.size("expand", usual=2)
        inner = settings.size("intermediate_size", usual=expand * hidden)
        state = settings.size("state_size", usual=16)
        kernel = settings.size("conv_kernel", usual=4)
        rank = self._rank(settings, hidden)
        bias = settings.flag("use_bias", usual=False)
        conv_bias = settings.flag("use_conv_bias", usual=True)
        layer = Layer(
            # To both halves, to steps and state, to steps again, out; the convolution;
            # and the scan: 9 operations for each number of the state (Gu and Dao, 2023).
            matrices=2 * hidden * inner
            + inner * (rank + 2 * state)
            + rank * inner
            + inner * hidden
            + inner * kernel,
            vectors=inner  # of the steps
            + inner * state
            + inner  # A and D
            + inner * conv_bias
            + (2 * inner + hidden) * bias
            + hidden,
            gated_inner=inner,
        )
        sizes = Sizes(
            settings.core(LAYERS, 32), hidden, 1, 1, hidden,
            settings.core(VOCABULARY, 50_280),
        )  # fmt: skip
        return self.whole(settings, sizes, ((layer, sizes.layers),))

    @staticmethod
    def _rank(settings: Settings, hidden: int) -> int:
        """Return the rank of the time steps, a sixteenth of the width where not said."""
        usual = -(-hidden // 16)
        if settings.values.get("time_step_rank") == "auto":
            return usual
        return settings.size("time_step_rank", usual=usual)


_LLAMA = usual_sizes(32, 4096, 32, 11_008, 32_000)
_GEMMA = usual_sizes(28, 3072, 16, 24_576, 256_000)
_GEMMA_2 = usual_sizes(26, 2304, 8, 9216, 256_000)
_GEMMA_3 = usual_sizes(26, 2304, 8, 9216, 262_208)
_QWEN = usual_sizes(32, 4096, 32, 22_016, 151_936)

_GPT = Decoder(gated=False, norm="layer", attention_bias=True, inner_bias=True, inner=4)
_GPT_2 = replace(_GPT, tied=True, positions=0, usual={"positions": 1024})
_GPT_J = replace(_GPT, attention_bias=False, norms=1, head_bias=True)

DECODERS: Mapping[str, Decoder] = {
    "llama": Decoder(inner_bias=("mlp_bias", False), usual=_LLAMA),
    "mistral": Decoder(
        attention_bias=False, key_value_heads=8,
        usual=usual_sizes(32, 4096, 32, 14_336, 32_000),
    ),
    "ministral": Decoder(attention_bias=False, key_value_heads=8),
    "qwen2": Decoder(
        attention_bias=True, out_bias=False, key_value_heads=32, usual=_QWEN
    ),
    "qwen3": Decoder(query_norm="head", key_value_heads=32, head_dim=128, usual=_QWEN),
    "gemma": Decoder(tied=True, key_value_heads=16, head_dim=256, usual=_GEMMA),
    "gemma2": Decoder(
        tied=True, norms=4, key_value_heads=4, head_dim=256, usual=_GEMMA_2
    ),
    "gemma3_text": Decoder(
        tied=True, norms=4, query_norm="head", key_value_heads=4, head_dim=256,
        usual=_GEMMA_3,
    ),
    "phi": Phi(
        gated=False, norm="layer", norms=1, attention_bias=True, inner_bias=True,
        head_bias=True,
    ),
    "phi3": Decoder(attention_bias=False),
    "stablelm": StableLm(
        norm="layer", norms=0, attention_bias=("use_qkv_bias", False), out_bias=False
    ),
    "olmo": Decoder(norm="none"),
    "olmo2": Decoder(query_norm="whole"),
    "granite": Decoder(inner_bias=("mlp_bias", False)),
    "cohere": Cohere(tied=True, norms=1),
    "cohere2": Decoder(tied=True, norms=1),
    "smollm3": Decoder(tied=True, key_value_heads=4, inner_bias=("mlp_bias", False)),
    "glm": Decoder(
        attention_bias=("attention_bias", True), out_bias=False, key_value_heads=2,
        head_dim=128,
    ),
    "glm4": Decoder(
        norms=4, attention_bias=("attention_bias", True), out_bias=False,
        key_value_heads=2, head_dim=128,
    ),
    "chatglm": ChatGlm(
        attention_bias=("add_qkv_bias", True), out_bias=("add_bias_linear", False),
        inner_bias=("add_bias_linear", False), key_value_heads=2, head_dim=128,
    ),
    "starcoder2": Decoder(
        gated=False, norm="layer", tied=True, key_value_heads=2,
        attention_bias=("use_bias", True), inner_bias=("use_bias", True),
    ),
    "gpt2": _GPT_2,
    "gpt_bigcode": BigCode(
        gated=False, norm="layer", attention_bias=True, inner_bias=True, inner=4,
        tied=True, positions=0, usual={"positions": 1024},
    ),
    "gpt_neo": replace(
        _GPT_2, attention_bias=False, out_bias=True, usual={"positions": 2048}
    ),
    "gptj": _GPT_J,
    "codegen": replace(_GPT_J),
    "gpt_neox": replace(_GPT, attention_bias=("attention_bias", True), inner=0),
    "opt": Opt(
        gated=False, norm="layer", attention_bias=("enable_bias", True),
        inner_bias=("enable_bias", True), tied=True,
    ),
    "bloom": replace(_GPT, tied=True, embedding_norm=True),
    "falcon": Falcon(
        gated=False, norm="layer", norms=0, attention_bias=("bias", False),
        inner_bias=("bias", False), inner=4, tied=True,
    ),
    "mpt": Mpt(gated=False, attention_bias=False, tied=True),
    "mamba": Mamba(tied=True),
}  # fmt: skip
"""Type of a model -> its family, where a token is predicted from those before."""
