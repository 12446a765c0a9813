"""JPEG files like ImageNet's, made up: the same on every machine.

Most pictures of ImageNet have a longer side of 500 pixels; over all of it they are about
400 x 350 (Deng et al., CVPR 2009). The files of the training set of ILSVRC-2012 have
about 110 kB each (an archive of 147.9 GB with 1,281,167 of them). `SIZES` holds to that:
0.16 megapixels and 110 kB in the mean.

What a decoder works at is the number of pixels and the number of bytes. The pictures have
the spectrum of photographs, amplitude falling as f^-1.2 (Tolhurst, Tadmor and Chao,
Ophthalmic Physiol. Opt. 12, 1992), and as much grain as brings the file to its size at
the quality of a camera.
"""

from __future__ import annotations

import io
from typing import Any

SIZES = (
    *6 * ((500, 375),),
    *3 * ((375, 500),),
    *3 * ((500, 333),),
    *2 * ((333, 500),),
    (500, 500),
    (640, 480),
    (480, 360),
    (400, 300),
    (400, 267),
    (300, 400),
    (320, 240),
    (256, 256),
    (250, 188),
    (200, 150),
)
"""Width and height of each picture."""

MEAN_BYTES = 110e3

_SLOPE = 1.2
_QUALITY = 93
_TRIES = 7
_NEAR = 0.03
"""Of the size that is wanted: near enough."""

_MOST_GRAIN = 16.0
_SEED = 18


def jpegs(numpy: Any, pillow: Any) -> list[bytes]:
    """Return the files.

    Parameters
    ----------
    numpy : the module
    pillow : its module ``PIL.Image``
    """
    mean_pixels = sum(width * height for width, height in SIZES) / len(SIZES)
    return [
        _file(numpy, pillow, number, size, size[0] * size[1] / mean_pixels * MEAN_BYTES)
        for number, size in enumerate(SIZES)
    ]


def _file(
    numpy: Any, pillow: Any, number: int, size: tuple[int, int], wanted: float
) -> bytes:
    """Return a file of about so many bytes: bisection over the grain."""
    draw = numpy.random.RandomState(_SEED + number)
    smooth = _smooth(numpy, draw, size)
    noise = draw.standard_normal(smooth.shape).astype(numpy.float32)
    low, high = 0.0, _MOST_GRAIN
    for _ in range(_TRIES):
        grain = (low + high) / 2.0
        found = _encoded(numpy, pillow, smooth + grain * noise)
        if abs(len(found) / wanted - 1.0) < _NEAR:
            break
        if len(found) < wanted:
            low = grain
        else:
            high = grain
    return found


def _smooth(numpy: Any, draw: Any, size: tuple[int, int]) -> Any:
    """Return height x width x 3 values around 128 with the spectrum of a photograph.

    Three quarters of the variation are common to the three colors, as in photographs.
    """
    width, height = size
    down = numpy.fft.fftfreq(height)[:, None]
    across = numpy.fft.rfftfreq(width)[None, :]
    frequency = numpy.sqrt(down**2 + across**2)
    frequency[0, 0] = 1.0
    fields = []
    for _ in range(4):
        white = numpy.fft.rfft2(draw.standard_normal((height, width)))
        field = numpy.fft.irfft2(white / frequency**_SLOPE, s=(height, width))
        fields.append(field / field.std())
    common, *own = fields
    layers = [128.0 + 48.0 * (0.87 * common + 0.5 * one) for one in own]
    return numpy.stack(layers, axis=-1).astype(numpy.float32)


def _encoded(numpy: Any, pillow: Any, values: Any) -> bytes:
    body = io.BytesIO()
    pixels = numpy.clip(values, 0.0, 255.0).astype(numpy.uint8)
    pillow.fromarray(pixels).save(body, "JPEG", quality=_QUALITY, subsampling="4:2:0")
    return body.getvalue()
