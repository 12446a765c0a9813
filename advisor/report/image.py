"""What is known of a Docker image, as a document and as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from advisor.base.figures import figure
from advisor.market.values import read_text
from advisor.report.formats import lines_of
from advisor.software.image import Image
from advisor.software.registry import ImageConfig
from advisor.software.tables import LEAST_DRIVER, version_text

SCHEMA_VERSION = 1
"""Version of the JSON document; it rises when a key changes meaning or goes."""

_NAMED = ("CUDA_VERSION", "NVIDIA_", "PYTORCH_", "TORCH_", "ROCM_", "HIP_")
_DRIVER_DIGITS = {450.080: "450.80.02", 525.060: "525.60.13", 580.000: "580"}


def image_document(images: Sequence[Image], config: ImageConfig | None) -> dict[str, Any]:
    """Return the versioned JSON document of an image.

    Parameters
    ----------
    images : what its name stands for: several where the driver decides which it is,
        the newest first
    config : what its registry answers; None: it was not asked, or answers nothing
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "images": [_facts(image) for image in images],
        "registry": None if config is None else _registry(config),
    }


def image_text(images: Sequence[Image], config: ImageConfig | None) -> str:
    """Return the same for a terminal."""
    parts = [_lines(_facts(image)) for image in images]
    if config is not None:
        parts.append(_registry_lines(_registry(config)))
    return "\n\n".join(map(_printable, parts))


def least_driver(image: Image) -> str:
    """Return the oldest driver that runs an image's CUDA, ``""`` where unknown.

    What the image itself demands comes beside it.
    """
    least = LEAST_DRIVER.get(image.cuda[0], math.nan) if image.cuda else math.nan
    return _DRIVER_DIGITS.get(least, "")


def _printable(pairs: Sequence[tuple[str, str]]) -> str:
    """Return a line for each pair, whatever the maker of the image wrote into it."""
    return lines_of([(read_text(name), read_text(text)) for name, text in pairs])


def _facts(image: Image) -> dict[str, Any]:
    return {
        "name": image.name,
        "holds": image.holds or None,
        "cuda": version_text(image.cuda) if image.cuda else None,
        "gpu_archs": {name or "any": str(of) for name, of in image.archs.items()},
        "gpu_vendor": image.vendor or None,
        "cpu_archs": list(image.cpu_archs),
        "least_driver": least_driver(image) or None,
        "demands": str(image.requirement) if image.requirement else None,
        "source": image.source or None,
    }


def _registry(config: ImageConfig) -> dict[str, Any]:
    return {
        "digest": config.digest,
        "read_at": config.read_at,
        "compressed_gb": round(config.compressed_gb, 3),
        "cpu_archs": list(config.cpu_archs),
        "env": dict(config.env),
        "labels": dict(config.labels),
    }


def _lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    archs = facts["gpu_archs"]
    code = "; ".join(
        of.replace(";", " ") + (f" ({name})" if len(archs) > 1 else "")
        for name, of in archs.items()
    )
    return [
        ("image", facts["name"]),
        ("holds", facts["holds"] or "unknown"),
        ("CUDA", facts["cuda"] or "unknown"),
        ("GPU code for", code or "unknown: declare it with image_archs"),
        ("GPUs of", {"nvidia": "NVIDIA", "amd": "AMD"}.get(facts["gpu_vendor"], "?")),
        ("CPUs", ", ".join(facts["cpu_archs"]) or "unknown"),
        ("least driver", facts["least_driver"] or "unknown"),
        ("demands", facts["demands"] or "nothing else that is known"),
        ("source", facts["source"] or "no rule knows the name"),
    ]


def _registry_lines(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    variables = [
        (name, value) for name, value in config["env"].items() if name.startswith(_NAMED)
    ]
    return [
        ("registry", f"{config['digest'][:19]}, read {config['read_at']}"),
        ("size", f"{figure(config['compressed_gb'], 3)} GB to pull"),
        *variables,
        *sorted(config["labels"].items()),
    ]
