"""ResNet-18 and ResNet-50 as torchvision builds them.

K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR
2016; the stride of a bottleneck is in its 3x3 convolution, which is called v1.5.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_EXPANSION = 4
"""Channels of a bottleneck's output over those inside."""


class ResNet(nn.Module):
    """A residual net for images of any size.

    Parameters
    ----------
    blocks : of each of the four stages
    is_deep : bottlenecks of three convolutions, instead of two of 3x3
    width : channels of the first stage
    classes : of the output
    """

    def __init__(
        self,
        blocks: tuple[int, int, int, int],
        *,
        is_deep: bool,
        width: int = 64,
        classes: int = 1000,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        stages = []
        channels = width
        for stage, number in enumerate(blocks):
            inner = width * 2**stage
            outer = inner * _EXPANSION if is_deep else inner
            for block in range(number):
                stride = 2 if stage and not block else 1
                stages.append(_Block(channels, inner, outer, stride))
                channels = outer
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, images: Any) -> Any:
        """Return the logits of images of shape (batch, 3, height, width)."""
        features = self.stages(self.stem(images))
        return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(features, 1), 1))


class _Block(nn.Module):
    """Convolutions with normalization beside a short cut."""

    def __init__(self, channels: int, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        if inner == outer:
            convolutions = [(channels, inner, 3, stride), (inner, outer, 3, 1)]
        else:
            convolutions = [
                (channels, inner, 1, 1),
                (inner, inner, 3, stride),
                (inner, outer, 1, 1),
            ]
        layers: list[Any] = []
        for into, out, size, step in convolutions:
            layers += [
                nn.Conv2d(into, out, size, step, padding=size // 2, bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(inplace=True),
            ]
        self.body = nn.Sequential(*layers[:-1])
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != outer:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, outer, 1, stride, bias=False), nn.BatchNorm2d(outer)
            )

    def forward(self, features: Any) -> Any:
        output = self.body(features)
        output += self.shortcut(features)
        return nn.functional.relu(output, inplace=True)
