"""What the kernel tells of a path: its file system, and who has it locked."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.base.mounts import lock_holder, mount_of

MOUNTS = r"""
22 1 254:0 / / rw,relatime - ext4 /dev/root rw
23 22 0:20 / /home rw - nfs4 server:/home rw,vers=4.2
24 23 0:21 / /home/me/local\040disk rw shared:1 - xfs /dev/sdb1 rw
25 22 0:22 / /mnt/c rw - 9p drvfs rw
26 22 0:23 / /twice rw - nfs old:/ rw
27 22 0:24 / /twice rw - tmpfs tmpfs rw
this line makes no sense
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """Return a file as the kernel's list of mounts."""
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS)
    return path


@pytest.mark.parametrize(
    ("path", "kind", "is_network"),
    [
        ("/var/lib/x", "ext4", False),
        ("/home/you/.local/share/advisor", "nfs4", True),
        ("/home/me/local disk/data", "xfs", False),
        ("/homes", "ext4", False),
        ("/mnt/c/Users/me", "9p", True),
        ("/twice/a", "tmpfs", False),
    ],
)
def test_the_file_system_of_a_path(
    mounts: Path, path: str, kind: str, is_network: bool
) -> None:
    """The innermost mount counts, and of two at one place the later one."""
    found = mount_of(Path(path), mounts)
    assert found is not None
    assert (found.kind, found.is_network) == (kind, is_network)


def test_where_the_system_does_not_tell(tmp_path: Path) -> None:
    """Neither of mounts nor of locks is anything made up."""
    assert mount_of(tmp_path, tmp_path / "none") is None
    assert lock_holder(tmp_path, locks=tmp_path / "none") is None
    assert lock_holder(tmp_path / "no-file") is None


HOLDS = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX, 1, 120)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the system does not tell")
def test_who_has_a_file_locked(tmp_path: Path) -> None:
    """One that another process writes, by the byte that it has locked; no other byte."""
    path = tmp_path / "file"
    path.write_bytes(b"\0" * 200)
    assert lock_holder(path) is None
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        name = f"{path.stat().st_ino} 120 120"
        if name not in Path("/proc/locks").read_text():
            holder.kill()
            pytest.skip("this container's kernel shows no locks")
        assert lock_holder(path, 120) == lock_holder(path) == holder.pid
        assert lock_holder(path, 119) is None
        holder.communicate()
    with path.open("rb") as file:  # a shared lock keeps nobody from reading
        fcntl.flock(file, fcntl.LOCK_SH)
        assert lock_holder(path) is None


def test_of_those_who_wait_for_a_lock_none_has_it(tmp_path: Path) -> None:
    """And a lock up to the end of the file has every byte from its first on."""
    path = tmp_path / "file"
    path.touch()
    status = path.stat()
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    file = f"{device}:{status.st_ino}"
    locks = tmp_path / "locks"
    locks.write_text(
        f"1: POSIX  ADVISORY  WRITE 41 {file} 100 EOF\n"
        f"1: -> POSIX  ADVISORY  WRITE 42 {file} 0 EOF\n"
        f"2: FLOCK  ADVISORY  READ 43 {file} 0 EOF\n"
    )
    assert lock_holder(path, 120, locks) == 41
    assert lock_holder(path, 99, locks) is None
