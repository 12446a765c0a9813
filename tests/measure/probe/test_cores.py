"""The cores really granted: affinity, and quotas of both versions of cgroups."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from advisor.measure.probe.cores import Cores, core_lines, granted_cores

SECOND = "35 24 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate\n"
FIRST = "33 31 0:29 {of} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
NUMBERED = "/sys/fs/cgroup/cpu,cpuacct"

Quota = tuple[int, int]


def tree(folder: Path, files: Mapping[str, str], allowed: str = "0-7") -> Path:
    """Write what the kernel of a machine with eight logical cores shows."""
    topology = {
        f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list": (
            f"{number % 4},{number % 4 + 4}\n"
        )
        for number in range(8)
    }
    whole = {
        "proc/self/status": f"Name:\tpython\nCpus_allowed_list:\t{allowed}\n",
        "sys/devices/system/cpu/online": "0-7\n",
        **topology,
        **files,
    }
    for name, text in whole.items():
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_without_a_limit_all_cores_are_granted(tmp_path: Path) -> None:
    """A machine of one's own: eight logical cores, four physical ones behind them."""
    found = granted_cores(tree(tmp_path, {}))
    assert found == Cores(shown=8, affinity=8, quota=None, physical=4)
    assert found.granted == found.workers == 8


def test_affinity_counts_as_nproc_does(tmp_path: Path) -> None:
    """A cpuset leaves some cores; two siblings are one physical core."""
    found = granted_cores(tree(tmp_path, {}, allowed="0-1,4"))
    assert (found.shown, found.affinity, found.physical) == (8, 3, 2)


def test_a_quota_of_version_2_is_that_of_the_containers_own_root(tmp_path: Path) -> None:
    """``docker run --cpus 1.5``: the container sees its group as the root."""
    files = {
        "proc/self/cgroup": "0::/\n",
        "proc/self/mountinfo": SECOND,
        "sys/fs/cgroup/cpu.max": "150000 100000\n",
    }
    found = granted_cores(tree(tmp_path, files))
    assert found.quota == found.granted == 1.5
    assert found.workers == 2


def test_the_tightest_quota_of_nested_groups_counts(tmp_path: Path) -> None:
    """A group has no more than those above it leave, whatever it says itself."""
    files = {
        "proc/self/cgroup": "0::/kubepods/pod7/box\n",
        "proc/self/mountinfo": SECOND,
        "sys/fs/cgroup/kubepods/cpu.max": "600000 100000\n",
        "sys/fs/cgroup/kubepods/pod7/cpu.max": "200000 100000\n",
        "sys/fs/cgroup/kubepods/pod7/box/cpu.max": "400000 100000\n",
    }
    assert granted_cores(tree(tmp_path, files)).quota == 2.0


@pytest.mark.parametrize(
    ("of", "path"),
    [("/", "/docker/ab12"), ("/docker/ab12", "/docker/ab12"), ("/docker/ab12", "/other")],
)
def test_a_quota_of_version_1_is_found_wherever_the_group_is_mounted(
    tmp_path: Path, of: str, path: str
) -> None:
    """The host mounts the whole tree, a container its own group at the same place."""
    folder = NUMBERED + (path if of == "/" else "")
    files = {
        "proc/self/cgroup": f"9:name=systemd:/\n4:cpu,cpuacct:{path}\n0::/\n",
        "proc/self/mountinfo": FIRST.format(of=of),
        f"{folder}/cpu.cfs_quota_us": "350000\n",
        f"{folder}/cpu.cfs_period_us": "100000\n",
    }
    assert granted_cores(tree(tmp_path, files)).quota == 3.5


@pytest.mark.parametrize("quota", ["max 100000", "", "rubbish", "1 0", "-1 100000", "7"])
def test_what_is_no_quota_limits_nothing(tmp_path: Path, quota: str) -> None:
    """No limit, a file that is empty, torn or of another form."""
    files = {
        "proc/self/cgroup": "0::/\nrubbish\n",
        "proc/self/mountinfo": SECOND + "rubbish\n - \n",
        "sys/fs/cgroup/cpu.max": quota,
    }
    assert granted_cores(tree(tmp_path, files)).quota is None


def test_a_first_version_without_a_limit_says_minus_one(tmp_path: Path) -> None:
    """-1 is no limit, and no negative number of cores."""
    files = {
        "proc/self/cgroup": "4:cpu,cpuacct:/\n",
        "proc/self/mountinfo": FIRST.format(of="/"),
        f"{NUMBERED}/cpu.cfs_quota_us": "-1\n",
        f"{NUMBERED}/cpu.cfs_period_us": "100000\n",
    }
    assert granted_cores(tree(tmp_path, files)).granted == 8


def test_a_machine_that_shows_nothing_has_what_python_counts(tmp_path: Path) -> None:
    """No /proc and no /sys, as in a sandbox."""
    found = granted_cores(tmp_path)
    assert found.shown == found.affinity == (os.cpu_count() or 1)
    assert found.physical is None


def test_what_nobody_knows_has_no_line() -> None:
    """No quota, no topology: no figure stands for them."""
    lines = {one.name: one.value for one in core_lines(Cores(8, 4, None, None))}
    assert lines == {"cores.shown": 8, "cores.affinity": 4, "cores.granted": 4}


def seen_by(pid_folder: Path | None, affinity: set[int] | None = None) -> Cores:
    """Return what a fresh process sees, moved into a group or bound to cores first."""
    words = "import os, json\n"
    if pid_folder is not None:
        words += (
            f"open({str(pid_folder / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
        )
    if affinity is not None:
        words += f"os.sched_setaffinity(0, {affinity})\n"
    words += "from advisor.measure.probe.cores import granted_cores\n"
    words += "print(json.dumps(granted_cores()))"
    done = subprocess.run(
        [sys.executable, "-c", words],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    return Cores(*json.loads(done.stdout))


def test_a_real_affinity_is_seen() -> None:
    """As ``taskset`` sets it."""
    one = min(os.sched_getaffinity(0))
    found = seen_by(None, {one})
    assert (found.affinity, found.physical) == (1, 1)
    assert found.granted <= 1


@pytest.fixture
def group() -> Iterator[Path]:
    """Return a real group of this machine with a subgroup in it, or skip."""
    for root in (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")):
        made = root / f"bench-test-{os.getpid()}"
        try:
            (made / "inner").mkdir(parents=True)
            limit(made, (100_000, 100_000))
        except OSError:
            with suppress(OSError):
                (made / "inner").rmdir()
                made.rmdir()
            continue
        yield made
        (made / "inner").rmdir()
        made.rmdir()
        return
    pytest.skip("this user may make no cgroup with a quota here")


def limit(group: Path, quota: Quota) -> None:
    """Set a quota and its period, microseconds."""
    if (group / "cpu.cfs_quota_us").exists():
        (group / "cpu.cfs_period_us").write_text(str(quota[1]))
        (group / "cpu.cfs_quota_us").write_text(str(quota[0]))
    else:
        (group / "cpu.max").write_text("{} {}".format(*quota))


def test_a_real_quota_is_seen(group: Path) -> None:
    """Half a core, in a group of this machine's kernel."""
    limit(group, (50_000, 100_000))
    assert seen_by(group).granted == 0.5


def test_a_real_quota_of_the_group_above_is_seen(group: Path) -> None:
    """The process is in a group without a limit, within one that has it."""
    limit(group, (70_000, 100_000))
    assert seen_by(group / "inner").quota == 0.7
