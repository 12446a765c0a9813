"""Which machines can run the images of a job, and which image each of them runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from advisor.arrays import BoolArray, FloatArray, IntArray, ObjectArray
from advisor.hardware.gpus import Gpu
from advisor.market.offers import Offers
from advisor.software.image import AMD, Image
from advisor.software.tables import (
    LEAST_DRIVER,
    cuda_of_driver,
    driver_number,
    toolkit_archs,
)

REASONS = ("gpu_vendor", "cpu_arch", "image_lacks_gpu", "driver_too_old")
"""Why a machine cannot run an image, in the order in which it is looked at."""

_FITS = len(REASONS)
_GRACE = ("GH200", "GB200", "GB300", "GB10")  # sold with an Arm CPU on the board
_CONSUMER = re.compile(r"RTX [2-5]0\d\d\b|GTX|Titan")
_SAME_WORDS = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Hosts:
    """What decides of N machines, shape (N,) each.

    Attributes
    ----------
    vendor : maker of the GPUs, ``"nvidia"``, ``"amd"``, ``""`` where unknown
    cpu_arch : ``"amd64"``, ``"arm64"``, ``""`` where unknown
    capability : CUDA compute capability, such as 8.9; NaN where unknown
    named_capability : the same by the name of the GPU, where it is in the table
    driver : see `driver_number`; NaN where unknown
    cuda : newest CUDA that the driver runs, such as 12.8; NaN where unknown
    consumer : whether the card is a GeForce or a Titan
    """

    vendor: ObjectArray
    cpu_arch: ObjectArray
    capability: FloatArray
    named_capability: FloatArray
    driver: FloatArray
    cuda: FloatArray
    consumer: BoolArray


@dataclass(frozen=True, slots=True)
class SoftwareFit:
    """Which of a job's images N machines run.

    Attributes
    ----------
    image : name of the image, ``""`` where none runs, shape (N,)
    hosts : what decided
    reasons : why none runs, name -> shape (N,); an offer has one at most
    flags : what is not known of an offer that may run it, name -> shape (N,)
    """

    image: ObjectArray
    hosts: Hosts
    reasons: Mapping[str, BoolArray]
    flags: Mapping[str, BoolArray]


def software_fit(
    offers: Offers, gpus: Sequence[Gpu | None], images: Sequence[Image]
) -> SoftwareFit:
    """Say which image each machine runs: the first of `images` that it can.

    What is unknown of an image or a machine never leaves a machine out: it is flagged.
    Where offer and table differ on the compute capability, both must be served; an old
    driver by its version or by its CUDA is an old driver.

    Parameters
    ----------
    offers : N offers
    gpus : the table's row of each one's GPUs, None where they are in no table
    images : at least one, the one to take where it runs first
    """
    hosts = describe_hosts(offers, gpus)
    reached = np.stack([_reached(image, hosts) for image in images])
    furthest = reached.max(axis=0)
    chosen = reached.argmax(axis=0)  # the first of those that come furthest
    names = np.array([image.name for image in images], dtype=np.object_)
    runs = furthest == _FITS
    unknown_image = np.array([not image.is_known for image in images], dtype=bool)
    cards = np.isnan(hosts.capability) & np.isnan(hosts.named_capability)
    no_driver = np.isnan(hosts.driver) & np.isnan(hosts.cuda)
    return SoftwareFit(
        image=np.where(runs, names[chosen], ""),
        hosts=hosts,
        reasons={name: furthest == place for place, name in enumerate(REASONS)},
        flags={
            "image_unknown": runs & unknown_image[chosen],
            "capability_unknown": runs & cards,
            "driver_unknown": runs & no_driver,
        },
    )


def describe_hosts(offers: Offers, gpus: Sequence[Gpu | None]) -> Hosts:
    """Return what decides of machines; what the market says goes before the tables."""
    told_vendor = _words(offers.gpu_arch)
    named_vendor = _of_models(gpus, lambda one: one.vendor.lower())
    told_arch = _words(offers.cpu_arch)
    grace = _of_models(gpus, lambda one: "arm64" if _is_grace(one.name) else "")
    with np.errstate(invalid="ignore"):
        told = offers.compute_cap / 100.0
        capability = np.where((told >= 1.0) & (told < 100.0), told, np.nan)
    named = [np.nan if one is None else one.compute_capability for one in gpus]
    drivers = {text: driver_number(text) for text in set(offers.driver_version.tolist())}
    driver = np.array([drivers[text] for text in offers.driver_version], dtype=np.float64)
    return Hosts(
        vendor=np.where(told_vendor == "", named_vendor, told_vendor),
        cpu_arch=np.where(told_arch == "", grace, told_arch),
        capability=capability,
        named_capability=np.array(named, dtype=np.float64),
        driver=driver,
        cuda=offers.cuda_max_good,
        consumer=_of_models(gpus, _is_consumer).astype(bool),
    )


def _reached(image: Image, hosts: Hosts) -> IntArray:
    """Return how far each machine comes: the place of the reason that stops it."""
    checks = (
        _other(hosts.vendor, (image.vendor,) if image.vendor else ()),
        _other(hosts.cpu_arch, image.cpu_archs),
        _lacks_gpu(image, hosts),
        _too_old(image, hosts),
    )
    reached = np.full(len(hosts.driver), _FITS, dtype=np.int64)
    for place, stopped in reversed(list(enumerate(checks))):
        reached[stopped] = place
    return reached


def _other(words: ObjectArray, served: tuple[str, ...]) -> BoolArray:
    """Return where a word is known and is none of those that are served."""
    if not served:
        return np.zeros(len(words), dtype=bool)
    other: BoolArray = (words != "") & ~np.isin(words.astype(np.str_), served)
    return other


def _lacks_gpu(image: Image, hosts: Hosts) -> BoolArray:
    """Return where an image surely has no code for the GPU."""
    lacks = np.zeros(len(hosts.driver), dtype=bool)
    for capability in (hosts.capability, hosts.named_capability):
        known = np.isfinite(capability)
        for name, archs in image.archs.items():
            here = np.ones(len(known), dtype=bool)
            if name:  # an unknown CPU counts as the usual one
                usual = np.where(hosts.cpu_arch == "", "amd64", hosts.cpu_arch)
                here = usual == name
            lacks |= known & here & ~archs.run_on(capability)
        toolkit = toolkit_archs().get(image.cuda) if image.cuda else None
        if toolkit is not None and not image.archs:
            with np.errstate(invalid="ignore"):  # no compiler of it makes such code
                lacks |= capability * 10.0 < toolkit.compiled[0] - 0.5
    return lacks & (image.vendor != AMD)


def _too_old(image: Image, hosts: Hosts) -> BoolArray:
    """Return where the driver surely does not run an image's CUDA, or is refused."""
    old = np.zeros(len(hosts.driver), dtype=bool)
    if image.cuda is not None:
        least = LEAST_DRIVER.get(image.cuda[0])
        with np.errstate(invalid="ignore"):
            old |= hosts.cuda < image.cuda[0]
            if least is not None:
                old |= hosts.driver < least
    if image.requirement is None:
        return old
    told = np.column_stack([hosts.cuda, hosts.driver, hosts.consumer])
    kinds, place = np.unique(told, axis=0, return_inverse=True)
    refused = [not _meets(image, *kind) for kind in kinds.tolist()]
    demanding: BoolArray = np.array(refused, dtype=bool)[place.reshape(-1)]
    return old | demanding


def _meets(image: Image, cuda: float, driver: float, consumer: float) -> bool:
    """Tell whether a driver may meet what an image demands; an unknown one may."""
    assert image.requirement is not None  # noqa: S101  (the caller has looked)
    if np.isnan(cuda):
        cuda = cuda_of_driver(driver)
    if np.isnan(cuda):
        return True
    return image.requirement.met_by(cuda=cuda, driver=driver, consumer=bool(consumer))


def _of_models(
    models: Sequence[Gpu | None], read: Callable[[Gpu], object]
) -> ObjectArray:
    """Return a word of each machine's GPU, ``""`` where it is in no table."""
    several = {id(one): one for one in models}  # read once of all machines that have it
    words = {at: "" if one is None else read(one) for at, one in several.items()}
    found = np.empty(len(models), dtype=np.object_)
    found[:] = [words[id(one)] for one in models]
    return found


def _words(texts: ObjectArray) -> ObjectArray:
    """Return words of the market in one spelling."""
    words = {text: text.strip().lower() for text in set(texts.tolist())}
    found = np.empty(len(texts), dtype=np.object_)
    found[:] = [_SAME_WORDS.get(words[text], words[text]) for text in texts]
    return found


def _is_grace(name: str) -> bool:
    return name.startswith(_GRACE)


def _is_consumer(gpu: Gpu) -> bool:
    """Tell a GeForce or a Titan by its name."""
    return _CONSUMER.match(gpu.name) is not None and "Ada" not in gpu.name
