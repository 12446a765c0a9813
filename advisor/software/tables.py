"""What is published of CUDA and of the images that carry it: four tables with sources.

``pytorch_builds.csv`` : compute capabilities that each release and CUDA build of PyTorch
has code for. ``cuda_toolkits.csv`` : those that a CUDA toolkit's libraries and compiler
serve, and the driver that came with it. ``cuda_demands.csv`` : what the images
``nvidia/cuda`` demand of the driver. ``ngc_pytorch.csv`` : NVIDIA's own images.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from advisor.base.columns import read_records
from advisor.hardware.capability import Architectures

_FOLDER = Path(__file__).with_name("data")

Version = tuple[int, int]
"""Major and minor number."""

LEAST_DRIVER: Mapping[int, float] = {11: 450.080, 12: 525.060, 13: 580.000}
"""Major CUDA version -> oldest Linux driver that runs any CUDA of it, see
`driver_number`: 450.80.02, 525.60.13 and 580, by minor-version compatibility (NVIDIA,
"CUDA Compatibility")."""


@dataclass(frozen=True, slots=True)
class Build:
    """What one build has GPU code for.

    Attributes
    ----------
    version : of PyTorch, or of the NGC release (year, month)
    cuda : CUDA version in it
    archs : CPU architecture (``"amd64"``, ``"arm64"``) -> GPU architectures
    source : where that is published
    """

    version: Version
    cuda: Version
    archs: Mapping[str, Architectures]
    source: str


def read_version(text: str) -> Version | None:
    """Return major and minor number of a version such as ``"12.8.1"``, if it is one."""
    match = re.match(r"(\d{1,4})\.(\d{1,3})(?!\d)", text.strip())
    return (int(match[1]), int(match[2])) if match else None


def version_text(version: Version) -> str:
    """Return a version as people write it."""
    return f"{version[0]}.{version[1]}"


def driver_number(text: str) -> float:
    """Return a driver's version as a number that grows with it, NaN where it is none.

    ``"535.54.03"`` is 535.054 and ``"535.183.01"``, which is newer, 535.183.
    """
    version = read_version(f"{text}.0")
    return math.nan if version is None else version[0] + version[1] / 1000.0


def cuda_of_driver(driver: float) -> float:
    """Return the newest CUDA that a driver runs by itself, such as 12.8, or NaN."""
    found = [cuda for least, cuda in toolkit_drivers() if least <= driver]
    return found[-1][0] + found[-1][1] / 10.0 if found else math.nan


def driver_of_cuda(cuda: float) -> float:
    """Return the oldest driver that runs a CUDA by itself and no newer one, or NaN."""
    found = [
        least
        for least, one in toolkit_drivers()
        if abs(cuda * 10.0 - number_of(one)) < 0.5
    ]
    return found[0] if found else math.nan


def number_of(version: Version) -> int:
    """Return a CUDA version times ten, as offers state it: 128 for 12.8."""
    return 10 * version[0] + version[1]


@cache
def pytorch_builds() -> Mapping[tuple[Version, Version], Build]:
    """Map (PyTorch, CUDA) to its build."""
    found = {}
    for row in _rows("pytorch_builds.csv"):
        version, cuda = _version(row["pytorch"]), _version(row["cuda"])
        archs = {
            name: Architectures.parse(row[f"archs_{name}"])
            for name in ("amd64", "arm64")
            if row[f"archs_{name}"]
        }
        source = f"{row['source']} ({row['certainty']})"
        found[version, cuda] = Build(version, cuda, archs, source)
    return found


@cache
def toolkit_archs() -> Mapping[Version, Architectures]:
    """Map a CUDA version to the GPU architectures that its libraries serve."""
    return {
        _version(row["cuda"]): Architectures.parse(row["archs"])
        for row in _rows("cuda_toolkits.csv")
    }


@cache
def cuda_demands() -> Mapping[Version, str]:
    """Map a CUDA version to what its images demand, as ``NVIDIA_REQUIRE_CUDA`` says it.

    Shortened: alternatives of every brand are one without a brand, and the brand tesla
    stands for all but GeForce and Titan.
    """
    return {_version(row["cuda"]): row["demand"] for row in _rows("cuda_demands.csv")}


@cache
def toolkit_drivers() -> tuple[tuple[float, Version], ...]:
    """Return (driver, newest CUDA that it runs), the oldest first."""
    rows = _rows("cuda_toolkits.csv")
    return tuple(sorted((driver_number(r["driver"]), _version(r["cuda"])) for r in rows))


@cache
def ngc_builds() -> tuple[Build, ...]:
    """Return NVIDIA's PyTorch images by their first release, the oldest first."""
    found = []
    for row in _rows("ngc_pytorch.csv"):
        archs = Architectures.parse(row["archs"])
        year, month = row["first_release"].split(".")
        version = int(year), int(month)
        both = {"amd64": archs, "arm64": archs}
        found.append(Build(version, _version(row["cuda"]), both, row["source"]))
    return tuple(found)


def _rows(name: str) -> list[dict[str, str]]:
    return read_records(_FOLDER / name)


def _version(text: str) -> Version:
    version = read_version(text)
    assert version is not None, text  # noqa: S101  (a table that ships)
    return version
