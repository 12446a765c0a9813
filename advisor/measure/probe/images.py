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

import importlib
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Encode = Callable[[Any], bytes]
    """Picture as height x width x 3 of 8 bits -> file."""

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


def jpegs() -> list[bytes]:
    """Return the files.

    Raises
    ------
    ImportError
        without NumPy, or without a library that writes them
    """
    numpy = importlib.import_module("numpy")
    encode = _encoder()
    mean_pixels = sum(width * height for width, height in SIZES) / len(SIZES)
    return [
        _file(numpy, encode, number, size, size[0] * size[1] / mean_pixels * MEAN_BYTES)
        for number, size in enumerate(SIZES)
    ]


def _encoder() -> Encode:
    """Return what writes a file: Pillow, else OpenCV; both halve the colors' size."""
    try:
        pillow = importlib.import_module("PIL.Image")
    except ImportError:
        cv2 = importlib.import_module("cv2")
        quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        return lambda pixels: bytes(cv2.imencode(".jpg", pixels[..., ::-1], quality)[1])

    def encode(pixels: Any) -> bytes:
        body = io.BytesIO()
        picture = pillow.fromarray(pixels)
        picture.save(body, "JPEG", quality=_QUALITY, subsampling="4:2:0")
        return body.getvalue()

    return encode


def _file(
    numpy: Any, encode: Encode, number: int, size: tuple[int, int], wanted: float
) -> bytes:
    """Return a file of about so many bytes: bisection over the grain."""
    draw = numpy.random.RandomState(_SEED + number)
    smooth = _smooth(numpy, draw, size)
    noise = draw.standard_normal(smooth.shape).astype(numpy.float32)
    low, high = 0.0, _MOST_GRAIN
    for _ in range(_TRIES):
        grain = (low + high) / 2.0
        values = numpy.clip(smooth + grain * noise, 0.0, 255.0)
        found = encode(values.astype(numpy.uint8))
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
