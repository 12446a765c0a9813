"""The cores that this process may really use, beside those that it is shown.

A container sees each core of its host, and gets what its affinity and its cgroup's quota
leave. The kernel tells both; all of it is read below one root folder, so that a recorded
tree stands in for a machine.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from advisor.measure.probe.cgroups import group_folders
from advisor.measure.probe.files import ROOT, text_of
from advisor.measure.probe.lines import Line

_NO_QUOTA = "max"


class Cores(NamedTuple):
    """Cores as the kernel tells them.

    Attributes
    ----------
    shown : logical ones that are online, what `os.cpu_count` says
    affinity : of which this process may run on: what `nproc` says
    quota : cores' worth of time that the cgroup and those above it leave; None: no limit
    physical : those behind `affinity`, siblings counted once; None: nobody knows
    """

    shown: int
    affinity: int
    quota: float | None
    physical: int | None

    @property
    def granted(self) -> float:
        """Cores' worth of time that this process can use."""
        return self.affinity if self.quota is None else min(self.affinity, self.quota)

    @property
    def workers(self) -> int:
        """Return how many processes it takes to use all of that."""
        return max(1, int(self.granted + 0.5))


def granted_cores(root: Path = ROOT) -> Cores:
    """Return the cores of this process.

    Parameters
    ----------
    root : folder that holds ``proc`` and ``sys``
    """
    allowed = _allowed(root)
    online = _numbers(text_of(root, "sys/devices/system/cpu/online"))
    shown = len(online) or text_of(root, "proc/cpuinfo").count("processor\t")
    if not shown:
        shown = os.cpu_count() or 1
    return Cores(
        shown=shown,
        affinity=len(allowed) or shown,
        quota=_quota(root),
        physical=_physical(root, allowed or online),
    )


def core_lines(cores: Cores) -> list[Line]:
    """Return what was found as lines of a result."""
    known = [
        ("cores.shown", cores.shown, "what os.cpu_count says"),
        ("cores.affinity", cores.affinity, "what nproc says: affinity and cpuset"),
        ("cores.quota", cores.quota, "of the cgroup and those above it"),
        ("cores.granted", cores.granted, "the smaller of affinity and quota"),
        ("cores.physical", cores.physical, "behind the affinity, SMT siblings once"),
    ]
    return [
        Line(name, float(value), "cores", note=note)
        for name, value, note in known
        if value is not None
    ]


def _allowed(root: Path) -> set[int]:
    """Return the numbers of the cores that this process may run on."""
    for line in text_of(root, "proc/self/status").splitlines():
        if line.startswith("Cpus_allowed_list:"):
            return _numbers(line.partition(":")[2])
    return set()


def _physical(root: Path, logical: set[int]) -> int | None:
    """Return how many cores there are behind logical ones."""
    siblings = set()
    for number in logical:
        folder = f"sys/devices/system/cpu/cpu{number}/topology"
        text = text_of(root, f"{folder}/thread_siblings_list") or text_of(
            root, f"{folder}/core_cpus_list"
        )
        if not text:
            return None
        siblings.add(text.strip())
    return len(siblings) or None


def _quota(root: Path) -> float | None:
    """Return the cores' worth of time of the tightest quota, from the group upward."""
    quotas = []
    for folder, is_second in group_folders(root, "cpu"):
        found = _second(root, folder) if is_second else _first(root, folder)
        if found is not None:
            quotas.append(found)
    return min(quotas) if quotas else None


def _second(root: Path, folder: str) -> float | None:
    """Return the quota of one group of version 2: ``cpu.max`` is "quota period"."""
    words = text_of(root, f"{folder}/cpu.max").split()
    if len(words) != 2 or words[0] == _NO_QUOTA:
        return None
    return _share(words[0], words[1])


def _first(root: Path, folder: str) -> float | None:
    """Return the quota of one group of version 1; -1 is none."""
    quota = text_of(root, f"{folder}/cpu.cfs_quota_us").strip()
    return _share(quota, text_of(root, f"{folder}/cpu.cfs_period_us").strip())


def _share(quota: str, period: str) -> float | None:
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return share if share > 0.0 else None


def _numbers(text: str) -> set[int]:
    """Return the numbers of a list such as ``0-3,8``."""
    numbers = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.strip().isdigit():
            end = last.strip() or first
            numbers |= set(range(int(first), int(end) + 1))
    return numbers
