"""Which images a job may run in: as asked, of its profile or its user, or by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from advisor.errors import UsageError
from advisor.hardware.capability import Architectures
from advisor.software.image import AMD, NVIDIA, Declared, Image
from advisor.software.reference import Reference
from advisor.software.registry import ImageConfig
from advisor.software.requirement import Requirement
from advisor.software.rules import default_images, known_images
from advisor.software.tables import pytorch_builds, read_version, version_text
from advisor.workloads.profile import Workload

_TRUE = ("1", "true", "yes", "on")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image that somebody names, and what is said of it; ``""``: nothing.

    Attributes
    ----------
    name : of the image
    declared : what is in it
    """

    name: str = ""
    declared: Declared = field(default_factory=Declared)


def images_of(
    asked: str,
    workload: Workload | None = None,
    configured: Wanted = Wanted(),
    config_of: Callable[[Reference], ImageConfig | None] = lambda _: None,
) -> tuple[Image, ...]:
    """Return the images that a job may run in, the one to take where it runs first.

    Parameters
    ----------
    asked : image that the user named for this job; ``""``: none
    workload : its profile, which may name one; None: no job is at hand
    configured : what the user's or the project's file names
    config_of : what a registry has told of an image before

    Raises
    ------
    advisor.errors.UsageError
        if a name can be no image's, or what is declared makes no sense
    """
    own = Wanted() if workload is None else _of_profile(workload)
    name = asked or own.name or configured.name
    if not name:
        return default_images()
    declared = next(
        (
            one.declared
            for one in (own, configured)
            if one.name in ("", name) and one.declared != Declared()
        ),
        Declared(),
    )
    images = known_images(name, declared)
    config = config_of(Reference.parse(name))
    if config is None:
        return images
    return tuple(with_config(image, config) for image in images)


def _of_profile(workload: Workload) -> Wanted:
    declared = Declared(workload.image_cuda, workload.image_archs)
    return Wanted(workload.image, declared)


def with_config(image: Image, config: ImageConfig) -> Image:
    """Return an image with what its own configuration tells beside its name.

    The demand on the driver and the CPU architectures are the configuration's. GPU code
    is told by the PyTorch and the CUDA in it, or by the list that NVIDIA's images are
    built for; a list in any other image may be of a part of it and counts for nothing.
    """
    env = config.env
    cuda = image.cuda or read_version(env.get("CUDA_VERSION", ""))
    archs, holds, source = image.archs, image.holds, image.source
    if not archs:
        archs, told = _archs_told(env, config.cpu_archs)
        holds, source = holds or told, source or "its configuration in the registry"
    requirement = image.requirement
    if env.get("NVIDIA_DISABLE_REQUIRE", "").lower() in _TRUE:
        requirement = None
    elif "NVIDIA_REQUIRE_CUDA" in env:
        requirement = Requirement.parse(env["NVIDIA_REQUIRE_CUDA"])
    return replace(
        image,
        holds=holds,
        cuda=cuda,
        archs=archs,
        cpu_archs=config.cpu_archs or image.cpu_archs,
        vendor=image.vendor or _vendor(env),
        requirement=requirement,
        source=source,
    )


def _archs_told(
    env: Mapping[str, str], cpu_archs: tuple[str, ...]
) -> tuple[Mapping[str, Architectures], str]:
    """Return what the variables tell of the GPU code, and what it is of."""
    if "NVIDIA_PYTORCH_VERSION" in env and "TORCH_CUDA_ARCH_LIST" in env:
        try:
            archs = Architectures.parse(env["TORCH_CUDA_ARCH_LIST"])
        except UsageError:
            return {}, ""
        return {"": archs}, "PyTorch of NVIDIA"
    version = read_version(env.get("PYTORCH_VERSION", "").removeprefix("v"))
    cuda = read_version(env.get("CUDA_VERSION", ""))
    if version is None:
        return {}, ""
    build = pytorch_builds().get((version, cuda)) if cuda else None
    found = build.archs if build else {}
    told = {name: found[name] for name in cpu_archs if name in found}
    return told, f"PyTorch {version_text(version)}"


def _vendor(env: Mapping[str, str]) -> str:
    if any(name.startswith(("ROCM_", "HIP_")) for name in env):
        return AMD
    return NVIDIA if "CUDA_VERSION" in env or "NVIDIA_VISIBLE_DEVICES" in env else ""
