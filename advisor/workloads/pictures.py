"""A picture, prepared as a training of image classification does it, with Pillow.

Decode, a random crop of 8 to 100 % of the area and of an aspect of 3/4 to 4/3, resized
to the net's size, flipped every other time, made FP32 and normalized: torchvision's
``RandomResizedCrop``, ``RandomHorizontalFlip``, ``ToTensor`` and ``Normalize``, which the
figure of the built-in profiles is of. NumPy stands in for PyTorch in the last two.
"""

from __future__ import annotations

import math
import random
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Size = tuple[int, int]
"""Height and width, pixels."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})

_SAMPLE = re.compile(r"image (\d+)x(\d+)")
_AREA = (0.08, 1.0)
_ASPECT = (3.0 / 4.0, 4.0 / 3.0)
_TRIES = 10
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of each channel of ImageNet, as everybody uses them."""


def size_of(sample: str) -> Size | None:
    """Return the size in the words for a sample, such as ``"image 224x224"``."""
    found = _SAMPLE.match(sample)
    return (int(found[1]), int(found[2])) if found else None


def pillow() -> Any:
    """Return Pillow's module of images, None where it is not installed."""
    try:
        from PIL import Image  # noqa: PLC0415
    except ImportError:
        return None
    return Image


def prepare(path: Path, size: Size, draw: random.Random) -> NDArray[np.float32]:
    """Return what a net is given of a file: 3 x height x width.

    Raises
    ------
    Exception
        of Pillow's, if the file is broken or no picture
    """
    image = pillow()
    height, width = size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd but whole files
        with image.open(path) as opened:
            whole = opened.convert("RGB")
    crop = whole.crop(_box(whole.size, draw))
    small = crop.resize((width, height), image.Resampling.BILINEAR)
    if draw.random() < 0.5:
        small = small.transpose(image.Transpose.FLIP_LEFT_RIGHT)
    values = np.empty((3, height, width), dtype=np.float32)
    for at, band in enumerate(small.split()):
        values[at] = band
        values[at] /= 255.0
        values[at] -= _MEAN[at]
        values[at] /= _SPREAD[at]
    return values


def _box(size: Size, draw: random.Random) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of a random crop of a picture (width, height)."""
    width, height = size
    low, high = map(math.log, _ASPECT)
    for _ in range(_TRIES):
        area = width * height * draw.uniform(*_AREA)
        aspect = math.exp(draw.uniform(low, high))
        wide, tall = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < wide <= width and 0 < tall <= height:
            left, top = draw.randint(0, width - wide), draw.randint(0, height - tall)
            return left, top, left + wide, top + tall
    # The middle, as much of it as the aspect lets.
    wide = min(width, max(round(height * _ASPECT[1]), 1))
    tall = min(height, max(round(width / _ASPECT[0]), 1))
    left, top = (width - wide) // 2, (height - tall) // 2
    return left, top, left + wide, top + tall
