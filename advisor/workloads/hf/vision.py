"""Towers: nets that see an image as patches, or a short text, each as one vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from advisor.workloads.hf.blocks import attention, feed_forward, norms
from advisor.workloads.hf.decoder import even
from advisor.workloads.hf.net import Layer, Net, Stack
from advisor.workloads.hf.settings import HEADS, HIDDEN, INNER, LAYERS, Settings


@dataclass(frozen=True, slots=True)
class Tower:
    """A family of towers that see images, by what distinguishes it from ViT.

    Attributes
    ----------
    image, patch : pixels at each edge where nothing is stated
    tokens : beside those of the patches: a class, a distillation
    patch_bias : the patches' convolution has a bias
    first_norm, last_norm : before the first layer and after the last
    mask : a vector stands for patches that are masked
    scales : two vectors in a layer scale what it adds
    averaged : classes are predicted from the average of the patches too
    pooler : a matrix on the first token, where no class is predicted
    ratio : the feed-forward block is given as a ratio
    pooling_head : attention of one query pools the tokens, by switch
    """

    image: int = 224
    patch: int = 16
    tokens: int = 1
    patch_bias: bool = True
    first_norm: bool = False
    last_norm: bool = True
    mask: bool = False
    scales: bool = False
    averaged: bool = False
    pooler: bool = False
    ratio: bool = False
    pooling_head: bool = False

    def net(self, settings: Settings, *, classes: int = 0) -> Net:
        """Return the net of a configuration.

        Parameters
        ----------
        settings : its configuration
        classes : that its head predicts; 0: it has none

        Raises
        ------
        advisor.base.errors.UsageError
            if a size is missing or cannot be right
        """
        hidden = settings.core(HIDDEN, 768)
        image, patch = self.grid(settings)
        patches = (image // patch) ** 2
        colors = settings.size("num_channels", usual=3)
        layer = self.layer(settings, hidden)
        layers = settings.core(LAYERS, 12)
        number = patches + self.tokens
        convolution = colors * patch * patch * hidden
        vectors = self.tokens * hidden + hidden * self.patch_bias + hidden * self.mask
        vectors += norms(hidden, self.first_norm + self.last_norm, bias=True).vectors
        vectors += self.top(settings, hidden, classes)
        pooled = self.pooled(settings, hidden)
        return Net(
            name=f"{settings.kind}, image {'classification' if classes else 'encoder'}",
            stacks=(Stack(((layer, layers),), hidden, passed="fixed", fixed=number),),
            embeddings=number * hidden,
            head_vectors=convolution + vectors,
            fixed_flops=2.0 * (convolution * patches + pooled * number),
            image=image,
        )

    def grid(self, settings: Settings) -> tuple[int, int]:
        """Return pixels at the edge of the image and of a patch."""
        image = settings.size("image_size", usual=self.image)
        patch = settings.size("patch_size", usual=self.patch)
        if patch > image:
            settings.refuse("patch_size", f"no more than the image's {image} pixels")
        return image, patch

    def layer(self, settings: Settings, hidden: int) -> Layer:
        """Return one layer."""
        heads = settings.core(HEADS, 12)
        bias = settings.flag("qkv_bias", usual=True)
        wide = even(settings, hidden, heads)
        part = attention(hidden, heads, heads, wide, bias=bias, out_bias=True)
        part += self.block(settings, hidden) + norms(hidden, 2, bias=True)
        return part + Layer(vectors=2 * hidden * self.scales)

    def block(self, settings: Settings, hidden: int) -> Layer:
        """Return the feed-forward block of a layer."""
        if not self.ratio:
            inner = settings.core(INNER, 3072)
            return feed_forward(hidden, inner, gated=False, bias=True)
        inner = int(hidden * settings.number("mlp_ratio", 4.0))
        if not settings.flag("use_swiglu_ffn", usual=False):
            return feed_forward(hidden, inner, gated=False, bias=True)
        # A gate keeps two thirds, rounded up to a multiple of 8, as the library does.
        third = (int(inner * 2 / 3) + 7) // 8 * 8
        return feed_forward(hidden, third, gated=True, bias=True)

    def pooled(self, settings: Settings, hidden: int) -> int:
        """Return parameters of the pooling head that every token is multiplied with."""
        with_head = self.pooling_head and settings.flag("vision_use_head", usual=True)
        return 2 * hidden * hidden if with_head else 0

    def top(self, settings: Settings, hidden: int, classes: int) -> int:
        """Return parameters after the last norm, which see one token of an image."""
        if self.pooled(settings, hidden):
            inner = settings.core(INNER, 3072)
            pool = attention(hidden, 1, 1, hidden, bias=True, out_bias=True)
            pool += norms(hidden, bias=True)
            pool += feed_forward(hidden, inner, gated=False, bias=True)
            return hidden + pool.parameters
        if classes:
            return classes * (hidden * (2 if self.averaged else 1) + 1)
        return hidden * hidden + hidden if self.pooler else 0


CLIP_VISION = Tower(patch=32, patch_bias=False, first_norm=True, last_norm=True)
SIGLIP_VISION = Tower(tokens=0, pooling_head=True)

TOWERS: Mapping[str, Tower] = {
    "vit": Tower(pooler=True),
    "deit": Tower(tokens=2, pooler=True),
    "dinov2": Tower(patch=14, mask=True, scales=True, averaged=True, ratio=True),
    "clip_vision_model": CLIP_VISION,
    "siglip_vision_model": SIGLIP_VISION,
}  # fmt: skip
"""Type of a model -> its family, where an image becomes vectors."""


@dataclass(frozen=True, slots=True)
class TextTower:
    """The half of a dual encoder that reads.

    Attributes
    ----------
    hidden, heads, inner, words, positions : where nothing is stated
    causal : a token sees those before it alone
    projected : its last vector goes through a matrix of its own
    """

    hidden: int
    heads: int
    inner: int
    words: int
    positions: int
    causal: bool
    projected: bool

    def net(self, settings: Settings) -> Net:
        """Return the net of a configuration.

        Raises
        ------
        advisor.base.errors.UsageError
            if a size is missing or cannot be right
        """
        hidden = settings.core(HIDDEN, self.hidden)
        heads = settings.core(HEADS, self.heads)
        words = settings.size("vocab_size", usual=self.words)
        limit = settings.size("max_position_embeddings", usual=self.positions)
        wide = even(settings, hidden, heads)
        layer = attention(hidden, heads, heads, wide, bias=True, out_bias=True)
        inner = settings.core(INNER, self.inner)
        layer += feed_forward(hidden, inner, gated=False, bias=True)
        layer += norms(hidden, 2, bias=True)
        top = norms(hidden, bias=True).vectors
        if self.projected:
            wide = settings.size("projection_size", usual=hidden)
            top += hidden * wide + wide
        stack = Stack(((layer, settings.core(LAYERS, 12)),), hidden, causal=self.causal)
        return Net(
            name=f"{settings.kind}, text encoder",
            stacks=(stack,),
            embeddings=hidden * (words + limit),
            head_vectors=top,
            limit=limit,
        )


CLIP_TEXT = TextTower(512, 8, 2048, 49_408, 77, causal=True, projected=False)
SIGLIP_TEXT = TextTower(768, 12, 3072, 32_000, 64, causal=False, projected=True)


@dataclass(frozen=True, slots=True)
class Dual:
    """A text and an image tower whose vectors are compared.

    Attributes
    ----------
    text, vision : the towers
    text_kind, vision_kind : types of model of the two parts
    projection : width that both are projected to, where nothing is stated; 0: they are
        compared as they are
    scalars : that scale and shift the comparison
    """

    text: TextTower
    vision: Tower
    text_kind: str
    vision_kind: str
    projection: int
    scalars: int

    def net(self, settings: Settings) -> Net:
        """Return the net of a configuration.

        Raises
        ------
        advisor.base.errors.UsageError
            if a part is missing, or a size of it cannot be right
        """
        read = self.text.net(settings.inside("text_config", self.text_kind))
        seen = self.vision.net(settings.inside("vision_config", self.vision_kind))
        top = self.scalars
        if self.projection:
            wide = settings.size("projection_dim", usual=self.projection)
            top += wide * (read.stacks[0].hidden + seen.stacks[0].hidden)
        return joined(f"{settings.kind}, text and image encoder", read, seen, top)


def joined(name: str, first: Net, second: Net, vectors: int) -> Net:
    """Return two nets as one, the words and the head of the first."""
    return Net(
        name=name,
        stacks=first.stacks + second.stacks,
        embeddings=first.embeddings + second.embeddings,
        head_matrices=first.head_matrices,
        output=first.output,
        tied=first.tied,
        head_vectors=first.head_vectors + second.head_vectors + vectors,
        vocabulary=first.vocabulary,
        fixed_flops=first.fixed_flops + second.fixed_flops,
        limit=first.limit,
        image=second.image,
    )


DUALS: Mapping[str, Dual] = {
    "clip": Dual(CLIP_TEXT, CLIP_VISION, "clip_text_model", "clip_vision_model", 512, 1),
    "siglip": Dual(
        SIGLIP_TEXT, SIGLIP_VISION, "siglip_text_model", "siglip_vision_model", 0, 2
    ),
}
"""Type of a model -> its family, where a text and an image are compared."""
