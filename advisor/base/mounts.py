"""On which file system a path lies, and who has a file of it locked (Linux).

The kernel tells both in files of ``/proc``: proc_pid_mountinfo(5), proc_locks(5). Nothing
is locked or written to find out.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_LOCKS = Path("/proc/locks")

_OVER_A_NETWORK = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs"),
        *("lustre", "nfs", "nfs4", "ocfs2", "pvfs2", "smb3", "smbfs"),
        *("fuse.ceph-fuse", "fuse.gcsfuse", "fuse.glusterfs", "fuse.juicefs"),
        *("fuse.rclone", "fuse.s3fs", "fuse.sshfs"),
    }
)
"""File systems that several computers may have mounted, by the kernel's names."""


@dataclass(frozen=True, slots=True)
class Mount:
    """What is mounted where a path lies.

    Attributes
    ----------
    place : where it is mounted
    kind : the kernel's name of the file system, such as ``"ext4"``
    """

    place: str
    kind: str

    @property
    def is_network(self) -> bool:
        """Whether several computers may have it mounted."""
        return self.kind in _OVER_A_NETWORK


def mount_of(path: Path, mounts: Path = _MOUNTS) -> Mount | None:
    """Return what is mounted where a path lies, None where the system does not tell.

    Parameters
    ----------
    path : need not exist
    mounts : the kernel's list
    """
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
        whole = path.resolve()
    except OSError:
        return None
    found = None
    for line in lines:
        mount = _mount(line)
        if mount is None or not whole.is_relative_to(mount.place):
            continue
        if found is None or len(mount.place) >= len(found.place):
            found = mount  # of two at one place the later one hides the other
    return found


def lock_holder(path: Path, at: int | None = None, locks: Path = _LOCKS) -> int | None:
    """Return a process that has a file locked for writing; None: none that is known.

    Parameters
    ----------
    at : byte of the file that is locked; None: any, or the file as a whole
    locks : the kernel's list
    """
    try:
        status = path.stat()
        lines = locks.read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    major, minor = os.major(status.st_dev), os.minor(status.st_dev)
    name = f"{major:02x}:{minor:02x}:{status.st_ino}"
    for line in lines:
        _, *words = line.split()
        if words[:1] == ["->"] or len(words) != 7:  # it waits for the lock
            continue
        _, _, kind, process, file, first, last = words
        if kind != "WRITE" or file != name:
            continue
        end = int(last) if last.isdecimal() else None
        if at is None or (int(first) <= at and (end is None or at <= end)):
            return int(process)
    return None


def _mount(line: str) -> Mount | None:
    """Return the mount of a line of the kernel's list."""
    before, separator, after = line.partition(" - ")
    words = before.split(" ")
    if not separator or len(words) < 5:
        return None
    place = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), words[4])
    return Mount(place, after.split(" ")[0])
