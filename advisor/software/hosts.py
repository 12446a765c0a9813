"""What decides of a machine whether an image runs there."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray, ObjectArray, distinct
from advisor.hardware.gpus import Gpu
from advisor.market.facts import MachineFacts
from advisor.software.tables import driver_number

# Superchips: sold with an Arm CPU on the board.
_SUPERCHIP = re.compile(
    r"(?<![A-Z0-9])(?:GH200|GB200|GB300|GB10)(?!\d)|DGX SPARK", re.IGNORECASE
)
_CONSUMER = re.compile(r"RTX [2-5]0\d\d\b|GTX|Titan", re.IGNORECASE)
_WORKSTATION = re.compile(r"RTX|Quadro|T\d{3,4}\b", re.IGNORECASE)
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
    workstation : whether it is a card for workstations, such as an RTX A4000
    """

    vendor: ObjectArray
    cpu_arch: ObjectArray
    capability: FloatArray
    named_capability: FloatArray
    driver: FloatArray
    cuda: FloatArray
    consumer: BoolArray
    workstation: BoolArray

    def kinds(self) -> tuple[Self, IntArray]:
        """Return one of each kind of machine, and which kind each is, shape (N,)."""
        columns = [getattr(self, field.name) for field in fields(self)]
        # NaN is not equal to itself; none of these numbers is below 0.
        keys = (
            np.nan_to_num(one, nan=-1.0) if one.dtype == np.float64 else one
            for one in columns
        )
        _, place = distinct(zip(*(one.tolist() for one in keys), strict=True))
        _, first = np.unique(place, return_index=True)
        return type(self)(*(one[first] for one in columns)), place


def describe_hosts(facts: MachineFacts, gpus: Sequence[Gpu | None]) -> Hosts:
    """Return what decides of machines; what the market says goes before the tables."""
    stated_vendor = _words(facts.gpu_arch)
    named_vendor = _of_models(gpus, lambda one: one.vendor.lower())
    stated_arch = _words(facts.cpu_arch)
    on_board = _of_texts(
        facts.gpu_name, lambda name: "arm64" if _SUPERCHIP.search(name) else ""
    )
    listed = _of_models(gpus, lambda one: one.name)
    model = np.where(listed == "", facts.gpu_name, listed)
    with np.errstate(invalid="ignore"):
        stated = facts.compute_cap / 100.0
        capability = np.where((stated >= 1.0) & (stated < 100.0), stated, np.nan)
    named = [np.nan if one is None else one.compute_capability for one in gpus]
    driver = _of_texts(facts.driver_version, driver_number).astype(np.float64)
    return Hosts(
        vendor=np.where(stated_vendor == "", named_vendor, stated_vendor),
        cpu_arch=np.where(stated_arch == "", on_board, stated_arch),
        capability=capability,
        named_capability=np.array(named, dtype=np.float64),
        driver=driver,
        cuda=facts.cuda_max_good,
        consumer=_of_texts(model, _is_consumer).astype(bool),
        workstation=_of_texts(model, _is_workstation).astype(bool),
    )


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

    def spelled(text: str) -> str:
        word = text.strip().lower()
        return _SAME_WORDS.get(word, word)

    return _of_texts(texts, spelled)


def _of_texts(texts: ObjectArray, read: Callable[[str], object]) -> ObjectArray:
    """Return what is read of each text, of equal ones once."""
    values = {text: read(text) for text in set(texts.tolist())}
    found = np.empty(len(texts), dtype=np.object_)
    found[:] = [values[text] for text in texts]
    return found


def _is_consumer(name: str) -> bool:
    """Tell a GeForce or a Titan by its name."""
    return _CONSUMER.match(name) is not None and "Ada" not in name


def _is_workstation(name: str) -> bool:
    """Tell a card for workstations by its name."""
    return _WORKSTATION.search(name) is not None and not _is_consumer(name)
