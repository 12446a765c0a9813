"""Nets of inverted residual blocks, counted layer by layer from their tables.

EfficientNet (Tan and Le, ICML 2019, table 1 and the compound scaling of torchvision) and
MobileNetV3-L (Howard et al., ICCV 2019, table 1). Parameters and multiply-accumulates
come out as torchvision states them, which says that the layers are right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

SMOOTH, RELU = 6.0, 4.0
"""Bytes that a convolution with norm and activation keeps for each of its outputs, in
half precision: the norm's input, the activation's output, and its input unless it is a
ReLU, whose gradient follows from the output."""

PLAIN = 4.0
"""The same without an activation: the norm's input and its output."""


class Block(NamedTuple):
    """An inverted residual block: widen, convolve each channel, narrow again."""

    kernel: int
    stride: int
    wide: int
    squeezed: int  # width between squeeze and excitation; 0: there is none
    narrow: int
    kept: float  # `SMOOTH` or `RELU`


@dataclass
class Net:
    """What a net has and needs, as it grows layer by layer.

    Attributes
    ----------
    pixels : of a side, where the net has come to
    width : its channels there
    macs : multiply-accumulates of a forward pass
    parameters : weights, and biases where there is no norm
    kept_bytes : from forward to backward, under autocast, without the image
    """

    pixels: int
    width: int = 3
    macs: float = 0.0
    parameters: float = 0.0
    kept_bytes: float = 0.0

    def convolve(
        self, outputs: int, kept: float, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        """Add a convolution with its norm."""
        self.pixels = math.ceil(self.pixels / stride)
        weights = kernel**2 * self.width // groups * outputs
        self.macs += weights * self.pixels**2
        self.parameters += weights + 2 * outputs
        self.kept_bytes += kept * outputs * self.pixels**2
        self.width = outputs

    def excite(self, squeezed: int) -> None:
        """Add squeeze and excitation, whose product is kept."""
        weights = 2 * self.width * squeezed
        self.macs += weights
        self.parameters += weights + self.width + squeezed
        self.kept_bytes += 2.0 * self.width * self.pixels**2

    def stack(self, blocks: Iterable[Block]) -> None:
        """Add inverted residual blocks."""
        for one in blocks:
            if one.wide != self.width:
                self.convolve(one.wide, one.kept)
            self.convolve(one.wide, one.kept, one.kernel, one.stride, one.wide)
            if one.squeezed:
                self.excite(one.squeezed)
            self.convolve(one.narrow, PLAIN)

    def classify(self, *widths: int) -> None:
        """Add layers without norms on the mean of all pixels."""
        for outputs in widths:
            weights = self.width * outputs
            self.macs += weights
            self.parameters += weights + outputs
            self.width = outputs

    @property
    def gflops(self) -> float:
        """10^9 operations of a forward pass."""
        return 2.0 * self.macs / 1e9

    @property
    def kept_mb(self) -> float:
        """10^6 bytes that a sample keeps, its image in FP32 among them."""
        return self.kept_bytes / 1e6


def begun(pixels: int) -> Net:
    """Return a net that has an image of 3 channels in FP32, and no layer."""
    return Net(pixels, kept_bytes=12.0 * pixels**2)


def efficientnet(width: float, depth: float, pixels: int) -> Net:
    """Return an EfficientNet; B0 has 1.0, 1.0 and 224 pixels, B4 1.4, 1.8 and 380."""
    net = begun(pixels)
    net.convolve(_eights(32 * width), SMOOTH, 3, 2)
    blocks = []
    inputs = net.width
    for times, kernel, stride, channels, repeats in (
        (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
    ):  # fmt: skip
        outputs = _eights(channels * width)
        for at in range(math.ceil(repeats * depth)):
            step = stride if at == 0 else 1
            wide = inputs * times
            blocks.append(Block(kernel, step, wide, inputs // 4, outputs, SMOOTH))
            inputs = outputs
    net.stack(blocks)
    net.convolve(4 * inputs, SMOOTH)
    net.classify(1000)
    return net


def mobilenetv3_large(pixels: int = 224) -> Net:
    """Return MobileNetV3-L."""
    net = begun(pixels)
    net.convolve(16, SMOOTH, 3, 2)
    net.stack(
        Block(kernel, stride, wide, _eights(wide / 4) * squeezes, narrow, kept)
        for kernel, stride, wide, squeezes, narrow, kept in (
            (3, 1, 16, 0, 16, RELU), (3, 2, 64, 0, 24, RELU), (3, 1, 72, 0, 24, RELU),
            (5, 2, 72, 1, 40, RELU), (5, 1, 120, 1, 40, RELU), (5, 1, 120, 1, 40, RELU),
            (3, 2, 240, 0, 80, SMOOTH), (3, 1, 200, 0, 80, SMOOTH),
            (3, 1, 184, 0, 80, SMOOTH), (3, 1, 184, 0, 80, SMOOTH),
            (3, 1, 480, 1, 112, SMOOTH), (3, 1, 672, 1, 112, SMOOTH),
            (5, 2, 672, 1, 160, SMOOTH), (5, 1, 960, 1, 160, SMOOTH),
            (5, 1, 960, 1, 160, SMOOTH),
        )
    )  # fmt: skip
    net.convolve(960, SMOOTH)
    net.classify(1280, 1000)
    return net


def _eights(channels: float) -> int:
    """Round channels to a multiple of eight, not below nine tenths of them."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near
