"""Language models that predict the next token, by what distinguishes their families."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from advisor.workloads.hf.blocks import attention, feed_forward, norms
from advisor.workloads.hf.net import Layer, Net, Stack
from advisor.workloads.hf.settings import (
    HEADS,
    HIDDEN,
    INNER,
    KEY_VALUE_HEADS,
    LAYERS,
    POSITIONS,
    VOCABULARY,
    Settings,
)

Switch = bool | tuple[str, bool]
"""On or off, or the key that says so and what it is where it is missing."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """A family of decoders, by what distinguishes it from Llama.

    Attributes
    ----------
    gated : the feed-forward block has a gate
    norm : ``"rms"`` a scale alone, ``"layer"`` a bias too, ``"none"`` no parameters
    norms : in a layer
    last_norm, embedding_norm : after the last layer, and on the embeddings
    attention_bias : of queries, keys and values
    out_bias : of attention's output; None: as `attention_bias`
    inner_bias : of the feed-forward block
    query_norm : ``"head"`` one of a head's width for queries and for keys, ``"whole"``
        of the width of all their heads
    tied : the output matrix is the embedding
    head_bias : of the output matrix
    positions : rows of learned positions beyond their number; None: no learned ones
    inner : times the width, where no width of the block is stated; 0: it is needed
    key_value_heads : number where none is stated; None: as many as heads
    head_dim : where none is stated; None: width over heads
    usual : sizes that the library takes where a part of a configuration has none
    """

    gated: bool = True
    norm: Literal["rms", "layer", "none"] = "rms"
    norms: int = 2
    last_norm: bool = True
    embedding_norm: bool = False
    attention_bias: Switch = ("attention_bias", False)
    out_bias: Switch | None = None
    inner_bias: Switch = False
    query_norm: Literal["none", "head", "whole"] = "none"
    tied: bool = False
    head_bias: bool = False
    positions: int | None = None
    inner: int = 0
    key_value_heads: int | None = None
    head_dim: int | None = None
    usual: Mapping[str, int] = field(default_factory=dict)

    def net(self, settings: Settings) -> Net:
        """Return the net of a configuration.

        Raises
        ------
        advisor.base.errors.UsageError
            if a size is missing or cannot be right
        """
        sizes = self.sizes(settings)
        layer = self.mixer(settings, sizes) + self.block(settings, sizes)
        return self.whole(settings, sizes, ((layer, sizes.layers),))

    def sizes(self, settings: Settings) -> Sizes:
        """Return the sizes that all layers share."""
        hidden = settings.core(HIDDEN, self.usual.get("hidden"))
        heads = settings.core(HEADS, self.usual.get("heads"))
        head_dim = self.head_width(settings, hidden, heads)
        return Sizes(
            layers=settings.core(LAYERS, self.usual.get("layers")),
            hidden=hidden,
            heads=heads,
            key_value_heads=self.shared_heads(settings, heads),
            head_dim=head_dim,
            vocabulary=settings.core(VOCABULARY, self.usual.get("vocabulary")),
        )

    def head_width(self, settings: Settings, hidden: int, heads: int) -> int:
        """Return the width of a head."""
        keys = ("head_dim", "kv_channels")
        if self.head_dim is not None:
            return settings.size(*keys, usual=self.head_dim)
        if all(settings.values.get(key) is None for key in keys):
            return even(settings, hidden, heads)
        return settings.size(*keys)

    def shared_heads(self, settings: Settings, heads: int) -> int:
        """Return how many heads of keys and values the heads share."""
        usual = self.key_value_heads
        stated = any(settings.values.get(key) is not None for key in KEY_VALUE_HEADS)
        if usual is None and not stated:
            return heads
        if usual is not None and heads % usual:
            usual = None  # what the library takes cannot be meant
        found = settings.size(*KEY_VALUE_HEADS, usual=usual)
        if found > heads or heads % found:
            key = next(k for k in KEY_VALUE_HEADS if settings.values.get(k) is not None)
            settings.refuse(key, f"no more than {heads} heads, of which it is a divisor,")
        return found

    def mixer(self, settings: Settings, sizes: Sizes) -> Layer:
        """Return the part of a layer in which tokens see one another, and the norms."""
        bias = on(self.attention_bias, settings)
        part = attention(
            sizes.hidden,
            sizes.heads,
            sizes.key_value_heads,
            sizes.head_dim,
            bias=bias,
            out_bias=bias if self.out_bias is None else on(self.out_bias, settings),
        )
        part += self.norm_of(sizes.hidden, self.norms)
        if self.query_norm == "head":
            part += norms(sizes.head_dim, 2, bias=False)
        elif self.query_norm == "whole":
            both = sizes.heads + sizes.key_value_heads
            part += norms(sizes.head_dim * both, bias=False)
        return part

    def block(self, settings: Settings, sizes: Sizes) -> Layer:
        """Return the feed-forward block of a layer."""
        inner = self.inner_width(settings, sizes)
        bias = on(self.inner_bias, settings)
        return feed_forward(sizes.hidden, inner, gated=self.gated, bias=bias)

    def inner_width(self, settings: Settings, sizes: Sizes) -> int:
        """Return the width of the feed-forward block."""
        keys = (*INNER, "ffn_hidden_size")
        if self.inner and all(settings.values.get(key) is None for key in keys):
            return self.inner * sizes.hidden
        return settings.core(keys, self.usual.get("inner"))

    def norm_of(self, width: int, number: int) -> Layer:
        """Return norms of the family's kind."""
        if self.norm == "none":
            return Layer()
        return norms(width, number, bias=self.norm == "layer")

    def whole(
        self, settings: Settings, sizes: Sizes, layers: tuple[tuple[Layer, int], ...]
    ) -> Net:
        """Return the net of layers, with what is before and after them."""
        words = sizes.hidden * sizes.vocabulary
        tied = settings.flag("tie_word_embeddings", usual=self.tied)
        ends = self.norm_of(sizes.hidden, self.last_norm + self.embedding_norm)
        limit, rows = None, 0
        if self.positions is not None:
            limit = settings.size(*POSITIONS, usual=self.usual.get("positions"))
            rows = limit + self.positions
        return Net(
            name=f"{settings.kind}, causal language model",
            stacks=(Stack(layers, sizes.hidden, causal=True),),
            embeddings=words + rows * sizes.hidden,
            output=0 if tied else words,
            tied=words if tied else 0,
            head_vectors=ends.vectors + sizes.vocabulary * self.head_bias,
            vocabulary=sizes.vocabulary,
            limit=limit,
        )


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes that the layers of a decoder share."""

    layers: int
    hidden: int
    heads: int
    key_value_heads: int
    head_dim: int
    vocabulary: int


def even(settings: Settings, hidden: int, heads: int) -> int:
    """Return the width of a head, of heads that share a width.

    Raises
    ------
    advisor.base.errors.UsageError
        if they cannot
    """
    if hidden % heads:
        key = next(key for key in HEADS if settings.values.get(key) is not None)
        settings.refuse(key, f"a divisor of the width {hidden}")
    return hidden // heads


def on(switch: Switch, settings: Settings) -> bool:
    """Return whether a switch is on in a configuration."""
    if isinstance(switch, bool):
        return switch
    key, usual = switch
    return settings.flag(key, usual=usual)


def usual_sizes(
    layers: int, hidden: int, heads: int, inner: int, vocabulary: int
) -> Mapping[str, int]:
    """Return the sizes of `Decoder.usual`."""
    return {
        "layers": layers,
        "hidden": hidden,
        "heads": heads,
        "inner": inner,
        "vocabulary": vocabulary,
    }
