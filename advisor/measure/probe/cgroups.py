"""The control groups that a process is in, in both versions of them.

A limit nests: what a group may use is at most what those above it leave.
"""

from __future__ import annotations

import os
from pathlib import Path

from advisor.measure.probe.files import text_of


def group_folders(root: Path, controller: str) -> list[tuple[str, bool]]:
    """Return the folders of this process's groups, up to where they are mounted.

    Parameters
    ----------
    root : folder that holds ``proc`` and ``sys``
    controller : ``cpu`` or ``memory``

    Returns
    -------
    each with whether it is of version 2
    """
    mounts = _mounts(root, controller)
    found = []
    for line in text_of(root, "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        is_second = number == "0" and not controllers
        if not is_second and controller not in controllers.split(","):
            continue
        for mounted_of, place, is_second_mount in mounts:
            if is_second_mount == is_second:
                found += [
                    (folder, is_second) for folder in _upward(path, mounted_of, place)
                ]
    return found


def _upward(path: str, mounted_of: str, place: str) -> list[str]:
    """Return the folders from a group up to the mount, in which the limits nest.

    Parameters
    ----------
    path : of the group, as the kernel names it
    mounted_of : the group that the mount shows at `place`: a container sees its own
        there, while `path` may be the host's name of it
    """
    inner = os.path.relpath(path, mounted_of) if path.startswith("/") else "."
    if inner.startswith(".."):  # outside what is mounted: the mount is all that is seen
        inner = "."
    folders = [place]
    for part in inner.split("/"):
        if part != ".":
            folders.append(f"{folders[-1]}/{part}")
    return folders


def _mounts(root: Path, controller: str) -> list[tuple[str, str, bool]]:
    """Return (group, folder, whether of version 2) of each mount with such groups.

    A line of mountinfo is "id parent device root place options ... - type source
    super-options"; see proc(5).
    """
    found = []
    for line in text_of(root, "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) < 5 or not kinds:
            continue
        options = kinds[2].split(",") if len(kinds) > 2 else []
        if kinds[0] == "cgroup2" or (kinds[0] == "cgroup" and controller in options):
            found.append((fields[3], fields[4], kinds[0] == "cgroup2"))
    return found
