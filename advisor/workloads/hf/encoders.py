"""Encoders: a token sees all others; a head may guess the words that are masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from advisor.workloads.hf.blocks import attention, feed_forward, norms
from advisor.workloads.hf.decoder import even
from advisor.workloads.hf.net import Layer, Net, Stack
from advisor.workloads.hf.settings import (
    HEADS,
    HIDDEN,
    INNER,
    LAYERS,
    POSITIONS,
    VOCABULARY,
    Settings,
)


@dataclass(frozen=True, slots=True)
class Encoder:
    """A family of encoders, by what distinguishes it from BERT.

    Attributes
    ----------
    positions : learned ones where nothing is stated; 0: there are none
    padded : rows of positions that no token has, those up to the padding's
    types : of tokens, where nothing is stated; 0: there are none
    pooler : a matrix on the first token, where no word is guessed
    relative : numbers of relative positions, for each head, that all layers share
    bottleneck : words are embedded in a width of their own
    usual_bottleneck : that width, where nothing is stated; None: the hidden one
    head_bias : the head that guesses words has a number for each word
    """

    positions: int = 512
    padded: int = 0
    types: int = 2
    pooler: bool = True
    relative: int = 0
    bottleneck: bool = False
    usual_bottleneck: int | None = None
    head_bias: bool = True

    def net(self, settings: Settings, *, masked: bool) -> Net:
        """Return the net of a configuration.

        Parameters
        ----------
        settings : its configuration
        masked : with the head that guesses masked words

        Raises
        ------
        advisor.base.errors.UsageError
            if a size is missing or cannot be right
        """
        hidden = settings.core(HIDDEN, None)
        words = settings.core(VOCABULARY, None)
        rows = settings.size(*POSITIONS, usual=self.positions) if self.positions else 0
        wide = self.embedded(settings, hidden)
        stack = self.stack(settings, hidden)
        looked_up = wide * (words + self.position_rows(settings, rows))
        looked_up += self.type_rows(settings) * wide
        head = self.head(settings, hidden, wide, words) if masked else Layer()
        output = wide * words if masked else 0
        tied = masked and settings.flag("tie_word_embeddings", usual=True)
        pooled = hidden * hidden + hidden if self.pooler and not masked else 0
        between = self.between(hidden, wide)
        ends = self.ends(settings, hidden, wide) + between
        return Net(
            name=f"{settings.kind}, {'masked language model' if masked else 'encoder'}",
            stacks=(stack,),
            embeddings=looked_up + self.shared(settings, hidden, stack),
            head_matrices=head.matrices + between.matrices,
            output=0 if tied else output,
            tied=output if tied else 0,
            head_vectors=head.vectors + ends.vectors + pooled,
            vocabulary=words if masked else 0,
            limit=rows - self.padded if self.position_rows(settings, rows) else None,
        )

    def embedded(self, settings: Settings, hidden: int) -> int:
        """Return the width that words are embedded in."""
        if not self.bottleneck:
            return hidden
        return settings.size("embedding_size", usual=self.usual_bottleneck or hidden)

    def between(self, hidden: int, wide: int) -> Layer:
        """Return what widens the embeddings of words."""
        if hidden == wide:
            return Layer()
        return Layer(matrices=hidden * wide, vectors=hidden)

    def position_rows(self, settings: Settings, rows: int) -> int:
        """Return rows of learned positions."""
        del settings
        return rows

    def type_rows(self, settings: Settings) -> int:
        """Return types of tokens."""
        if not self.types and "type_vocab_size" not in settings.values:
            return 0
        return settings.size("type_vocab_size", usual=self.types, least=0)

    def stack(self, settings: Settings, hidden: int) -> Stack:
        """Return its layers."""
        layer = self.layer(settings, hidden)
        return Stack(((layer, settings.core(LAYERS, None)),), hidden)

    def layer(self, settings: Settings, hidden: int) -> Layer:
        """Return one layer."""
        heads = settings.core(HEADS, None)
        part = attention(
            hidden, heads, heads, even(settings, hidden, heads), bias=True, out_bias=True
        )
        inner = settings.core(INNER, None)
        part += feed_forward(hidden, inner, gated=False, bias=True)
        return part + norms(hidden, 2, bias=True)

    def ends(self, settings: Settings, hidden: int, wide: int) -> Layer:
        """Return the norms before and after the layers."""
        del settings, hidden
        return norms(wide, bias=True)

    def shared(self, settings: Settings, hidden: int, stack: Stack) -> int:
        """Return parameters of relative positions, which all layers share."""
        del hidden, stack
        if not self.relative:
            return 0
        number = settings.size("relative_attention_num_buckets", usual=self.relative)
        return number * settings.size(*HEADS)

    def head(self, settings: Settings, hidden: int, wide: int, words: int) -> Layer:
        """Return the head that guesses words, its last matrix being the embedding."""
        del settings
        dense = Layer(matrices=hidden * wide, vectors=wide)
        bias = Layer(vectors=words if self.head_bias else 0)
        return dense + norms(wide, bias=True) + bias


class Albert(Encoder):
    """ALBERT: layers share their parameters."""

    def stack(self, settings: Settings, hidden: int) -> Stack:
        """Return its layers."""
        layer = self.layer(settings, hidden)
        number = settings.core(LAYERS, None)
        groups = settings.size("num_hidden_groups", usual=1)
        inside = settings.size("inner_group_num", usual=1)
        layers = ((layer, number * inside),)
        return Stack(layers, hidden, copies=groups * inside)


class Deberta(Encoder):
    """DeBERTa, first version: one matrix for queries, keys and values."""

    def position_rows(self, settings: Settings, rows: int) -> int:
        """Return rows of learned positions, which it need not have."""
        return rows if settings.flag("position_biased_input", usual=True) else 0

    def between(self, hidden: int, wide: int) -> Layer:
        """Return what widens the embeddings of words."""
        return Layer() if hidden == wide else Layer(matrices=hidden * wide)

    def ends(self, settings: Settings, hidden: int, wide: int) -> Layer:
        """Return the norms before and after the layers."""
        del settings, wide
        return norms(hidden, bias=True)

    def layer(self, settings: Settings, hidden: int) -> Layer:
        """Return one layer."""
        part = super().layer(settings, hidden)
        part += Layer(vectors=-hidden)  # keys have no bias
        if not self.relates(settings):
            return part
        kinds = settings.texts("pos_att_type")
        if "c2p" in kinds:
            part += self._compared(hidden, bias=False)
        if "p2c" in kinds:
            part += self._compared(hidden, bias=True)
        return part

    def relates(self, settings: Settings) -> bool:
        """Return whether tokens are compared with distances."""
        return settings.flag("relative_attention", usual=False)

    @staticmethod
    def _compared(hidden: int, *, bias: bool) -> Layer:
        """Return a comparison with distances by a matrix of its own.

        The matrix multiplies each distance once a batch, so that operations of a sample
        are of the comparison alone, with twice as many distances as there are tokens.
        """
        vectors = hidden * hidden + (hidden if bias else 0)
        return Layer(vectors=vectors, scored=2 * hidden)

    def shared(self, settings: Settings, hidden: int, stack: Stack) -> int:
        """Return parameters of distances, which all layers share."""
        del stack
        if not self.relates(settings):
            return 0
        return 2 * self.distances(settings) * hidden

    def distances(self, settings: Settings) -> int:
        """Return the distance up to which tokens are distinguished."""
        stated = settings.values.get("max_relative_positions")
        if type(stated) is int and stated < 1:
            return settings.size(*POSITIONS, usual=self.positions)
        usual = settings.size(*POSITIONS, usual=self.positions)
        return settings.size("max_relative_positions", usual=usual)


class DebertaV2(Deberta):
    """DeBERTa, second and third version: matrices that may be shared, a convolution."""

    def layer(self, settings: Settings, hidden: int) -> Layer:
        """Return one layer."""
        part = Encoder.layer(self, settings, hidden)
        if not self.relates(settings):
            return part
        own = not settings.flag("share_att_key", usual=False)
        for kind in ("c2p", "p2c"):
            if kind in settings.texts("pos_att_type"):
                own_matrix = hidden * hidden + hidden if own else 0
                part += Layer(vectors=own_matrix, cross_scored=hidden)
        return part

    def stack(self, settings: Settings, hidden: int) -> Stack:
        """Return its layers, whose tokens are compared with a number of distances."""
        found = super().stack(settings, hidden)
        number = 2 * self.distances(settings)
        return replace(found, memory="fixed", memory_fixed=number)

    def distances(self, settings: Settings) -> int:
        """Return the distance up to which tokens are distinguished."""
        stated = settings.values.get("position_buckets")
        if stated is None or (type(stated) is int and stated < 1):
            return super().distances(settings)
        return settings.size("position_buckets")

    def shared(self, settings: Settings, hidden: int, stack: Stack) -> int:
        """Return parameters of distances and of the convolution beside layer one."""
        found = super().shared(settings, hidden, stack)
        kinds = settings.texts("norm_rel_ebd")
        if self.relates(settings) and "layer_norm" in kinds:
            found += 2 * hidden
        kernel = settings.size("conv_kernel_size", usual=0, least=0)
        if kernel:
            found += kernel * hidden * hidden + 3 * hidden
        return found


class Esm(Encoder):
    """ESM-1b and 2: norms before each part, contacts between residues."""

    def position_rows(self, settings: Settings, rows: int) -> int:
        """Return rows of learned positions; none where positions rotate."""
        kind = settings.text("position_embedding_type", "absolute")
        return rows if kind == "absolute" else 0

    def ends(self, settings: Settings, hidden: int, wide: int) -> Layer:
        """Return the norms before and after the layers, and the contacts' weights."""
        del hidden
        before = settings.flag("emb_layer_norm_before", usual=False)
        layers, heads = settings.size(*LAYERS), settings.size(*HEADS)
        contacts = Layer(vectors=layers * heads + 1)
        return norms(wide, 1 + before, bias=True) + contacts


class ModernBert(Encoder):
    """ModernBERT: rotary positions, gates, no biases."""

    def layer(self, settings: Settings, hidden: int) -> Layer:
        """Return one layer; the first has a norm less, which `ends` takes off."""
        heads = settings.core(HEADS, None)
        bias = settings.flag("attention_bias", usual=False)
        part = attention(
            hidden, heads, heads, even(settings, hidden, heads), bias=bias, out_bias=bias
        )
        part += feed_forward(
            hidden,
            settings.core(INNER, None),
            gated=True,
            bias=settings.flag("mlp_bias", usual=False),
        )
        return part + norms(hidden, 2, bias=settings.flag("norm_bias", usual=False))

    def ends(self, settings: Settings, hidden: int, wide: int) -> Layer:
        """Return the norms before and after the layers, less that of the first."""
        del hidden
        return norms(wide, bias=settings.flag("norm_bias", usual=False))

    def head(self, settings: Settings, hidden: int, wide: int, words: int) -> Layer:
        """Return the head that guesses words."""
        dense = Layer(
            matrices=hidden * wide,
            vectors=wide * settings.flag("classifier_bias", usual=False),
        )
        bias = Layer(vectors=words * settings.flag("decoder_bias", usual=True))
        one = norms(wide, bias=settings.flag("norm_bias", usual=False))
        return dense + one + bias


_ROBERTA = Encoder(padded=2)

ENCODERS: Mapping[str, Encoder] = {
    "bert": Encoder(),
    "roberta": _ROBERTA,
    "xlm-roberta": replace(_ROBERTA),
    "camembert": replace(_ROBERTA),
    "distilbert": Encoder(types=0, pooler=False),
    "electra": Encoder(pooler=False, bottleneck=True, usual_bottleneck=128),
    "albert": Albert(bottleneck=True, usual_bottleneck=128),
    "mpnet": Encoder(types=0, padded=2, relative=32),
    "deberta": Deberta(types=0, pooler=False, bottleneck=True),
    "deberta-v2": DebertaV2(types=0, pooler=False, bottleneck=True),
    "esm": Esm(positions=1026, padded=2, types=0),
    "modernbert": ModernBert(positions=0, types=0, pooler=False),
}
"""Type of a model -> its family, where a token sees all others."""
