"""Encoders with a decoder: text to text, and speech to text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from advisor.workloads.hf.blocks import attention, cross_attention, feed_forward, norms
from advisor.workloads.hf.net import Layer, Net, Stack
from advisor.workloads.hf.settings import VOCABULARY, Settings


@dataclass(frozen=True, slots=True)
class T5:
    """T5 and its like: relative positions, no biases, a gate in the later ones.

    Attributes
    ----------
    feed_forward : kind of the feed-forward block where nothing is stated
    every : each layer has relative positions of its own, not the first alone
    """

    feed_forward: str = "relu"
    every: bool = False

    def net(self, settings: Settings) -> Net:
        """Return the net of a configuration.

        Raises
        ------
        advisor.base.errors.UsageError
            if a size is missing or cannot be right
        """
        hidden = settings.core(("d_model",), None)
        heads = settings.core(("num_heads",), None)
        inner = settings.core(("d_ff",), None)
        words = settings.core(VOCABULARY, None)
        layers = settings.core(("num_layers",), None)
        wide = settings.size("d_kv", usual=64)
        kind = settings.text("feed_forward_proj", self.feed_forward)
        missing = "feed_forward_proj" in settings.assumed
        if missing and kind == "relu" and inner < 4 * hidden:
            assumption = f"{kind} (T5 1.1 and FLAN-T5 state gated-gelu)"
            settings.assumed["feed_forward_proj"] = assumption
        block = feed_forward(hidden, inner, gated=kind.startswith("gated-"))
        block += norms(hidden, 2, bias=False)
        block += attention(hidden, heads, heads, wide)
        cross = cross_attention(hidden, hidden, heads, wide) + norms(hidden, bias=False)
        below = settings.size("num_decoder_layers", usual=layers)
        buckets = settings.size("relative_attention_num_buckets", usual=32)
        # Where the file says that words and head differ, its weights have both, and the
        # library keeps both when it loads them, though not when it builds from the file
        # alone (transformers 5.24 ties them then, and says so in its configuration).
        tied = settings.flag("tie_word_embeddings", usual=True)
        return Net(
            name=f"{settings.kind}, encoder with a decoder",
            stacks=(
                Stack(((block, layers),), hidden),
                Stack(((block + cross, below),), hidden, passed="target", causal=True),
            ),
            embeddings=hidden * words
            + buckets * heads * (layers + below if self.every else 2),
            output=0 if tied else hidden * words,
            tied=hidden * words if tied else 0,
            head_vectors=2 * hidden,
            vocabulary=words,
            head_tokens="target",
        )


@dataclass(frozen=True, slots=True)
class Bart:
    """BART and its like: biases everywhere, positions learned or computed.

    Attributes
    ----------
    padded : rows of positions that no token has; None: they are no parameters
    first_norm, last_norm : on the embeddings, and after the last layer
    key_bias : keys have one
    """

    padded: int | None = 2
    first_norm: bool = True
    last_norm: bool = False
    key_bias: bool = True

    def net(self, settings: Settings) -> Net:
        """Return the net of a configuration.

        Raises
        ------
        advisor.base.errors.UsageError
            if a size is missing or cannot be right
        """
        hidden = settings.core(("d_model",), None)
        words = settings.core(VOCABULARY, None)
        limit = settings.size("max_position_embeddings", usual=1024)
        rows = 0 if self.padded is None else 2 * (limit + self.padded)
        ends = 2 * (self.first_norm + self.last_norm)
        tied = settings.flag("tie_word_embeddings", usual=True)
        return Net(
            name=f"{settings.kind}, encoder with a decoder",
            stacks=(
                Stack((self.layers(settings, hidden, "encoder"),), hidden),
                Stack(
                    (self.layers(settings, hidden, "decoder"),),
                    hidden,
                    passed="target",
                    causal=True,
                ),
            ),
            # Apart, encoder and decoder have words of their own beside the shared ones.
            embeddings=hidden * (words * (1 if tied else 3) + rows),
            output=0 if tied else hidden * words,
            tied=hidden * words if tied else 0,
            head_vectors=norms(hidden, ends, bias=True).vectors,
            vocabulary=words,
            head_tokens="target",
            limit=None if self.padded is None else limit,
            target_limit=None if self.padded is None else limit,
        )

    def layers(self, settings: Settings, hidden: int, side: str) -> tuple[Layer, int]:
        """Return the layers of a side, ``"encoder"`` or ``"decoder"``."""
        key = f"{side}_attention_heads"
        heads = settings.core((key,), None)
        if hidden % heads:
            settings.refuse(key, f"a divisor of the width {hidden}")
        wide = hidden // heads
        layer = attention(
            hidden, heads, heads, wide, bias=True, key_bias=self.key_bias, out_bias=True
        )
        inner = settings.core((f"{side}_ffn_dim",), None)
        layer += feed_forward(hidden, inner, gated=False, bias=True)
        layer += norms(hidden, 2, bias=True)
        if side == "decoder":
            layer += cross_attention(
                hidden, hidden, heads, wide, bias=True, key_bias=self.key_bias
            )
            layer += norms(hidden, bias=True)
        return layer, settings.core((f"{side}_layers",), None)


@dataclass(frozen=True, slots=True)
class Whisper(Bart):
    """Whisper: convolutions over a spectrogram, then encoder and decoder."""

    def net(self, settings: Settings) -> Net:
        """Return the net of a configuration; its sound is as long as its positions."""
        hidden = settings.core(("d_model",), None)
        words = settings.core(VOCABULARY, None)
        bands = settings.size("num_mel_bins", usual=80)
        frames = settings.size("max_source_positions", usual=1500)
        limit = settings.size("max_target_positions", usual=448)
        tied = settings.flag("tie_word_embeddings", usual=True)
        first, second = 3 * bands * hidden, 3 * hidden * hidden
        return Net(
            name=f"{settings.kind}, speech recognition",
            stacks=(
                Stack(
                    (self.layers(settings, hidden, "encoder"),),
                    hidden,
                    passed="fixed",
                    fixed=frames,
                ),
                Stack(
                    (self.layers(settings, hidden, "decoder"),),
                    hidden,
                    passed="target",
                    causal=True,
                    memory="fixed",
                    memory_fixed=frames,
                ),
            ),
            embeddings=hidden * (words + frames + limit),
            output=0 if tied else hidden * words,
            tied=hidden * words if tied else 0,
            head_vectors=first + second + 2 * hidden + 4 * hidden,
            vocabulary=words,
            head_tokens="target",
            # The first convolution sees every frame, the second every other.
            fixed_flops=2.0 * (first * 2 * frames + second * frames),
            target_limit=limit,
            sound=bands * 2 * frames,
        )


SEQ2SEQ: Mapping[str, T5 | Bart] = {
    "t5": T5(),
    "mt5": T5("gated-gelu"),
    "umt5": T5("gated-gelu", every=True),
    "bart": Bart(),
    "mbart": Bart(last_norm=True),
    "marian": Bart(padded=0, first_norm=False),
    "pegasus": Bart(padded=0, first_norm=False, last_norm=True),
    "m2m_100": Bart(padded=None, first_norm=False, last_norm=True),
    "whisper": Whisper(key_bias=False),
}
"""Type of a model -> its family, where one text or sound becomes another text."""
