"""A picture prepared for a net, with each library that is there.

Decode, a random crop of 8 to 100 % of the area and of an aspect of 3/4 to 4/3, resized to
224 x 224, flipped every other time, made FP32 and normalized: torchvision's
``RandomResizedCrop``, ``RandomHorizontalFlip``, ``ToTensor`` and ``Normalize``.
"""

from __future__ import annotations

import importlib
import io
import math
import random
from collections.abc import Callable
from typing import Any, NamedTuple

SIDE = 224
_AREA = (0.08, 1.0)
_ASPECT = (3.0 / 4.0, 4.0 / 3.0)
_TRIES = 10
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of each channel of ImageNet, as everybody uses them."""


class Decoder(NamedTuple):
    """A library that decodes.

    Attributes
    ----------
    name : of the library
    version : of it
    decode : file -> picture, however the library has it
    prepared : picture and source of random numbers -> 224 x 224 x 3 of 8 bits
    """

    name: str
    version: str
    decode: Callable[[bytes], Any]
    prepared: Callable[[Any, random.Random], Any]


def decoders() -> tuple[list[Decoder], dict[str, str]]:
    """Return the decoders that are there, and why each of the others is not."""
    found, missing = [], {}
    for name, opened in _OPENERS.items():
        try:
            found.append(opened())
        except ImportError:
            missing[name] = f"{name} is not installed in this Python"
        except Exception as error:
            missing[name] = f"{name} cannot be imported: {type(error).__name__}"
    return found, missing


class Finish:
    """Makes pictures of 8 bits what a net is given: 3 x 224 x 224, FP32, normalized."""

    def __init__(self, numpy: Any) -> None:
        self._numpy = numpy
        shape = (3, 1, 1)
        spread = numpy.array(_SPREAD, numpy.float32).reshape(shape)
        self._scale = 1.0 / (255.0 * spread)
        self._shift = numpy.array(_MEAN, numpy.float32).reshape(shape) / spread

    def __call__(self, picture: Any, out: Any) -> None:
        """Write a picture into its place in a batch."""
        self._numpy.multiply(picture.transpose(2, 0, 1), self._scale, out=out)
        out -= self._shift


def crop_box(width: int, height: int, draw: random.Random) -> tuple[int, int, int, int]:
    """Return left, top, width and height of a random crop, as torchvision draws it."""
    low, high = math.log(_ASPECT[0]), math.log(_ASPECT[1])
    for _ in range(_TRIES):
        area = width * height * draw.uniform(*_AREA)
        aspect = math.exp(draw.uniform(low, high))
        wide, high_ = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < wide <= width and 0 < high_ <= height:
            left, top = draw.randint(0, width - wide), draw.randint(0, height - high_)
            return left, top, wide, high_
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side


def _pillow() -> Decoder:
    numpy = importlib.import_module("numpy")
    image = importlib.import_module("PIL.Image")

    def decode(file: bytes) -> Any:
        return image.open(io.BytesIO(file)).convert("RGB")

    def prepared(picture: Any, draw: random.Random) -> Any:
        width, height = picture.size
        left, top, wide, high = crop_box(width, height, draw)
        crop = picture.crop((left, top, left + wide, top + high))
        small = crop.resize((SIDE, SIDE), image.BILINEAR)
        if draw.random() < 0.5:
            small = small.transpose(image.FLIP_LEFT_RIGHT)
        return numpy.asarray(small)

    return Decoder("pillow", image.__version__, decode, prepared)


def _opencv() -> Decoder:
    cv2 = importlib.import_module("cv2")
    numpy = importlib.import_module("numpy")
    cv2.setNumThreads(0)  # the workers are the threads, as people set it in a loader

    def decode(file: bytes) -> Any:
        return cv2.imdecode(numpy.frombuffer(file, numpy.uint8), cv2.IMREAD_COLOR)

    def prepared(picture: Any, draw: random.Random) -> Any:
        return cv2.cvtColor(_small(cv2, picture, draw), cv2.COLOR_BGR2RGB)

    return Decoder("opencv", cv2.__version__, decode, prepared)


def _simplejpeg() -> Decoder:
    simplejpeg = importlib.import_module("simplejpeg")
    cv2 = importlib.import_module("cv2")  # it decodes, and no more
    cv2.setNumThreads(0)

    def decode(file: bytes) -> Any:
        return simplejpeg.decode_jpeg(file, "RGB")

    def prepared(picture: Any, draw: random.Random) -> Any:
        return _small(cv2, picture, draw)

    return Decoder("simplejpeg", simplejpeg.__version__, decode, prepared)


def _torchcodec() -> Decoder:
    """Return TorchCodec, which decodes pictures from its release 0.16 on."""
    torch = importlib.import_module("torch")
    decode_jpeg = importlib.import_module("torchcodec.decoders").decode_jpeg
    version = importlib.import_module("torchcodec").__version__
    torch.set_num_threads(1)  # the workers are the threads

    def prepared(picture: Any, draw: random.Random) -> Any:
        height, width = picture.shape[1:]
        left, top, wide, high = crop_box(width, height, draw)
        crop = picture[None, :, top : top + high, left : left + wide]
        small = torch.nn.functional.interpolate(
            crop, size=(SIDE, SIDE), mode="bilinear", antialias=True
        )[0]
        flipped = small.flip(2) if draw.random() < 0.5 else small
        return flipped.permute(1, 2, 0).numpy()

    return Decoder("torchcodec", version, decode_jpeg, prepared)


def _small(cv2: Any, picture: Any, draw: random.Random) -> Any:
    """Return a random crop of a picture, resized by OpenCV and flipped half the time."""
    height, width = picture.shape[:2]
    left, top, wide, high = crop_box(width, height, draw)
    small = cv2.resize(picture[top : top + high, left : left + wide], (SIDE, SIDE))
    return cv2.flip(small, 1) if draw.random() < 0.5 else small


_OPENERS: dict[str, Callable[[], Decoder]] = {
    "pillow": _pillow,
    "opencv": _opencv,
    "simplejpeg": _simplejpeg,
    "torchcodec": _torchcodec,
}
