"""Transformers: ViT-B/16, GPT-2 and BERT, of one kind of block.

A. Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021; A. Radford et al.,
"Language models are unsupervised multitask learners", OpenAI 2019; J. Devlin et al.,
"BERT", NAACL 2019. Attention is PyTorch's fused one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

_WEIGHT_SD = 0.02
"""Standard deviation that GPT-2 and BERT start from."""


class Size(NamedTuple):
    """Of a transformer.

    Attributes
    ----------
    layers, heads, width : of its blocks; the inner layer is four times as wide
    context : tokens at most
    vocabulary : words that it knows; of a ViT, classes
    """

    layers: int = 12
    heads: int = 12
    width: int = 768
    context: int = 1024
    vocabulary: int = 50_257


class Cache:
    """Keys and values of the tokens that a decoder has seen, a pair per layer.

    Parameters
    ----------
    size : of the decoder
    batch : sequences
    like : a parameter of the decoder, for device and type
    """

    def __init__(self, size: Size, batch: int, like: Any) -> None:
        shape = (
            2,
            size.layers,
            batch,
            size.heads,
            size.context,
            size.width // size.heads,
        )
        self.filled = 0
        self._pairs = torch.zeros(shape, device=like.device, dtype=like.dtype)

    def extended(self, layer: int, keys: Any, values: Any) -> tuple[Any, Any]:
        """Write the newest keys and values; return those of all tokens so far."""
        end = self.filled + keys.shape[2]
        for pair, new in zip(self._pairs, (keys, values)):
            pair[layer, :, :, self.filled : end] = new
        every = self._pairs[:, layer, :, :, :end]
        return every[0], every[1]


class _Block(nn.Module):
    """Attention and an inner layer, each beside a short cut."""

    def __init__(self, size: Size, *, is_causal: bool, norm_last: bool) -> None:
        super().__init__()
        self.heads, self.is_causal, self.norm_last = size.heads, is_causal, norm_last
        self.norm_1, self.norm_2 = nn.LayerNorm(size.width), nn.LayerNorm(size.width)
        self.project_in = nn.Linear(size.width, 3 * size.width)
        self.project_out = nn.Linear(size.width, size.width)
        self.inner = nn.Sequential(
            nn.Linear(size.width, 4 * size.width),
            nn.GELU(approximate="tanh" if is_causal else "none"),
            nn.Linear(4 * size.width, size.width),
        )

    def forward(self, tokens: Any, layer: int = 0, cache: Cache | None = None) -> Any:
        if self.norm_last:
            tokens = self.norm_1(tokens + self._attention(tokens, layer, cache))
            return self.norm_2(tokens + self.inner(tokens))
        tokens = tokens + self._attention(self.norm_1(tokens), layer, cache)
        return tokens + self.inner(self.norm_2(tokens))

    def _attention(self, tokens: Any, layer: int, cache: Cache | None) -> Any:
        batch, length, width = tokens.shape
        query, key, value = (
            one.view(batch, length, self.heads, -1).transpose(1, 2)
            for one in self.project_in(tokens).split(width, dim=2)
        )
        if cache is not None:
            key, value = cache.extended(layer, key, value)
        mixed = nn.functional.scaled_dot_product_attention(
            query, key, value, is_causal=self.is_causal and length > 1
        )
        return self.project_out(mixed.transpose(1, 2).reshape(batch, length, width))


class Decoder(nn.Module):
    """GPT-2: causal attention, the output layer shares the weights of the input's."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        self.words = nn.Embedding(size.vocabulary, size.width)
        self.positions = nn.Embedding(size.context, size.width)
        self.blocks = nn.ModuleList(
            _Block(size, is_causal=True, norm_last=False) for _ in range(size.layers)
        )
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, size.vocabulary, bias=False)
        self.head.weight = self.words.weight
        nn.init.normal_(self.words.weight, std=_WEIGHT_SD)

    def forward(self, tokens: Any, cache: Cache | None = None) -> Any:
        """Return the logits of tokens of shape (batch, length).

        Parameters
        ----------
        tokens : the first ones with a cache may be many, further ones come one by one
        cache : of the tokens before, extended by these
        """
        begin = 0 if cache is None else cache.filled
        places = torch.arange(begin, begin + tokens.shape[1], device=tokens.device)
        features = self.words(tokens) + self.positions(places)
        for layer, block in enumerate(self.blocks):
            features = block(features, layer, cache)
        if cache is not None:
            cache.filled += tokens.shape[1]
        return self.head(self.norm(features))


class Encoder(nn.Module):
    """BERT with the head that marks a span of the text, as for SQuAD."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.words = nn.Embedding(size.vocabulary, size.width)
        self.positions = nn.Embedding(size.context, size.width)
        self.segments = nn.Embedding(2, size.width)
        self.norm = nn.LayerNorm(size.width)
        self.blocks = nn.ModuleList(
            _Block(size, is_causal=False, norm_last=True) for _ in range(size.layers)
        )
        self.head = nn.Linear(size.width, 2)

    def forward(self, tokens: Any) -> Any:
        """Return the logits of begin and end, (batch, 2, length), of (batch, length)."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        features = self.words(tokens) + self.positions(places)
        features = self.norm(features + self.segments(torch.zeros_like(tokens)))
        for block in self.blocks:
            features = block(features)
        return self.head(features).transpose(1, 2)


class VisionTransformer(nn.Module):
    """ViT: pieces of an image as tokens, classified by an extra one.

    Parameters
    ----------
    size : its context is the side of an image times that of the other, in pieces, and 1
    piece : pixels of a side of a piece
    """

    def __init__(self, size: Size, piece: int = 16) -> None:
        super().__init__()
        self.pieces = nn.Conv2d(3, size.width, piece, stride=piece)
        self.extra = nn.Parameter(torch.zeros(1, 1, size.width))
        self.positions = nn.Parameter(
            torch.randn(1, size.context, size.width) * _WEIGHT_SD
        )
        self.blocks = nn.ModuleList(
            _Block(size, is_causal=False, norm_last=False) for _ in range(size.layers)
        )
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, size.vocabulary)

    def forward(self, images: Any) -> Any:
        """Return the logits of images of shape (batch, 3, height, width)."""
        tokens = self.pieces(images).flatten(2).transpose(1, 2)
        extra = self.extra.expand(len(tokens), -1, -1)
        features = torch.cat([extra, tokens], dim=1) + self.positions
        for block in self.blocks:
            features = block(features)
        return self.head(self.norm(features)[:, 0])
