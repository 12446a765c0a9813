"""Language models that see images: a tower, what fits it to the words, a decoder.

A sample is taken to hold one image, an assumption; its tokens are among those that the
user counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from advisor.workloads.hf.blocks import attention, feed_forward, norms
from advisor.workloads.hf.decoder import Decoder, even, usual_sizes
from advisor.workloads.hf.decoders import DECODERS
from advisor.workloads.hf.net import Net, Stack
from advisor.workloads.hf.settings import Settings
from advisor.workloads.hf.vision import CLIP_VISION, SIGLIP_VISION, Tower, joined

ANY_IMAGE = 448
"""Pixels at each edge of an image where any size may go in: an assumption."""


@dataclass(frozen=True, slots=True)
class Seeing:
    """A family with a tower of `advisor.workloads.hf.vision`.

    Attributes
    ----------
    tower, tower_kind : that sees
    text_kind : type of the language model where nothing is stated
    fits : ``"norm"`` a norm and a matrix, ``"line"`` a matrix with a bias, ``"two"`` two
        matrices, with biases by switch
    """

    tower: Tower
    tower_kind: str
    text_kind: str
    fits: str

    def net(self, settings: Settings) -> Net:
        """Return the net of a configuration.

        Raises
        ------
        advisor.base.errors.UsageError
            if a part is missing, is of no family that is known, or a size cannot be right
        """
        part = settings.inside("text_config", self.text_kind)
        family = DECODERS.get(part.kind)
        if family is None:
            part.refuse("model_type", "a language model that is known by formula")
        tied = settings.values.get("tie_word_embeddings")
        if tied is not None and "tie_word_embeddings" not in part.values:
            part = replace(part, values={**part.values, "tie_word_embeddings": tied})
        read = family.net(part)
        looks = settings.inside("vision_config", self.tower_kind)
        seen = self.tower.net(looks)
        stack = seen.stacks[0]
        between = self.between(settings, stack.hidden, read.stacks[0].hidden)
        flops = seen.fixed_flops + 2.0 * between * stack.fixed
        fitted = replace(seen, fixed_flops=flops)
        name = f"{settings.kind}, causal language model with images"
        return joined(name, read, fitted, between)

    def between(self, settings: Settings, seen: int, read: int) -> int:
        """Return parameters of what fits the tower to the words."""
        if self.fits == "norm":
            return seen * read + seen
        if self.fits == "line":
            return seen * read + read
        bias = settings.flag("multimodal_projector_bias", usual=True)
        return seen * read + read * read + 2 * read * bias


@dataclass(frozen=True, slots=True)
class QwenVision:
    """Qwen2-VL and 2.5-VL: a tower that takes images of any size.

    Attributes
    ----------
    gated : the later one, with gates and norms that have no bias
    """

    gated: bool

    def net(self, settings: Settings) -> Net:
        """Return the net of a configuration.

        Raises
        ------
        advisor.base.errors.UsageError
            if a part is missing, or a size of it cannot be right
        """
        # Old files have the sizes of the language model beside its parts.
        nested = isinstance(settings.values.get("text_config"), dict)
        part = settings.inside("text_config") if nested else settings
        tied = settings.flag("tie_word_embeddings", usual=False)
        part = replace(part, values={**part.values, "tie_word_embeddings": tied})
        read = _QWEN_TEXT.net(part)
        looks = settings.inside("vision_config")
        wide = "hidden_size" if self.gated else "embed_dim"
        hidden = looks.size(wide, usual=3584 if self.gated else 1280)
        out = looks.size(
            "out_hidden_size" if self.gated else "hidden_size",
            usual=read.stacks[0].hidden,
        )
        patch = looks.size("patch_size", usual=14)
        merge = looks.size("spatial_merge_size", usual=2)
        frames = looks.size("temporal_patch_size", usual=2)
        heads = looks.size("num_heads", usual=16)
        layer = attention(
            hidden, heads, heads, even_of(looks, hidden, heads), bias=True, out_bias=True
        )
        layer += feed_forward(
            hidden, self._inner(looks, hidden), gated=self.gated, bias=True
        )
        layer += norms(hidden, 2, bias=not self.gated)
        patches = (ANY_IMAGE // patch) ** 2
        merged = hidden * merge * merge
        merger = merged * merged + merged * out
        convolution = 3 * frames * patch * patch * hidden
        stack = Stack(
            ((layer, looks.size("depth", usual=32)),), hidden, passed="fixed",
            fixed=patches, adapted=False,
        )  # fmt: skip
        seen = Net(
            name="tower",
            stacks=(stack,),
            head_vectors=convolution
            + merger
            + merged
            + out
            + norms(hidden, bias=not self.gated).vectors,
            fixed_flops=2.0 * patches * (convolution + merger / merge**2),
            image=ANY_IMAGE,
        )
        name = f"{settings.kind}, causal language model with images"
        return joined(name, read, seen, 0)

    def _inner(self, looks: Settings, hidden: int) -> int:
        """Return the width of the tower's feed-forward block."""
        if self.gated:
            return looks.size("intermediate_size", usual=3420)
        return int(hidden * looks.number("mlp_ratio", 4.0))


def even_of(looks: Settings, hidden: int, heads: int) -> int:
    """Return the width of a head of a tower whose heads go by ``num_heads``."""
    return even(
        replace(looks, values={**looks.values, "num_heads": heads}), hidden, heads
    )


_QWEN_TEXT = Decoder(
    attention_bias=True,
    out_bias=False,
    key_value_heads=8,
    usual=usual_sizes(80, 8192, 64, 29_568, 152_064),
)

SEEING: Mapping[str, Seeing | QwenVision] = {
    "gemma3": Seeing(SIGLIP_VISION, "siglip_vision_model", "gemma3_text", "norm"),
    "paligemma": Seeing(SIGLIP_VISION, "siglip_vision_model", "gemma", "line"),
    "llava": Seeing(CLIP_VISION, "clip_vision_model", "llama", "two"),
    "qwen2_vl": QwenVision(gated=False),
    "qwen2_5_vl": QwenVision(gated=True),
}
"""Type of a model -> its family, where a decoder sees images."""
