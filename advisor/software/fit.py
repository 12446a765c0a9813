"""Which machines can run the images of a job, and which image each of them runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray, ObjectArray
from advisor.hardware.gpus import Gpu
from advisor.market.facts import MachineFacts
from advisor.software.hosts import Hosts, describe_hosts
from advisor.software.image import AMD, Image
from advisor.software.tables import (
    LEAST_DRIVER,
    cuda_of_driver,
    driver_of_cuda,
    number_of,
    toolkit_archs,
)

REASONS = ("gpu_vendor", "cpu_arch", "image_lacks_gpu", "driver_too_old")
"""Why a machine cannot run an image, in the order in which it is looked at."""

DOUBTS: Mapping[str, float] = {
    "ptx_only": 0.5,
    "gpu_code_doubtful": 0.5,
    "forward_compat": 0.2,
    "forward_compat_doubtful": 0.5,
    "demand_unknown": 0.5,
}
"""Why it may be that a machine cannot run an image -> how likely it then fails to start.

The card has to compile the image's PTX before it runs (and libraries beside it may bring
none); the CUDA in the image compiles nothing for the card by itself; an old driver needs
the image's compatibility libraries, which serve data-center cards and a few of those for
workstations; the driver is older than the image's CUDA, and which older ones it lets in
is not published. The probabilities are assumptions: even odds where nothing is known,
less where NVIDIA documents that it works.
"""

_IN_DOUBT, _FITS = len(REASONS), len(REASONS) + 1
_OLDEST_COMPAT = 450.0  # of the driver branches that compatibility libraries name


@dataclass(frozen=True, slots=True)
class SoftwareFit:
    """Which of a job's images N machines run.

    Attributes
    ----------
    image : name of the image, ``""`` where none runs, shape (N,)
    hosts : what decided
    reasons : why none runs, name -> shape (N,); an offer has one at most
    flags : what is not known of an offer that may run it, and the `DOUBTS` whether it
        does, name -> shape (N,)
    risk : probability that the image does not run there, by those doubts, shape (N,)
    """

    image: ObjectArray
    hosts: Hosts
    reasons: Mapping[str, BoolArray]
    flags: Mapping[str, BoolArray]
    risk: FloatArray


def software_fit(
    facts: MachineFacts, gpus: Sequence[Gpu | None], images: Sequence[Image]
) -> SoftwareFit:
    """Say which image each machine runs: the first of `images` that it surely can.

    If there is none, the first that it may. What is unknown of an image or a machine
    never leaves a machine out: it is flagged. Where offer and table differ on the compute
    capability, both must be served; an old driver by its version or by its CUDA is an old
    driver.

    Parameters
    ----------
    facts : what is known of N machines, offered or not
    gpus : the table's row of each one's GPUs, None where they are in no table
    images : at least one, the one to take where it runs first
    """
    hosts = describe_hosts(facts, gpus)
    kinds, place = hosts.kinds()
    found = _fit_of(kinds, images)
    return replace(
        found,
        image=found.image[place],
        hosts=hosts,
        reasons={name: holds[place] for name, holds in found.reasons.items()},
        flags={name: holds[place] for name, holds in found.flags.items()},
        risk=found.risk[place],
    )


def _fit_of(hosts: Hosts, images: Sequence[Image]) -> SoftwareFit:
    """Say the same of machines that differ."""
    verdicts = [_verdict(image, hosts) for image in images]
    reached = np.stack([one.reached for one in verdicts])
    furthest = reached.max(axis=0)
    chosen = reached.argmax(axis=0)  # the first of those that come furthest
    each = np.arange(len(chosen))
    runs = furthest >= _IN_DOUBT
    doubts = {
        name: runs & np.stack([one.doubts[name] for one in verdicts])[chosen, each]
        for name in DOUBTS
    }
    works = np.ones(len(chosen))
    for name, share in DOUBTS.items():
        works *= np.where(doubts[name], 1.0 - share, 1.0)
    unknown = np.stack([_is_unknown(image, hosts) for image in images])
    names = np.array([image.name for image in images], dtype=np.object_)
    cards = np.isnan(hosts.capability) & np.isnan(hosts.named_capability)
    no_driver = np.isnan(hosts.driver) & np.isnan(hosts.cuda)
    return SoftwareFit(
        image=np.where(runs, names[chosen], ""),
        hosts=hosts,
        reasons={name: furthest == place for place, name in enumerate(REASONS)},
        flags={
            "image_unknown": runs & unknown[chosen, each],
            "capability_unknown": runs & cards,
            "driver_unknown": runs & no_driver,
            **doubts,
        },
        risk=1.0 - works,
    )


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is said of one image on N machines.

    Attributes
    ----------
    reached : how far each machine comes: the place of the reason that stops it, else
        `_IN_DOUBT` or `_FITS`, shape (N,)
    doubts : the `DOUBTS` that hold, name -> shape (N,); of no account where it is stopped
    """

    reached: IntArray
    doubts: Mapping[str, BoolArray]


def _verdict(image: Image, hosts: Hosts) -> _Verdict:
    code = _code_on(image, hosts)
    old, by_compat, unlisted = _too_old(image, hosts, code.ptx_only)
    checks = (
        _other(hosts.vendor, (image.vendor,) if image.vendor else ()),
        _other(hosts.cpu_arch, image.cpu_archs),
        code.lacks,
        old,
    )
    doubts = {
        "ptx_only": code.ptx_only,
        "gpu_code_doubtful": code.doubtful,
        "forward_compat": by_compat & ~hosts.workstation,
        "forward_compat_doubtful": by_compat & hosts.workstation,
        "demand_unknown": unlisted,
    }
    in_doubt = np.any(list(doubts.values()), axis=0)
    reached = np.where(in_doubt, _IN_DOUBT, _FITS).astype(np.int64)
    for place, stopped in reversed(list(enumerate(checks))):
        reached[stopped] = place
    return _Verdict(reached, doubts)


def _is_unknown(image: Image, hosts: Hosts) -> BoolArray:
    """Return where it is not known which cards an image serves."""
    return ~_code_known(image, hosts) & (image.vendor != AMD)


def _code_known(image: Image, hosts: Hosts) -> BoolArray:
    """Return where an image's GPU code is known, by the CPU."""
    if "" in image.archs:
        return np.ones(len(hosts.driver), dtype=bool)
    known: BoolArray = np.isin(_usual_cpu(hosts).astype(np.str_), list(image.archs))
    return known


def _usual_cpu(hosts: Hosts) -> ObjectArray:
    """Return the CPU architecture; an unknown one counts as the usual one."""
    return np.where(hosts.cpu_arch == "", "amd64", hosts.cpu_arch)


def _other(words: ObjectArray, served: tuple[str, ...]) -> BoolArray:
    """Return where a word is known and is none of those that are served."""
    if not served:
        return np.zeros(len(words), dtype=bool)
    other: BoolArray = (words != "") & ~np.isin(words.astype(np.str_), served)
    return other


@dataclass(frozen=True, slots=True)
class _Code:
    """An image's GPU code on N machines, shape (N,) each.

    Attributes
    ----------
    lacks : surely there is none for the card
    ptx_only : there is none but PTX
    doubtful : no binary is known, and the CUDA in the image, of which its libraries are,
        compiles none for it
    """

    lacks: BoolArray
    ptx_only: BoolArray
    doubtful: BoolArray


def _code_on(image: Image, hosts: Hosts) -> _Code:
    none = np.zeros(len(hosts.driver), dtype=bool)
    lacks, ptx_only, doubtful = none.copy(), none.copy(), none.copy()
    if image.vendor == AMD:
        return _Code(lacks, ptx_only, doubtful)
    listed, cpu = _code_known(image, hosts), _usual_cpu(hosts)
    version = image.code_cuda or image.cuda
    toolkit = toolkit_archs().get(version) if version else None
    for capability in (hosts.capability, hosts.named_capability):
        known = np.isfinite(capability)
        for name, archs in image.archs.items():
            here = known if name == "" else known & (cpu == name)
            runs = archs.run_on(capability)
            lacks |= here & ~runs
            ptx_only |= here & runs & ~archs.compiled_for(capability)
        if toolkit is not None:
            without = known & (~listed | ptx_only) & ~toolkit.compiled_for(capability)
            oldest = toolkit.compiled[0] / 10.0
            with np.errstate(invalid="ignore"):  # no compiler of it makes such code
                older = without & ~listed & (capability < oldest - 0.05)
            surely = older if image.code_cuda is not None else none
            lacks |= surely
            doubtful |= without & ~surely
    return _Code(lacks, ptx_only, doubtful)


def _too_old(
    image: Image, hosts: Hosts, ptx_only: BoolArray
) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Return where the driver does not serve, where by compatibility, where it may not.

    Surely not, by forward compatibility, and where nobody knows what the image refuses.
    It has to run the major version of the image's CUDA, to compile PTX the very version
    that made it, and to be none that the image refuses.
    """
    figures = np.column_stack([hosts.cuda, hosts.driver, hosts.consumer, ptx_only])
    # NaN is not equal to itself; no driver has a number below 0.
    kinds, place = np.unique(
        np.nan_to_num(figures, nan=-1.0), axis=0, return_inverse=True
    )
    found = [
        _driver_serves(image, _number(cuda), _number(driver), bool(consumer), bool(ptx))
        for cuda, driver, consumer, ptx in kinds.tolist()
    ]
    verdicts = np.array(found, dtype=bool).reshape(-1, 3)[place.reshape(-1)]
    return verdicts[:, 0], verdicts[:, 1], verdicts[:, 2]


def _number(figure: float) -> float:
    return figure if figure >= 0.0 else np.nan


def _driver_serves(
    image: Image,
    cuda: float,
    driver: float,
    consumer: bool,
    ptx: bool,
) -> tuple[bool, bool, bool]:
    """Return `_too_old` of one kind of machine; what is unknown serves."""
    old = False
    for version in {image.cuda, image.code_cuda} - {None}:
        assert version is not None  # noqa: S101  (it has just been taken out)
        least = LEAST_DRIVER.get(version[0], 0.0)
        old |= cuda < version[0] or driver < least
    cuda = cuda_of_driver(driver) if np.isnan(cuda) else cuda
    driver = driver_of_cuda(cuda) if np.isnan(driver) else driver
    made_by = image.code_cuda or image.cuda
    if ptx and made_by is not None:
        old |= cuda * 10.0 < number_of(made_by) - 0.5
    refused = (
        image.requirement is not None
        and not np.isnan(cuda)
        and not image.requirement.met_by(cuda=cuda, driver=driver, consumer=consumer)
    )
    too_old = not np.isnan(driver) and driver < _OLDEST_COMPAT
    by_compat = old and image.forward_compat and not consumer and not too_old
    surely = (old and not by_compat) or (refused and image.requirement_known)
    return surely, by_compat, refused and not image.requirement_known
