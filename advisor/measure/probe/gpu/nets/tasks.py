"""What is trained: a net, its batches, its loss and its optimizer, by profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from advisor.measure.probe.gpu.nets.resnet import ResNet
from advisor.measure.probe.gpu.nets.transformer import (
    Decoder,
    Encoder,
    Size,
    VisionTransformer,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class Task(NamedTuple):
    """A training.

    Attributes
    ----------
    build : makes the net
    inputs : makes a batch of so many samples and their targets, on a device
    optimizer : of the net's parameters
    takes_images : so that the memory format matters
    """

    build: Callable[[], Any]
    inputs: Callable[[int, str], tuple[Any, Any]]
    optimizer: Callable[[Any], Any]
    takes_images: bool


def task_of(profile: str, *, is_tiny: bool = False) -> Task:
    """Return the training of a built-in profile.

    Parameters
    ----------
    profile : name of the profile
    is_tiny : the same layers, narrow and with small samples, for a look at the program

    Raises
    ------
    KeyError
        if it is none of these
    """
    side, classes = (32, 10) if is_tiny else (224, 1000)
    if profile in _RESNETS:
        blocks, is_deep = _RESNETS[profile]
        width = 8 if is_tiny else 64
        return Task(
            lambda: ResNet(blocks, is_deep=is_deep, width=width, classes=classes),
            lambda number, device: _images(number, device, side, classes),
            _momentum,
            takes_images=True,
        )
    size = _SIZES[profile]
    if is_tiny:
        size = size._replace(heads=2, width=16, context=min(size.context, 32))
    if profile == "vit-b16":
        size = size._replace(context=(side // 16) ** 2 + 1, vocabulary=classes)
        return Task(
            lambda: VisionTransformer(size),
            lambda number, device: _images(number, device, side, classes),
            _adamw,
            takes_images=True,
        )
    if profile == "bert-base":
        length = 16 if is_tiny else 384
        return Task(
            lambda: Encoder(size),
            lambda number, device: _spans(number, device, length, size.vocabulary),
            _adamw,
            takes_images=False,
        )
    return Task(
        lambda: Decoder(size),
        lambda number, device: _next_words(number, device, size),
        _adamw,
        takes_images=False,
    )


_RESNETS = {"resnet18": ((2, 2, 2, 2), False), "resnet50": ((3, 4, 6, 3), True)}
_SIZES = {
    "vit-b16": Size(),
    "gpt2-124m": Size(),
    "bert-base": Size(context=512, vocabulary=30_522),
}


def loss_of(output: Any, targets: Any) -> Any:
    """Return the cross entropy, over all targets of a sample where it has several."""
    if output.dim() == 3:
        return nn.functional.cross_entropy(output.flatten(0, 1), targets.flatten())
    return nn.functional.cross_entropy(output, targets)


def _momentum(parameters: Any) -> Any:
    return torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, weight_decay=5e-5)


def _adamw(parameters: Any) -> Any:
    return torch.optim.AdamW(parameters, lr=1e-5)


def _images(number: int, device: str, side: int, classes: int) -> tuple[Any, Any]:
    images = torch.randn(number, 3, side, side, device=device)
    return images, torch.randint(classes, (number,), device=device)


def _next_words(number: int, device: str, size: Size) -> tuple[Any, Any]:
    words = torch.randint(size.vocabulary, (number, size.context + 1), device=device)
    return words[:, :-1].contiguous(), words[:, 1:].contiguous()


def _spans(number: int, device: str, length: int, vocabulary: int) -> tuple[Any, Any]:
    words = torch.randint(vocabulary, (number, length), device=device)
    return words, torch.randint(length, (number, 2), device=device)
