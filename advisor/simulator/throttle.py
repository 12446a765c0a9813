"""Containers of this machine that get less of its CPU than they are shown: slow hosts.

A control group with a quota, as a host's own container runtime makes one for every
container: version 2 where it has the controller, else version 1 (Linux,
Documentation/admin-guide/cgroup-v2.rst and Documentation/scheduler/sched-bwc.rst).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from advisor.base.errors import UsageError

_PERIOD_US = 100_000
_LEAST_QUOTA_US = 1_000  # the kernel takes no less
_TRIES, _PAUSE_S = 40, 0.05
_ROOT = Path("/sys/fs/cgroup")


def make_group(name: str, share: float) -> Path:
    """Make a control group whose processes together get a share of this machine's CPU.

    Parameters
    ----------
    name : of the group
    share : of all cores that this process may use, above 0

    Returns
    -------
    its folder: who writes 0 to ``cgroup.procs`` in it joins it

    Raises
    ------
    UsageError
        if none can be made here
    """
    cores = len(os.sched_getaffinity(0))
    quota = max(round(share * cores * _PERIOD_US), _LEAST_QUOTA_US)
    for parent, is_second in _parents():
        group = parent / name
        try:
            group.mkdir(exist_ok=True)
            if is_second:
                (group / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
            else:
                (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
                (group / "cpu.cfs_quota_us").write_text(str(quota))
        except OSError:
            remove_group(group)
            continue
        return group
    message = (
        "no host can be made slow here: this process may make no control group with a "
        f"CPU quota below {_ROOT}"
    )
    raise UsageError(message)


def remove_group(group: Path) -> None:
    """Remove a group whose processes have ended; one that is not empty stays."""
    for _ in range(_TRIES):  # who was killed is gone a moment later
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(_PAUSE_S)
        else:
            return


def _parents() -> Iterator[tuple[Path, bool]]:
    """Yield the groups that one may be made in, and whether they are of version 2."""
    if (_ROOT / "cgroup.controllers").is_file():
        yield _ROOT, True
    for name in ("cpu", "cpu,cpuacct"):
        if (_ROOT / name / "cpu.cfs_quota_us").is_file():
            yield _ROOT / name, False
