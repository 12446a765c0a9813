"""What the names of well-known images say: one rule for each family of images."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from advisor.hardware.capability import Architectures
from advisor.software.image import AMD, NVIDIA, Declared, Image
from advisor.software.reference import DOCKER_HUB, Reference
from advisor.software.requirement import Requirement
from advisor.software.tables import (
    Build,
    Version,
    cuda_demands,
    ngc_builds,
    pytorch_builds,
    read_version,
    toolkit_archs,
    version_text,
)

DEFAULT_IMAGES = (
    "pytorch/pytorch:2.12.1-cuda13.0-cudnn9-runtime",
    "pytorch/pytorch:2.12.1-cuda12.6-cudnn9-runtime",
    "pytorch/pytorch:2.11.0-cuda12.8-cudnn9-runtime",
)
"""Images that a job runs in if nobody names one, the newest first: for each card and
driver the first that runs there. Together they serve Maxwell to Blackwell on drivers
from 525.60 on. The tags are named by public Dockerfiles of 2026; Salad's documentation
(April 2026) names the last for Blackwell cards."""

AUTOMATIC_TAG = "@vastai-automatic-tag"
_VAST_CUDA = ("13.0", "12.9", "12.8", "12.6", "12.4", "12.1", "11.8")
"""CUDA versions that Vast.ai's automatic tag stands for (vast-ai/base-image,
derivatives/pytorch/README.md): the newest that the driver runs is taken."""

_PYTORCH_TAG = re.compile(
    r"(\d+\.\d+)(?:\.\d+)?-cuda(\d+\.\d+)(?:\.\d+)?-cudnn\d+-(runtime|devel)"
)
_CUDA_TAG = re.compile(r"(\d+\.\d+)(?:\.\d+)?-.+")
_NGC_TAG = re.compile(r"(\d\d\.\d\d)-py3(-igpu)?")
_VAST_TAG = re.compile(
    r"(?:v?(?P<version>\d+\.\d+)(?:\.\d+)?-)?(?:cu(?P<build>\d{3})-)?"
    r"cuda-(?P<cuda>\d+\.\d+)(?:\.\d+)?(?:-mvc-cu(?P<mvc>\d{3}))?(?:-.*)?"
)
_BOTH = ("amd64", "arm64")


def known_images(name: str, declared: Declared = Declared()) -> tuple[Image, ...]:  # noqa: B008
    """Return what is known of the image of a name, by rule and by what is declared.

    Several where the market picks one of them by the driver, the newest first; one
    with nothing but its name where no rule knows it.

    Raises
    ------
    advisor.base.errors.UsageError
        if it can be no image's name, or what is declared is none
    """
    reference = Reference.parse(name)
    found = _by_rule(reference)
    return tuple(
        declared.applied_to(replace(image, name=name.strip())) for image in found
    )


def default_images() -> tuple[Image, ...]:
    """Return the images that a job runs in if nobody names one."""
    return tuple(image for name in DEFAULT_IMAGES for image in known_images(name))


def _by_rule(reference: Reference) -> tuple[Image, ...]:
    repository, tag = reference.repository, reference.tag
    if reference.registry == "nvcr.io":
        repository = f"nvcr.io/{repository}"
    elif reference.registry not in (DOCKER_HUB, "ghcr.io"):
        return (Image(""),)
    for start, rule in _RULES.items():
        if repository == start or (start.endswith("/") and repository.startswith(start)):
            return rule(repository, tag)
    return (Image(""),)


def _pytorch(_: str, tag: str) -> tuple[Image, ...]:
    """``pytorch/pytorch``: on arm64 it has a PyTorch without CUDA (its Dockerfile)."""
    match = _PYTORCH_TAG.fullmatch(tag)
    if match is None:
        return (Image("", holds="PyTorch", vendor=NVIDIA, cpu_archs=("amd64",)),)
    version, cuda = _read(match[1]), _read(match[2])
    image = _torch_image(version, cuda, ("amd64",))
    return (_on_cuda_image(image) if match[3] == "devel" else image,)


def _on_cuda_image(image: Image) -> Image:
    """Return an image made of ``nvidia/cuda``, whose demand and libraries it inherits.

    What one of a CUDA demands whose list no table has may let in more drivers than those
    that run it by themselves.
    """
    if image.cuda is None:
        return replace(image, forward_compat=True)
    demand = cuda_demands().get(image.cuda)
    return replace(
        image,
        requirement=(
            Requirement.parse(demand) if demand else Requirement.of_cuda(image.cuda)
        ),
        requirement_known=demand is not None,
        forward_compat=True,
    )


def _torch_image(version: Version, cuda: Version, cpu_archs: tuple[str, ...]) -> Image:
    build = pytorch_builds().get((version, cuda))
    return Image(
        "",
        holds=f"PyTorch {version_text(version)}",
        cuda=cuda,
        code_cuda=cuda,
        archs=_archs(build, cpu_archs),
        cpu_archs=cpu_archs,
        vendor=NVIDIA,
        source=build.source if build else f"{_UNLISTED} {version_text(version)}",
    )


_UNLISTED = "its tag; the table of builds has no PyTorch"


def _archs(
    build: Build | None, cpu_archs: tuple[str, ...]
) -> Mapping[str, Architectures]:
    if build is None:
        return {}
    return {name: build.archs[name] for name in cpu_archs if name in build.archs}


def _cuda(_: str, tag: str) -> tuple[Image, ...]:
    """``nvidia/cuda``: what its libraries serve, and nothing of what is put upon them.

    A ``-base`` has no libraries but the runtime's, which holds no GPU code.
    """
    match = _CUDA_TAG.fullmatch(tag)
    cuda = _read(match[1]) if match else None
    archs = None if "base" in tag.split("-") or not cuda else toolkit_archs().get(cuda)
    image = Image(
        "",
        holds="CUDA toolkit",
        cuda=cuda,
        code_cuda=cuda if archs else None,
        archs={"": archs} if archs else {},
        cpu_archs=_BOTH,
        vendor=NVIDIA,
        source=(
            "CUDA Toolkit release notes: architectures of its libraries"
            if archs
            else "its tag; it has no GPU code of its own that is known"
        ),
    )
    return (_on_cuda_image(image),)


def _ngc(_: str, tag: str) -> tuple[Image, ...]:
    """``nvcr.io/nvidia/pytorch``: it starts on any driver that runs its CUDA."""
    match = _NGC_TAG.fullmatch(tag)
    image = Image(
        "",
        holds="PyTorch of NVIDIA",
        vendor=NVIDIA,
        cpu_archs=_BOTH,
        forward_compat=True,
    )
    if match is None or match[2]:  # for the GPUs of Jetson boards
        return (image,)
    release = _read(match[1])
    builds = [build for build in ngc_builds() if build.version <= release]
    if not builds:
        return (image,)
    build = builds[-1]
    return (
        replace(
            image,
            holds=f"PyTorch of NVIDIA, {match[1]}",
            cuda=build.cuda,
            code_cuda=build.cuda,
            archs=build.archs,
            source=build.source,
        ),
    )


def _vast(repository: str, tag: str) -> tuple[Image, ...]:
    """``vastai/*``: started by any driver of its CUDA's major version (their README).

    On data-center cards also by older ones, by forward compatibility (vast-ai/base-image,
    ROOT/etc/vast_boot.d/05-configure-cuda.sh).
    """
    name = repository.removeprefix("vastai/")
    if "rocm" in tag:
        return (Image("", holds=name, vendor=AMD, cpu_archs=("amd64",)),)
    if tag == AUTOMATIC_TAG and name in ("pytorch", "base-image"):
        return _vast_automatic(name)
    match = _VAST_TAG.fullmatch(tag)
    if match is None:
        return (Image("", holds=name, vendor=NVIDIA, forward_compat=True),)
    cuda = _read(match["cuda"])
    if name == "pytorch" and match["version"]:
        digits = match["mvc"] or match["build"]
        built_for = _read(f"{digits[:2]}.{digits[2]}") if digits else cuda
        image = _torch_image(_read(match["version"]), built_for, _vast_cpus(built_for))
        return (replace(image, cuda=cuda, forward_compat=True),)
    return (_vast_of_cuda(name, cuda),)


def _vast_automatic(name: str) -> tuple[Image, ...]:
    """Return what the automatic tag stands for: the newest CUDA that a driver runs."""
    newer = ("", *(f",cuda<{cuda}" for cuda in _VAST_CUDA))
    return tuple(
        replace(
            _vast_of_cuda(name, _read(cuda)),
            requirement=Requirement.parse(f"cuda>={cuda}{below}"),
        )
        for cuda, below in zip(_VAST_CUDA, newer, strict=False)
    )


def _vast_of_cuda(name: str, cuda: Version) -> Image:
    """Return an image of which the tag names the CUDA alone."""
    archs: Mapping[str, Architectures] = {}
    source = "vast-ai/base-image: its tag names CUDA alone"
    if name == "base-image" and cuda in toolkit_archs():
        archs = {"": toolkit_archs()[cuda]}
    if name == "pytorch":  # the newest PyTorch for that CUDA
        builds = [b for (_, built), b in pytorch_builds().items() if built == cuda]
        if builds:
            newest = max(builds, key=lambda build: build.version)
            archs, source = _archs(newest, _vast_cpus(cuda)), newest.source
    cpus = _vast_cpus(cuda)
    holds = f"Vast.ai's {name}"
    return Image(
        "",
        holds,
        cuda,
        cuda if archs else None,
        archs,
        cpus,
        NVIDIA,
        forward_compat=True,
        source=source,
    )


def _vast_cpus(cuda: Version) -> tuple[str, ...]:
    return _BOTH if cuda >= (12, 4) else ("amd64",)


def _rocm(repository: str, _: str) -> tuple[Image, ...]:
    """``rocm/*``: for AMD's cards."""
    return (Image("", holds=repository, vendor=AMD, cpu_archs=("amd64",)),)


def _read(text: str) -> Version:
    version = read_version(text)
    assert version is not None, text  # noqa: S101  (a pattern has matched it)
    return version


_RULES: Mapping[str, Callable[[str, str], tuple[Image, ...]]] = {
    "pytorch/pytorch": _pytorch,
    "nvidia/cuda": _cuda,
    "nvcr.io/nvidia/cuda": _cuda,
    "nvcr.io/nvidia/pytorch": _ngc,
    "vastai/": _vast,
    "rocm/": _rocm,
}
