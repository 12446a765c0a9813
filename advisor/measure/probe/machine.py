"""What a machine is, without a word of whose: no name, no address, no serial number."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Any

from advisor.measure.probe.cgroups import group_folders
from advisor.measure.probe.files import ROOT, text_of

_UNLIMITED_BYTES = 1 << 60
"""A limit of version 1 that is none is near 2^63."""


def described(root: Path = ROOT) -> dict[str, Any]:
    """Return what the machine is.

    Parameters
    ----------
    root : folder that holds ``proc`` and ``sys``
    """
    return {
        "cpu_name": _cpu_name(root),
        "memory_gb": _memory_gb(root),
        "os": f"{platform.system()} {platform.machine()}",
        "python": ".".join(map(str, sys.version_info[:3])),
        "torch": None,
        "driver": None,
        "gpus": [],
    }


def _cpu_name(root: Path) -> str | None:
    """Return the CPU's name; None where the kernel tells none, as on many ARM cores."""
    for line in text_of(root, "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return " ".join(value.split())
    return None


def _memory_gb(root: Path) -> float | None:
    """Return the memory, or what the cgroup and those above it leave of it."""
    sizes = [
        int(line.split()[1]) * 1024
        for line in text_of(root, "proc/meminfo").splitlines()
        if line.startswith("MemTotal:")
    ]
    for folder, is_second in group_folders(root, "memory"):
        name = "memory.max" if is_second else "memory.limit_in_bytes"
        found = text_of(root, f"{folder}/{name}").strip()
        if found.isdigit() and 0 < int(found) < _UNLIMITED_BYTES:
            sizes.append(int(found))
    return round(min(sizes) / 1e9, 2) if sizes else None
