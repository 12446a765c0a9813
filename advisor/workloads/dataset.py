"""What the files of a data set need: bytes, and the time to decode them here."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from advisor.errors import UsageError
from advisor.workloads.profile import Workload

SAMPLED = 200
"""Files that are read and decoded."""

_SEED = 20_261_125
_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What a folder of samples holds.

    Attributes
    ----------
    samples : files
    total_bytes : of all of them
    bytes_per_sample : mean
    decode_ms : median milliseconds of one core of this machine to read and decode one;
        None where nothing here decodes such files
    """

    samples: int
    total_bytes: int
    bytes_per_sample: float
    decode_ms: float | None


def look_at(folder: Path, clock: Callable[[], float] = time.perf_counter) -> DatasetFacts:
    """Count the files of a folder, and read and decode some of them.

    Raises
    ------
    advisor.errors.UsageError
        if there is no such folder, or no file in it
    """
    if not folder.is_dir():
        message = f"--dataset: there is no folder {folder}"
        raise UsageError(message)
    found = (
        Path(root) / name
        for root, _, names in os.walk(folder)
        for name in names
        if not name.startswith(".")
    )
    files = [file for file in found if file.is_file()]
    sizes = [size for file in files if (size := file.stat().st_size) > 0]
    if not sizes:
        message = f"--dataset: {folder} has no files that hold anything"
        raise UsageError(message)
    chosen = random.Random(_SEED).sample(sorted(files), min(SAMPLED, len(files)))  # noqa: S311
    return DatasetFacts(
        samples=len(sizes),
        total_bytes=sum(sizes),
        bytes_per_sample=sum(sizes) / len(sizes),
        decode_ms=_decode_ms(chosen, clock),
    )


def with_dataset(
    workload: Workload, facts: DatasetFacts, core_speed: float, told: str
) -> Workload:
    """Return a profile with what a data set needs.

    Parameters
    ----------
    core_speed : of a core of this machine, 1 at a PassMark single-thread score of 2,100
    told : where that is from, for people
    """
    sources = {
        **workload.sources,
        "samples_per_epoch": "counted: files of the data set",
        "disk_bytes_per_sample": "measured: mean of the data set's files",
        "dataset_gb": "measured: all of the data set's files",
    }
    milliseconds = workload.cpu_ms_per_sample
    if facts.decode_ms is not None:
        milliseconds = facts.decode_ms * core_speed
        sources["cpu_ms_per_sample"] = (
            f"measured: {facts.decode_ms:.3g} ms on a core of {core_speed:.2f} ({told}); "
            "decoding alone, augmentation comes on top"
        )
    return replace(
        workload,
        samples_per_epoch=float(facts.samples),
        disk_bytes_per_sample=facts.bytes_per_sample,
        dataset_gb=facts.total_bytes / 1e9,
        cpu_ms_per_sample=max(milliseconds, 1e-6),
        sources=sources,
    )


def this_cpu() -> str:
    """Return the name of this machine's CPU, empty where it does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    names = [line for line in text.splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else ""


def _decode_ms(files: Sequence[Path], clock: Callable[[], float]) -> float | None:
    """Return the median time to read and decode images; None if there are none."""
    images = [file for file in files if file.suffix.lower() in _IMAGES]
    if len(images) * 2 < len(files):
        return None
    try:
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415
    except ImportError:
        return None
    spent = []
    for file in images:
        start = clock()
        try:
            with Image.open(file) as image:
                image.convert("RGB")
        except (UnidentifiedImageError, OSError):
            continue
        spent.append((clock() - start) * 1e3)
    return statistics.median(spent) if spent else None
