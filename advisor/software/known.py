"""Which images a job may run in: as asked, of its profile or its user, or by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from advisor.base.errors import Given, UsageError
from advisor.hardware.capability import Architectures
from advisor.software.image import AMD, NVIDIA, Declared, Image
from advisor.software.reference import Reference
from advisor.software.registry import ImageConfig
from advisor.software.requirement import Requirement
from advisor.software.rules import default_images, known_images
from advisor.software.tables import pytorch_builds, read_version, version_text
from advisor.workloads.profile import Workload

_TRUE = ("1", "true", "yes", "on")
_NO_IMAGE = (
    "image_cuda and image_archs say what is in an image: name it beside them with ",
    "image (in the profile, with ",
    Given("settings"),
    " image=..., or in [rental] of advisor.toml)",
)
_CONFIGURATION = "its configuration in the registry"
_HAS_COMPAT = ("NV_CUDA_COMPAT_PACKAGE", "NV_CUDA_CUDART_VERSION", "_CUDA_COMPAT_PATH")
"""Variables of images that bring ``cuda-compat``: nvidia/cuda, NVIDIA's frameworks."""


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

    What is declared of an image goes before what its registry says, and that before
    what its name says; it counts for that image alone.

    Parameters
    ----------
    asked : image that the user named for this job; ``""``: none
    workload : its profile, which may name one; None: no job is at hand
    configured : what the user's or the project's file names
    config_of : what a registry said of an image before

    Raises
    ------
    advisor.base.errors.UsageError
        if a name can be no image's, or what is declared makes no sense, or of no image
    """
    own = Wanted() if workload is None else _of_profile(workload)
    for one in (own, configured):
        if one.declared != Declared() and not one.name:
            raise UsageError(*_NO_IMAGE)
    name = asked or own.name or configured.name
    if not name:
        return default_images()
    reference = Reference.parse(name)
    images = known_images(name)
    config = config_of(reference)
    if config is not None:
        images = tuple(with_config(image, config) for image in images)
    said = (one.declared for one in (own, configured) if _is_of(one, reference))
    declared = next((one for one in said if one != Declared()), Declared())
    return tuple(declared.applied_to(image) for image in images)


def _is_of(wanted: Wanted, reference: Reference) -> bool:
    """Say whether what is said is said of the image that lies there."""
    try:
        return Reference.parse(wanted.name) == reference
    except UsageError:  # of none that can be, but another one is asked for
        return False


def _of_profile(workload: Workload) -> Wanted:
    declared = Declared(workload.image_cuda, workload.image_archs)
    return Wanted(workload.image, declared)


def with_config(image: Image, config: ImageConfig) -> Image:
    """Return an image with what its own configuration adds to its name.

    The CUDA and the demand on the driver are the configuration's. GPU code is that of the
    list that NVIDIA's images are built for, whatever a table has of them; else known by
    the name, or by the PyTorch and the CUDA in it. A list in any other image may be of a
    part of it and counts for nothing. On a CPU that the registry has, but the name's rule
    does not, its GPU code stays unknown.
    """
    env = config.env
    cuda = read_version(env.get("CUDA_VERSION", "")) or image.cuda
    own_list = _own_list(env)
    if own_list is not None:
        image = replace(image, archs={"": own_list}, code_cuda=cuda)
        holds, source = image.holds or "PyTorch of NVIDIA", _CONFIGURATION
    elif image.archs:
        holds, source = image.holds, image.source
    else:
        archs, pytorch = _archs_of_pytorch(env, config.cpu_archs)
        code_cuda = cuda if archs else image.code_cuda
        image = replace(image, archs=archs, code_cuda=code_cuda)
        holds, source = image.holds or pytorch, image.source or _CONFIGURATION
    requirement, known = image.requirement, image.requirement_known
    if env.get("NVIDIA_DISABLE_REQUIRE", "").lower() in _TRUE:
        requirement, known = None, True
    elif "NVIDIA_REQUIRE_CUDA" in env:
        requirement, known = Requirement.parse(env["NVIDIA_REQUIRE_CUDA"]), True
    return replace(
        image,
        holds=holds,
        cuda=cuda,
        cpu_archs=_cpus(image.cpu_archs, config.cpu_archs),
        vendor=image.vendor or _vendor(env),
        requirement=requirement,
        requirement_known=known,
        forward_compat=image.forward_compat or any(name in env for name in _HAS_COMPAT),
        source=source,
    )


def _cpus(served: tuple[str, ...], built_for: tuple[str, ...]) -> tuple[str, ...]:
    """Return the CPUs that an image is built for and that its name's rule has served.

    Where the two have none in common, what it is built for counts: of it nothing is
    known.
    """
    built_for = tuple(name for name in built_for if name)
    both = tuple(name for name in built_for if name in served)
    return both or built_for or served


def _own_list(env: Mapping[str, str]) -> Architectures | None:
    """Return what an image of NVIDIA's is built for, if it is one and says so."""
    if "NVIDIA_PYTORCH_VERSION" not in env or "TORCH_CUDA_ARCH_LIST" not in env:
        return None
    try:
        return Architectures.parse(env["TORCH_CUDA_ARCH_LIST"])
    except UsageError:
        return None


def _archs_of_pytorch(
    env: Mapping[str, str], cpu_archs: tuple[str, ...]
) -> tuple[Mapping[str, Architectures], str]:
    """Return the GPU code of the PyTorch that the variables name, and its version."""
    version = read_version(env.get("PYTORCH_VERSION", "").removeprefix("v"))
    cuda = read_version(env.get("CUDA_VERSION", ""))
    if version is None:
        return {}, ""
    build = pytorch_builds().get((version, cuda)) if cuda else None
    found = build.archs if build else {}
    archs = {name: found[name] for name in cpu_archs if name in found}
    return archs, f"PyTorch {version_text(version)}"


def _vendor(env: Mapping[str, str]) -> str:
    if any(name.startswith(("ROCM_", "HIP_")) for name in env):
        return AMD
    return NVIDIA if "CUDA_VERSION" in env or "NVIDIA_VISIBLE_DEVICES" in env else ""
