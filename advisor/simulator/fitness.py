"""Whether a simulated machine runs an image, and what it says where it does not.

The rule is the one by which offers are ranked (`advisor.software`), applied to the
machine as it is listed; a fault makes any machine fail in a way that its listing hides.
The words are those of Docker, NVIDIA's container runtime, PyTorch and Linux.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from advisor.base.errors import UsageError
from advisor.hardware.gpus import load_gpus
from advisor.market.offers import parse_machine
from advisor.software.fit import software_fit
from advisor.software.image import Image
from advisor.software.misfit import MISFITS, Misfit
from advisor.software.rules import known_images
from advisor.software.tables import version_text


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a machine does not run an image.

    Attributes
    ----------
    misfit : in one word
    refused : whether the container never starts; else what runs in it fails
    message : what is said
    """

    misfit: Misfit
    refused: bool
    message: str


def unfit_by_fact(image: str, record: Mapping[str, Any]) -> Unfit | None:
    """Return why the machine of an offer does not run an image, None if it may."""
    images = _known(image)
    offers = parse_machine(record)
    gpu = load_gpus().resolve(offers.gpu_name[0], float(offers.gpu_ram_mb[0]))
    fit = software_fit(offers, [gpu], images)
    found = [name for name, holds in fit.reasons.items() if holds[0]]
    if not found:
        return None
    # To a card of another maker CUDA code is no code at all.
    misfit: Misfit = next((one for one in MISFITS if one in found), "image_lacks_gpu")
    refused = misfit == "driver_too_old" and images[0].requirement is not None
    return _unfit(misfit, images[0], record, refused=refused or misfit == "cpu_arch")


def unfit_by_fault(misfit: Misfit, image: str, record: Mapping[str, Any]) -> Unfit:
    """Return how a machine fails to run an image, whatever is listed of it."""
    refused = misfit in ("driver_too_old", "cpu_arch")
    return _unfit(misfit, _known(image)[0], record, refused=refused)


def _known(image: str) -> tuple[Image, ...]:
    try:
        return known_images(image)
    except UsageError:  # the market takes any text for an image
        return (Image(image),)


def _unfit(
    misfit: Misfit, image: Image, record: Mapping[str, Any], *, refused: bool
) -> Unfit:
    capability = float(record["compute_cap"]) / 100.0
    arch = f"sm_{capability * 10.0:.0f}"
    said = {
        "image_lacks_gpu": (
            f"NVIDIA {record['gpu_name']} with CUDA capability {arch} is not compatible "
            "with the current PyTorch installation.\nRuntimeError: CUDA error: no kernel "
            "image is available for execution on the device"
        ),
        "driver_too_old": (
            "RuntimeError: The NVIDIA driver on your system is too old (found version "
            f"{float(record['cuda_max_good']) * 1000.0:.0f})"
        ),
        "cpu_arch": "exec /opt/nvidia/nvidia_entrypoint.sh: exec format error",
        "host_ram_too_small": (
            "Memory cgroup out of memory: Killed process 4242 (python3) "
            "total-vm:98304000kB, anon-rss:16384000kB"
        ),
        "gpu_memory_too_small": "torch.OutOfMemoryError: CUDA out of memory",
        "gpu_error": "RuntimeError: CUDA error: uncorrectable ECC error encountered",
    }[misfit]
    if misfit == "driver_too_old" and refused:
        cuda = version_text(image.cuda) if image.cuda else "12.9"
        said = (
            "Error response from daemon: failed to create task for container: "
            "nvidia-container-cli: requirement error: unsatisfied condition: "
            f"cuda>={cuda}, please update your driver to a newer version, or use an "
            "earlier cuda container: unknown"
        )
    return Unfit(misfit, refused, said)
