"""What is known of a Docker image, as a document and as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from advisor.base.figures import figure
from advisor.hardware.capability import Architectures
from advisor.hardware.gpus import load_gpus
from advisor.report.cells import clean
from advisor.report.formats import lines_of
from advisor.report.look import PLAIN, Look
from advisor.report.sentences import paragraph
from advisor.software.image import AMD, Image
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
        "answer": {"text": image_answer(images)},
        "images": [_facts(image) for image in images],
        "registry": None if config is None else _registry(config),
    }


def image_text(
    images: Sequence[Image], config: ImageConfig | None, look: Look = PLAIN
) -> str:
    """Return the same for a terminal, which GPUs run it first.

    Parameters
    ----------
    look : where it is shown
    """
    width = look.width
    answer = paragraph(image_answer(images), width)
    parts = ["\n".join(look.style("answer", line) for line in answer)]
    parts += [_printable(_lines(_facts(image)), width) for image in images]
    if config is not None:
        parts.append(_printable(_registry_lines(_registry(config)), width))
    return "\n\n".join(parts)


def image_answer(images: Sequence[Image]) -> str:
    """Return in a sentence which GPUs run an image, or one of several."""
    what = "It runs" if len(images) == 1 else f"One of these {len(images)} images runs"
    if {image.vendor for image in images} == {AMD}:
        return f"{what} on GPUs of AMD; on which is not known."
    if not any(image.archs for image in images):
        return "Which GPUs run it is unknown: declare it with image_archs."
    built = [built for image in images for built in image.archs.values()]
    runs, not_all, not_any = _architectures(built)
    where = (
        _listed([*runs, *(f"some {one}" for one in not_all)]) or "no GPU that is known"
    )
    without = f", not on {_listed(not_any)}" if not_any else ""
    if len(images) > 1:
        needs = "; which one depends on the GPU and its driver"
    else:
        driver = least_driver(images[0])
        needs = f"; the driver is {driver} or newer" if driver else ""
    return f"{what} on {where}{without}{needs}."


def _architectures(
    built: Sequence[Architectures],
) -> tuple[list[str], list[str], list[str]]:
    """Return the architectures of which all known cards run a build, some do, none do."""
    cards: dict[str, set[float]] = {}
    for gpu in load_gpus().rows:
        if math.isfinite(gpu.compute_capability):
            cards.setdefault(gpu.architecture, set()).add(gpu.compute_capability)
    groups: tuple[list[str], list[str], list[str]] = ([], [], [])
    for name, capabilities in sorted(cards.items(), key=lambda one: min(one[1])):
        each = np.array(sorted(capabilities))
        runs = np.any([one.run_on(each) for one in built], axis=0)
        groups[0 if runs.all() else 1 if runs.any() else 2].append(name)
    return groups


def _listed(names: Sequence[str]) -> str:
    """Return names as a sentence has them: A, B and C."""
    *others, last = names or [""]
    return f"{', '.join(others)} and {last}" if others else last


def least_driver(image: Image) -> str:
    """Return the oldest driver that runs an image's CUDA, ``""`` where unknown.

    What the image itself demands comes beside it.
    """
    least = LEAST_DRIVER.get(image.cuda[0], math.nan) if image.cuda else math.nan
    return _DRIVER_DIGITS.get(least, "")


def _printable(pairs: Sequence[tuple[str, str]], width: int | None) -> str:
    """Return a line for each pair, whatever the maker of the image wrote into it."""
    return lines_of([(clean(name), clean(text)) for name, text in pairs], width)


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
