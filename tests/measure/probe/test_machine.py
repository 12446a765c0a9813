"""What a machine is: its CPU, and the memory that its groups leave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from advisor.measure.probe.machine import described

SECOND = "35 24 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n"
FIRST = "37 31 0:29 /docker/a /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
WHOLE = {
    "proc/meminfo": "MemTotal:       65536000 kB\nMemFree: 1 kB\n",
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: AMD  EPYC 7702 64-Core Processor\n",
}


def tree(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in {**WHOLE, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_machine_of_ones_own(tmp_path: Path) -> None:
    """The kernel's memory, and the CPU's name with single blanks."""
    found = described(tree(tmp_path, {}))
    assert found["cpu_name"] == "AMD EPYC 7702 64-Core Processor"
    assert found["memory_gb"] == 67.11


@pytest.mark.parametrize(
    ("files", "memory_gb"),
    [
        (
            {
                "proc/self/cgroup": "0::/pod/box\n",
                "proc/self/mountinfo": SECOND,
                "sys/fs/cgroup/pod/memory.max": "16000000000\n",
                "sys/fs/cgroup/pod/box/memory.max": "max\n",
            },
            16.0,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/docker/a\n0::/\n",
                "proc/self/mountinfo": FIRST,
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "8000000000\n",
            },
            8.0,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/docker/a\n",
                "proc/self/mountinfo": FIRST,
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            67.11,
        ),
    ],
)
def test_memory_is_what_the_groups_leave(
    tmp_path: Path, files: Mapping[str, str], memory_gb: float
) -> None:
    """Of both versions, the tightest of nested groups; a huge one is no limit."""
    assert described(tree(tmp_path, files))["memory_gb"] == memory_gb


def test_what_the_kernel_does_not_tell_is_unknown(tmp_path: Path) -> None:
    """Many ARM cores have no name."""
    found = described(tmp_path)
    assert found["cpu_name"] is None
    assert found["memory_gb"] is None
