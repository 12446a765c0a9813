"""A Docker image as what it needs of a machine, from its name and its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from advisor.base.errors import UsageError
from advisor.hardware.capability import Architectures
from advisor.software.requirement import Requirement
from advisor.software.tables import Version, read_version

NVIDIA, AMD = "nvidia", "amd"


@dataclass(frozen=True, slots=True)
class Image:
    """One image, or what is known of it. Unknown: ``""``, None or empty.

    Attributes
    ----------
    name : as it is rented
    holds : the software in it, for people, such as ``"PyTorch 2.12"``
    cuda : CUDA version in it
    code_cuda : CUDA version that its GPU code is compiled with; the image may bring
        another one, or only its runtime
    archs : CPU architecture -> compute capabilities that it has GPU code for; under
        ``""`` those of any CPU
    cpu_archs : CPU architectures that it is built for, such as ``("amd64", "arm64")``
    vendor : maker of the GPUs that it serves, ``"nvidia"`` or ``"amd"``
    requirement : what it demands of the driver before it starts; None: no more than
        its CUDA needs
    requirement_known : whether that is published, and not only taken from its CUDA
    forward_compat : whether it brings the libraries by which data-center cards run its
        CUDA on older drivers (NVIDIA, "CUDA Compatibility", forward compatibility)
    source : where this is from, for people
    """

    name: str
    holds: str = ""
    cuda: Version | None = None
    code_cuda: Version | None = None
    archs: Mapping[str, Architectures] = field(default_factory=dict)
    cpu_archs: tuple[str, ...] = ()
    vendor: str = ""
    requirement: Requirement | None = None
    requirement_known: bool = True
    forward_compat: bool = False
    source: str = ""

    @property
    def is_known(self) -> bool:
        """Whether its name or its owner says which cards it serves."""
        return bool(self.archs) or self.vendor == AMD


@dataclass(frozen=True, slots=True)
class Declared:
    """What a user says of an image that no rule knows; ``""`` where nothing is said.

    Attributes
    ----------
    cuda : CUDA version in it, such as ``"12.4"``
    archs : compute capabilities that it has GPU code for, such as ``"8.0;9.0+PTX"``
    """

    cuda: str = ""
    archs: str = ""

    def applied_to(self, image: Image) -> Image:
        """Return the image with what is declared of it.

        Raises
        ------
        advisor.base.errors.UsageError
            if it is no version, or no list of capabilities
        """
        check_cuda(self.cuda)
        if self.cuda:
            cuda = read_version(self.cuda)
            image = replace(image, cuda=cuda, code_cuda=cuda, vendor=NVIDIA)
        if self.archs:
            archs = {"": Architectures.parse(self.archs, "image_archs")}
            image = replace(image, archs=archs, vendor=NVIDIA)
        if self.cuda or self.archs:
            source = f"{image.source}; declared" if image.source else "declared"
            image = replace(image, source=source)
        return image


def check_cuda(text: str) -> None:
    """Refuse what is no CUDA version; nothing said is none.

    Raises
    ------
    advisor.base.errors.UsageError
        if it is no version
    """
    version = read_version(text) if text else (12, 0)
    if version is None or not 8 <= version[0] <= 99:
        message = f"image_cuda: a CUDA version such as '12.4' is expected, not {text!r}"
        raise UsageError(message)
